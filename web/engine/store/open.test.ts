import 'fake-indexeddb/auto'
import { expect, test, vi } from 'vitest'
import { indexedDBStores } from './indexeddb.ts'
import { openStores } from './open.ts'
import { opfsStores } from './opfs.ts'
import { openDatabase } from './registry.ts'

const infoHash = 'a'.repeat(40)
const entry = { infoHash, seeded: false, trackers: [], webSeeds: [], added: 1 }

test('a torrent that nothing is kept of is told from others before the stores are open, and costs no database', async () => {
  const opening = openStores('auto')
  expect(await opening.unknown(infoHash)).toBe(true)
  expect(await indexedDB.databases()).toEqual([])
  const { registry } = await opening.stores()
  await registry.put(entry)
  await opening.close()

  const again = openStores('auto')
  expect(await again.unknown(infoHash)).toBe(false)
  expect(await again.unknown('b'.repeat(40))).toBe(true)
  await again.close()
})

test('open stores tell by themselves, as do those in memory', async () => {
  const opening = openStores('auto')
  await opening.stores()
  expect(await opening.unknown('b'.repeat(40))).toBe(false)
  await opening.close()
  expect(await openStores('memory').unknown('b'.repeat(40))).toBe(false)
})

test('what a page takes for the name of a store is the best there is, and forgets nothing', async () => {
  const opening = openStores('opfs' as 'auto')
  expect((await opening.stores()).kind).toBe('indexeddb')
  await opening.close()
})

test('where a bundler wrote down where the engine lay on its disk, the worker comes from the page’s server', async () => {
  const asked: string[] = []
  vi.stubGlobal('location', new URL('https://site.example/app/'))
  vi.stubGlobal('Worker', class {
    constructor(script: string) {
      asked.push(script)
      throw new Error('That is all.')
    }
  })
  expect(import.meta.url).toMatch(/^file:/)
  await expect(opfsStores()).rejects.toThrow('That is all.')
  expect(asked).toEqual(['https://site.example/starling-store.js'])
  vi.unstubAllGlobals()
})

test('bytes that no torrent has any more are deleted once there is time, and those of others are not', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const [removed, kept, fetched, elsewhere] = ['1', '2', '3', '4'].map((digit) => digit.repeat(40)) as [string, string, string, string]
  const database = openDatabase()
  const left = async () => [...new Set((await database.table('chunks').read((table) => table.getAllKeys())).map((key) => (key as string[])[0]))]
  const pass = async (minutes: number) => {
    vi.advanceTimersByTime(minutes * 60_000)
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
  }
  const other = await indexedDBStores()
  const write = async (infoHash: string, stores = other) => {
    const store = await stores.open(infoHash, 2)
    for (const start of [0, 1]) await store.write(start, Uint8Array.of(1))
  }
  await other.registry.put({ ...entry, infoHash: kept })
  // Its page was killed between the two steps of removing it.
  await write(removed)
  await write(kept)

  const opening = openStores('auto')
  await write(fetched, await opening.stores())
  // Another tab has begun one, and saves it soon.
  await write(elsewhere)
  await pass(1)
  expect(await left()).toEqual([removed, kept, fetched, elsewhere])
  await other.registry.put({ ...entry, infoHash: elsewhere })
  await pass(1)
  expect(await left()).toEqual([kept, fetched, elsewhere])

  await write(removed)
  const again = openStores('auto')
  await again.stores()
  await pass(1)
  await again.close()
  await pass(5)
  expect(await left()).toContain(removed)
  for (const infoHash of [removed, kept, fetched, elsewhere]) await other.destroy(infoHash)
  for (const infoHash of [kept, elsewhere]) await other.registry.delete(infoHash)
  await Promise.all([opening.close(), other.close(), database.close()])
  vi.useRealTimers()
})

test('the best there is; in memory alone where that is asked for, or nothing else works', async () => {
  const kindOf = async (mode: 'auto' | 'memory'): Promise<string> => {
    const opening = openStores(mode)
    const { kind } = await opening.stores()
    await opening.close()
    return kind
  }
  expect([await kindOf('auto'), await kindOf('memory')]).toEqual(['indexeddb', 'memory'])
  const worker = vi.fn()
  vi.stubGlobal('Worker', worker)
  await kindOf('memory')
  expect(worker).not.toHaveBeenCalled()
  vi.stubGlobal('indexedDB', undefined)
  expect(await kindOf('auto')).toBe('memory')
  vi.unstubAllGlobals()
})
