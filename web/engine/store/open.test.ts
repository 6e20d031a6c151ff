import 'fake-indexeddb/auto'
import { expect, test, vi } from 'vitest'
import { openStores } from './open.ts'

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
