import { alternate, calm, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { pages, pair } from '../subjects.ts'

declare const lab: typeof import('../pages/raw.page.ts') & typeof import('../pages/starling.page.ts')

const size = 100e6
const rate = (seconds: number) => size / 1e6 / seconds

/**
 * 100 MB from one Chromium to another. Each has a process and an ordinary profile of its own, as on two machines: what
 * is fetched goes to disk. From the metadata (raw: from the first byte) until all is there, in MB/s.
 *
 * Where the time goes, by thread (/proc/PID/task/TID/stat): both cores are busy, and nine tenths of it is the browser's own
 * WebRTC, in its network process and in the renderers' WebRTC and IPC threads. A raw channel has that as well; as it floods
 * the line, which then loses packets, its own figure swings by half from round to round.
 */
export const transfer: Row = async ({ kit, serve, rounds }) => {
  const { tracker } = await serve()
  const rates = await alternate(rounds, {
    raw: () =>
      pair(kit, pages.raw, async (giver, taker) => {
        const offer = await giver.page.evaluate(() => lab.offer())
        const answer = await taker.page.evaluate((sdp, n) => lab.answer(sdp, n), offer, size)
        await calm()
        return rate(await giver.page.evaluate((sdp, n) => lab.send(sdp, n), answer, size))
      }),
    starling: () => fetched(pages.starling),
    webtorrent: () => fetched(pages.webtorrent),
  })

  function fetched(page: URL): Promise<number> {
    return pair(kit, page, async (giver, taker) => {
      const [magnet] = await giver.page.evaluate((n, url) => lab.seed(1, n, url), size, tracker)
      await calm()
      await taker.page.evaluate((link, url) => lab.open(link, url), magnet!, tracker)
      return rate(await taker.page.evaluate(() => lab.fetched()))
    })
  }

  const lines = []
  for (const [baseline, name, bar] of [
    ['raw', 'a raw data channel, 64 KiB messages', 0.8],
    ['webtorrent', 'webtorrent 3', 1.8],
  ] as const) {
    const ratio = ratios(rates.starling, rates[baseline])
    lines.push({
      what: `100 MB Chromium → Chromium, MB/s, against ${name}`,
      ours: span(sample(rates.starling)),
      theirs: span(sample(rates[baseline])),
      ratio: span(ratio),
      bar: `≥ ${bar}`,
      reached: ratio.median >= bar,
    })
  }
  return lines
}
