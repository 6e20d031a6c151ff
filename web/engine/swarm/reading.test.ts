import { describe, expect, test, vi } from 'vitest'
import { concat, type Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import { memoryStores } from '../store/memory.ts'
import { makeInfo } from '../torrent/making.ts'
import { parseInfo } from '../torrent/metainfo.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { testNode } from './testing.ts'
import { claim, data, info, infoHash, leecher, part, pieceLength, seed, torrent, whole } from './sample.ts'

/** The same data as two files, the first one of that size. */
function divide(size: number): Promise<void> {
  const files = [{ path: 'a', size }, { path: 'b', size: data.length - size }]
  const { pieces, hashAt } = parseInfo(info)
  const hashes = concat(Array.from({ length: pieces }, (_, i) => hashAt(i)))
  return claim(makeInfo({ name: 'both', files, pieceLength, hashes }))
}

describe('what is read', () => {
  test('a window is fetched first, and in order', async () => {
    const node = testNode()
    await node.node.add(torrent, { onDemand: true })
    const peer = seed(node)
    await peer.met.promise
    const read = await node.node.read(infoHash, 0, 5 * pieceLength + 7, data.length, 'player')
    expect(Buffer.compare(read, data.slice(5 * pieceLength + 7, 5 * pieceLength + 7 + read.length))).toBe(0)
    await node.until(infoHash, ({ downloaded }) => downloaded === data.length - 5 * pieceLength)
    const pieces = peer.heard.flatMap((heard) => /^request (\d)/.exec(heard)?.[1] ?? [])
    expect(pieces).toEqual(['5', '6', '7', '8', '9'])
    node.node.release(infoHash, 'player')
    await peer.hears(/^not interested/)
  })

  test('a released reader’s wait ends', async () => {
    const node = await leecher()
    const read = node.node.read(infoHash, 0, 0, 10, 'player')
    await node.until(infoHash, ({ ready }) => ready)
    await Promise.resolve()
    node.node.release(infoHash, 'player')
    await expect(read).rejects.toMatchObject({ code: 'aborted' })
  })

  test('however many read at once, none is sent away', async () => {
    const node = testNode()
    await node.node.add(torrent, { onDemand: true })
    const reads = Array.from({ length: 100 }, (_, i) => node.node.read(infoHash, 0, i * 6000, i * 6000 + 1, `image ${i}`))
    const all = Promise.all(reads)
    seed(node)
    expect((await all).map(([byte]) => byte)).toEqual(Array.from({ length: 100 }, (_, i) => data[i * 6000]))
  })

  test('a Blob of one file is good while others still come', async () => {
    const size = 5 * pieceLength
    await divide(size)
    const stores = memoryStores()
    const open = stores.open.bind(stores)
    // As OPFS has it: as long as its last byte is far, and in Chromium not readable once more is written.
    stores.open = async (...args) => Object.assign(await open(...args), { blob: async () => new Blob([new Uint8Array(data.length)]) })
    const node = await leecher({}, stores)
    const peer = seed(node)
    peer.request = (index, begin, length) => index === 7 || peer.wire.piece(index, begin, part(index, begin, length))
    const blob = await node.node.blob(infoHash, 0)
    expect(Buffer.compare(new Uint8Array(await blob.arrayBuffer()), data.slice(0, size))).toBe(0)
  })

  test.each(['a Blob', 'a reader'])('what %s alone asked for is known after a reload, however soon that comes', async (who) => {
    await divide(5 * pieceLength)
    const stores = memoryStores()
    const saved = async () => new Bitfield(10, (await stores.registry.get(infoHash))!.pieces).count
    const node = testNode({}, stores)
    // What is saved because time has passed is not meant here.
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1e6)
    try {
      await node.node.add(torrent, { onDemand: true })
      await vi.waitUntil(() => stores.registry.get(infoHash))
      seed(node)
      if (who === 'a Blob') {
        await node.node.blob(infoHash, 0)
        expect(await saved()).toBe(5)
      } else {
        await node.node.read(infoHash, 0, 0, pieceLength, 'player')
        node.node.release(infoHash, 'player')
        await vi.waitUntil(saved)
      }
    } finally {
      clock.mockRestore()
    }
  })

  test('what somebody waits for is read before it is in the store, and a Blob waits for the store', async () => {
    const stores = memoryStores()
    const open = stores.open.bind(stores)
    const opening = new Deferred()
    stores.open = async (...args) => {
      await opening.promise
      return open(...args)
    }
    const node = await leecher({}, stores)
    try {
      const reads = [[0, 9], [pieceLength - 5, 2 * pieceLength + 5], [6 * pieceLength, data.length]].map(async ([start, end], i) => {
        const parts: Bytes[] = []
        for (let at = start!; at < end!; at += parts.at(-1)!.length) parts.push(await node.node.read(infoHash, 0, at, end!, `${i}`))
        expect(Buffer.compare(concat(parts), data.slice(start, end))).toBe(0)
      })
      seed(node)
      await Promise.all(reads)
      expect((await node.node.states())[0]).toMatchObject({ downloaded: 0, done: false })
      let here = false
      void node.node.blob(infoHash, 0).then(() => (here = true))
      await node.node.stats()
      expect(here).toBe(false)
    } finally {
      opening.resolve()
    }
    await whole(node)
  })
})
