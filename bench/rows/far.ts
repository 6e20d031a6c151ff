import { Line, type LineOptions } from '../../e2e/harness/line.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Line as Printed, Row } from '../row.ts'
import { pages, pair } from '../subjects.ts'

declare const lab: typeof import('../pages/raw.page.ts') & typeof import('../pages/starling.page.ts')

const size = 20e6
const lines: Record<string, LineOptions> = {
  '50 Mbit/s, 100 ms there and back': { delay: 50, rate: 6.25e6, queue: 625_000 },
  '20 Mbit/s, 60 ms, one packet in 200 lost': { delay: 30, rate: 2.5e6, queue: 150_000, loss: 0.005 },
}

/** 20 MB from one Chromium to another that is far away: as transfer.ts, over a line that is long, or loses something. */
export const far: Row = async ({ kit, serve, rounds }) => {
  const { tracker } = await serve()
  const rows: Printed[] = []
  for (const [name, options] of Object.entries(lines)) {
    const rates = await alternate(rounds, {
      raw: () =>
        pair(kit, pages.raw, async (giver, taker) => {
          const offer = await giver.page.evaluate(() => lab.offer())
          const answer = await taker.page.evaluate((sdp, n) => lab.answer(sdp, n), offer, size)
          return size / 1e6 / (await giver.page.evaluate((sdp, n) => lab.send(sdp, n), answer, size))
        }, { before }),
      starling: () => fetched(pages.starling),
      webtorrent: () => fetched(pages.webtorrent),
    })

    function before(giver: Parameters<Line['between']>[0], taker: typeof giver): Promise<void> {
      return new Line(kit, options).between(giver, taker)
    }
    function fetched(page: URL): Promise<number> {
      return pair(kit, page, async (giver, taker) => {
        const [magnet] = await giver.page.evaluate((n, url) => lab.seed(1, n, url), size, tracker)
        await taker.page.evaluate((link, url) => lab.open(link, url), magnet!, tracker)
        return size / 1e6 / (await taker.page.evaluate(() => lab.fetched()))
      }, { before })
    }

    for (const [baseline, whom] of [['raw', 'a raw data channel'], ['webtorrent', 'webtorrent 3']] as const) {
      rows.push({
        what: `20 MB over ${name}, MB/s, against ${whom}`,
        ours: span(sample(rates.starling)),
        theirs: span(sample(rates[baseline])),
        ratio: span(ratios(rates.starling, rates[baseline])),
      })
    }
  }
  return rows
}
