import { open, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import type { Person } from '../../e2e/harness/browser.ts'
import type { ElementHandle } from 'puppeteer-core'
import type { Row } from '../row.ts'
import { pages, pair } from '../subjects.ts'

declare const lab: typeof import('../pages/starling.page.ts')

const size = 500e6
const bar = 64

/**
 * How much the heap of either tab grows, at most, while a real file of 500 MB is seeded and fetched: JavaScript's heap
 * and ArrayBuffers of page and workers, measured again and again until all has arrived. In MB.
 */
export const heap: Row = async ({ kit, serve }) => {
  const { tracker } = await serve()
  const dir = await mkdtemp(join(tmpdir(), 'starling-bench-'))
  const path = join(dir, 'data')
  try {
    await randomFile(path)
    const [seeding, fetching] = await pair(
      kit,
      pages.starling,
      async (giver, taker) => {
        const growth = await Promise.all([giver, taker].map(watch))
        await giver.page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), { type: 'file' })))
        const input = (await giver.page.$('input')) as ElementHandle<HTMLInputElement>
        await input.uploadFile(path)
        const magnet = await giver.page.evaluate((url) => lab.seedChosen(url), tracker)
        await taker.page.evaluate((link, url) => lab.fetch(link, url), magnet, tracker)
        return Promise.all(growth.map((stop) => stop()))
      },
      { args: ['--enable-blink-features=ForceEagerMeasureMemory'] },
    )
    return [
      ['seeding', seeding!] as const,
      ['fetching', fetching!] as const,
    ].map(([doing, grown]) => ({
      what: `${doing} a 500 MB file: growth of the tab's heap, MB`,
      ours: grown.toFixed(1),
      theirs: '',
      ratio: '',
      bar: `< ${bar}`,
      reached: grown < bar,
    }))
  } finally {
    await rm(dir, { recursive: true })
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
