import { until } from '../../e2e/harness/until.ts'
import { sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { pages, pair } from '../subjects.ts'

declare const lab: typeof import('../pages/starling.page.ts')

const size = 50_000

/** Many small torrents at once between the same two browsers. webtorrent gets a tenth of them, and 90 s. */
export const memos: Row = async ({ kit, serve, rounds }) => {
  const { tracker } = await serve()
  const arrived = (page: URL, count: number, seconds: number) =>
    pair(kit, page, async (giver, taker) => {
      const magnets = await giver.page.evaluate((n, bytes, url) => lab.seed(n, bytes, url), count, size, tracker)
      const start = performance.now()
      await taker.page.evaluate((links, url) => void lab.fetchAll(links, url), magnets, tracker)
      const there = () => taker.page.evaluate(() => lab.arrived)
      await until('all to arrive', async () => (await there()) === count, { within: seconds * 1000 }).catch(() => undefined)
      const took = (performance.now() - start) / 1000
      const stats =
        page === pages.starling
          ? await Promise.all([giver, taker].map(({ page }) => page.evaluate(() => lab.stats())))
          : []
      return { count: await there(), took, stats }
    })

  const ours: Awaited<ReturnType<typeof arrived>>[] = []
  for (let round = 0; round < rounds; round++) {
    ours.push(await arrived(pages.starling, 1000, 300))
    console.error(`  starling: ${JSON.stringify(ours.at(-1))}`)
  }
  const theirs = await arrived(pages.webtorrent, 100, 90)
  console.error(`  webtorrent: ${JSON.stringify(theirs)}`)
  const stats = ours.flatMap(({ stats }) => stats)
  const links = Math.max(...stats.map(({ links }) => links))
  const made = Math.max(...stats.map(({ connectionsMade }) => connectionsMade))
  const least = Math.min(...ours.map(({ count }) => count))
  return [
    {
      what: '1,000 memos of 50 kB shared at once and fetched by a second browser (webtorrent 3: 100, 90 s)',
      ours: `${least} arrived in ${span(sample(ours.map(({ took }) => took)))} s, ${links} link, at most ${made} connections made`,
      theirs: `${theirs.count} of 100 arrived`,
      ratio: '',
      bar: 'all; 1 link; ≤ 6 made',
      reached: least === 1000 && links === 1 && made <= 6,
    },
  ]
}
