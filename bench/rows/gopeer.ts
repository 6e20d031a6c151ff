import { join } from 'node:path'
import { root } from '../../e2e/harness/build.ts'
import { enter } from '../../e2e/harness/lab.ts'
import { goProgram, randomFile, talk } from '../go.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Bench, Row } from '../row.ts'
import { pages } from '../subjects.ts'

declare const lab: typeof import('../pages/raw.page.ts') & typeof import('../pages/starling.page.ts')

const size = 100e6
const film = 20e6

/** `starling share` of a file of that many random bytes; its magnet. */
async function share({ kit, serve }: Bench, bytes: number): Promise<string> {
  const { origin } = await serve()
  const file = join(await kit.folder(), 'data')
  await randomFile(file, bytes)
  const args = ['share', file, '--public', '--server', origin, '--data-dir', await kit.folder(), '--json']
  const program = kit.program(join(root, 'bin/starling'), ...args, '--no-dht', '--no-lan', '--no-port-mapping')
  const [line] = await program.prints(/^\{.*"magnet":.*\}$/)
  return (JSON.parse(line) as { magnet: string }).magnet
}

/** Runs with a page in a Chromium of its own, and puts all away that was made meanwhile. */
async function withPage<T>({ kit }: Bench, url: URL, run: (page: Awaited<ReturnType<typeof kit.person>>['page']) => Promise<T>): Promise<T> {
  const mark = kit.mark
  try {
    const place = await kit.lab(url, { built: true })
    const { page } = await kit.person('chromium', { own: true, allow: [/./] })
    await enter(page, place)
    return await run(page)
  } finally {
    await kit.closeTo(mark)
  }
}

/** From a machine's `starling share` to a page: 100 MB against a bare channel of pion's. In MB/s. */
export const gopeer: Row = async (bench) => {
  const { kit, serve, rounds } = bench
  const { tracker } = await serve()
  const pion = await goProgram('raw')
  const rates = await alternate(rounds, {
    raw: () =>
      withPage(bench, pages.raw, async (page) => {
        const program = talk(kit, pion, [String(size)])
        const offer = JSON.parse(await program.line()) as string
        program.say(JSON.stringify(await page.evaluate((sdp, n) => lab.answer(sdp, n), offer, size)) + '\n')
        return size / 1e6 / Number((await program.line()).split(' ')[1])
      }),
    starling: () =>
      withPage(bench, pages.starling, async (page) => {
        const magnet = await share(bench, size)
        await page.evaluate((link, url) => lab.open(link, url), magnet, tracker)
        return size / 1e6 / (await page.evaluate(() => lab.fetched()))
      }),
  })
  const ratio = ratios(rates.starling, rates.raw)
  return [
    {
      what: '100 MB `starling share` → Chromium, MB/s, against a raw channel of pion, 64 KiB messages',
      ours: span(sample(rates.starling)),
      theirs: span(sample(rates.raw)),
      ratio: span(ratio),
      bar: '≥ 0.95',
      reached: ratio.median >= 0.95,
    },
  ]
}

/** From the link in hand to the first bytes of the file, which `starling share` seeds for both. In ms. */
export const firstbyte: Row = async (bench) => {
  const { tracker } = await bench.serve()
  const mark = bench.kit.mark
  const magnet = await share(bench, film)
  const opened = (url: URL) => async () =>
    1000 * (await withPage(bench, url, (page) => page.evaluate((link, at) => lab.firstByte(link, at), magnet, tracker)))
  const times = await alternate(bench.rounds, { starling: opened(pages.starling), webtorrent: opened(pages.webtorrent) })
  await bench.kit.closeTo(mark)
  const ratio = ratios(times.starling, times.webtorrent)
  return [
    {
      what: 'link of `starling share` opened → first byte in the page, ms, against webtorrent 3',
      ours: span(sample(times.starling)),
      theirs: span(sample(times.webtorrent)),
      ratio: span(ratio),
      bar: '≤ 1/3',
      reached: ratio.median <= 1 / 3,
    },
  ]
}
