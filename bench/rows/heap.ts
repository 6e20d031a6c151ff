import { open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import type { Person } from '../../e2e/harness/browser.ts'
import type { ElementHandle } from 'puppeteer-core'
import { sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { pages, pair } from '../subjects.ts'

declare const lab: typeof import('../pages/starling.page.ts')

const size = 500e6
const bar = 64

/**
 * How much the heap of either tab grows, at most, while a real file of 500 MB is seeded and fetched: JavaScript's heap
 * and ArrayBuffers of page and workers, measured again and again until all has arrived. In MB.
 */
export const heap: Row = async ({ kit, serve, rounds }) => {
  const { tracker } = await serve()
  const dir = await mkdtemp(join(tmpdir(), 'starling-bench-'))
  const path = join(dir, 'data')
  try {
    const grown: { seeding: number; fetching: number }[] = []
    for (let round = 0; round < rounds; round++) {
      await randomFile(path)
      grown.push(await pair(kit, pages.starling, once, { args: ['--enable-blink-features=ForceEagerMeasureMemory'] }))
      console.error(`  ${JSON.stringify(grown.at(-1))}`)
    }
    return (['seeding', 'fetching'] as const).map((doing) => {
      const growth = sample(grown.map((round) => round[doing]))
      return {
        what: `${doing} a 500 MB file: growth of the tab's heap, MB`,
        ours: span(growth),
        theirs: '',
        ratio: '',
        bar: `< ${bar}`,
        reached: growth.max < bar,
      }
    })
  } finally {
    await rm(dir, { recursive: true })
  }

  async function once(giver: Person, taker: Person) {
    const growth = await Promise.all([giver, taker].map(watch))
    await giver.page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), { type: 'file' })))
    const input = (await giver.page.$('input')) as ElementHandle<HTMLInputElement>
    await input.uploadFile(path)
    const magnet = await giver.page.evaluate((url) => lab.seedChosen(url), tracker)
    await taker.page.evaluate((link, url) => lab.open(link, url), magnet, tracker)
    await taker.page.evaluate(() => lab.fetched())
    const [seeding, fetching] = await Promise.all(growth.map((stop) => stop()))
    return { seeding: seeding!, fetching: fetching! }
  }
}

/** Measures until it is told to stop, and then tells by how many MB it ever grew. */
async function watch({ page }: Person): Promise<() => Promise<number>> {
  const now = async () => (await page.evaluate(() => lab.heap())) / 1e6
  const start = await now()
  let most = start
  let on = true
  const watching = (async () => {
    do most = Math.max(most, await now())
    while (on)
  })()
  return async () => {
    on = false
    await watching
    return most - start
  }
}

async function randomFile(path: string): Promise<void> {
  const file = await open(path, 'w')
  for (let written = 0; written < size; written += 10e6) await file.write(randomBytes(10e6))
  await file.close()
}
