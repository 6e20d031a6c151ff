import { expect, test, vi } from 'vitest'
import type { Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { memoryStores } from '../store/memory.ts'
import { testNode } from './testing.ts'
import { block, data, infoHash, leecher, pieceLength, seed, stranger } from './sample.ts'

test('what cannot be read any more is tried once, and is no longer promised', async () => {
  const stores = memoryStores()
  const open = stores.open.bind(stores)
  let reads = 0
  stores.open = async (...args) => {
    const read = async () => {
      reads++
      throw new StarlingError('storage', 'The file is gone.')
    }
    return Object.assign(await open(...args), { read })
  }
  const node = await leecher({}, stores)
  const first = seed(node)
  await node.until(infoHash, ({ done }) => done)
  first.channel.close()
  const peer = stranger(node)
  await peer.met.promise
  peer.wire.interested()
  await peer.hears(/^unchoke/)
  peer.wire.request(0, 0, block)
  await peer.closed.promise
  expect((await node.node.states())[0]).toMatchObject({ status: 'failed', error: { code: 'storage' }, peers: [] })
  expect(reads).toBe(1)
})

test.each([true, false])('what could not be read is looked through when it is added again (removed before: %s)', async (removed) => {
  const stores = memoryStores()
  const open = stores.open.bind(stores)
  /** Where a piece begins that was damaged on disk, and one that cannot be read; until they are written anew. */
  const bad = new Map<number, 'wrong' | 'gone'>()
  const written: number[] = []
  stores.open = async (...args) => {
    const store = await open(...args)
    const [read, write] = [store.read.bind(store), store.write.bind(store)]
    return Object.assign(store, {
      read: async (start: number, end: number) => {
        const bytes = await read(start, end)
        for (const [at, how] of bad) {
          if (at + pieceLength <= start || at >= end) continue
          if (how === 'gone') throw new StarlingError('storage', 'The file is gone.')
          bytes[Math.max(0, at - start)]! ^= 1
        }
        return bytes
      },
      write: (start: number, bytes: Bytes) => {
        written.push(start / pieceLength)
        bad.delete(start)
        return write(start, bytes)
      },
    })
  }
  const node = await leecher({}, stores)
  seed(node)
  await node.until(infoHash, ({ done }) => done)
  bad.set(2 * pieceLength, 'wrong').set(5 * pieceLength, 'gone')
  written.length = 0
  await expect(node.node.read(infoHash, 0, 0, data.length, 'reader')).rejects.toMatchObject({ code: 'storage' })
  await node.until(infoHash, ({ status }) => status === 'failed')
  await vi.waitFor(async () => expect(await stores.registry.get(infoHash)).toMatchObject({ doubted: true }))
  // Or the page is loaded again.
  const later = removed ? node : testNode({}, stores)
  if (removed) await later.node.remove(infoHash, {})
  const state = await later.node.add(infoHash, {})
  expect(state).toMatchObject({ ready: true, done: false, downloaded: data.length - 2 * pieceLength })
  expect(state.error).toBeUndefined()
  seed(later)
  await later.until(infoHash, ({ done }) => done)
  expect(written.sort()).toEqual([2, 5])
  expect(Buffer.compare(new Uint8Array(await (await later.node.blob(infoHash, 0)).arrayBuffer()), data)).toBe(0)
  await later.node.remove(infoHash, {})
  expect(await stores.registry.get(infoHash)).not.toHaveProperty('doubted')
})

test('a torrent that failed as it could not be read begins anew where it is added again', async () => {
  const stores = memoryStores()
  const open = stores.open.bind(stores)
  let broken = true
  stores.open = async (...args) => {
    const store = await open(...args)
    const read = store.read.bind(store)
    return Object.assign(store, {
      read: async (start: number, end: number) => {
        if (broken) throw new StarlingError('storage', 'Not now.', { cause: { name: 'NoModificationAllowedError' } })
        return read(start, end)
      },
    })
  }
  const node = await leecher({}, stores)
  seed(node)
  await node.until(infoHash, ({ done }) => done)
  await expect(node.node.read(infoHash, 0, 0, 9, 'reader')).rejects.toMatchObject({ code: 'storage' })
  // Somebody else holds it: nothing is known of what is there, and so nothing is given up.
  expect(await node.node.add(infoHash, {})).toMatchObject({ status: 'failed', error: { code: 'storage' } })
  broken = false
  expect(await node.node.add(infoHash, {})).toMatchObject({ status: 'seeding', done: true })
})
