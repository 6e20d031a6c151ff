import { enter } from '../../e2e/harness/lab.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { pages, pair } from '../subjects.ts'

declare const lab: typeof import('../pages/starling.page.ts')

/**
 * From the link in hand, with nothing of the engine running yet, to the metadata; the other side seeds. The browsers
 * run already, as those of people do: only the page is new each time, and the first time is not counted. In ms.
 */
export const metadata: Row = async ({ kit, serve, rounds }) => {
  const { tracker } = await serve()
  const opening = <T>(page: URL, run: (open: () => Promise<number>) => Promise<T>) =>
    pair(kit, page, async (giver, taker, place) => {
      const open = async () => {
        for (const { page } of [giver, taker]) await enter(page, place)
        const [magnet] = await giver.page.evaluate((url) => lab.seed(1, 50_000, url), tracker)
        await giver.page.evaluate(() => lab.announced())
        return 1000 * (await taker.page.evaluate((link, url) => lab.open(link, url), magnet!, tracker))
      }
      await open()
      return run(open)
    })
  const times = await opening(pages.starling, (starling) =>
    opening(pages.webtorrent, (webtorrent) => alternate(2 * rounds + 1, { starling, webtorrent })),
  )
  const ratio = ratios(times.starling, times.webtorrent)
  return [
    {
      what: 'link opened → metadata there, ms, against webtorrent 3',
      ours: span(sample(times.starling)),
      theirs: span(sample(times.webtorrent)),
      ratio: span(ratio),
      bar: '≤ 1/3',
      reached: ratio.median <= 1 / 3,
    },
  ]
}
