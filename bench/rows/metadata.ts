import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { pages, pair } from '../subjects.ts'

declare const lab: typeof import('../pages/starling.page.ts')

/** From the link in hand, with nothing running yet, to the metadata; the other side seeds. In milliseconds. */
export const metadata: Row = async ({ kit, serve, rounds }) => {
  const { tracker } = await serve()
  const opened = (page: URL) => () =>
    pair(kit, page, async (giver, taker) => {
      const [magnet] = await giver.page.evaluate((url) => lab.seed(1, 50_000, url), tracker)
      return 1000 * (await taker.page.evaluate((link, url) => lab.open(link, url), magnet!, tracker))
    })
  const times = await alternate(rounds, { starling: opened(pages.starling), webtorrent: opened(pages.webtorrent) })
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
