import { describe, expect, test } from 'vitest'
import { concat, equal, type Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import { makeInfo } from '../torrent/making.ts'
import { parseInfo } from '../torrent/metainfo.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { Outgoing, type OutgoingOptions } from './outgoing.ts'
import { Shelf } from './shelf.ts'
import { noise } from './testing.ts'

describe('outgoing', () => {
  async function outgoing(pieceLength: number, options: Partial<OutgoingOptions> = {}) {
    const data = noise(2 * pieceLength + 3_000_000)
    const length = data.length
    const pieces = Array.from({ length: Math.ceil(length / pieceLength) }, async (_, i) => {
      const piece = data.subarray(i * pieceLength, (i + 1) * pieceLength)
      return new Uint8Array(await crypto.subtle.digest('SHA-1', piece))
    })
    const hashes = concat(await Promise.all(pieces))
    const info = parseInfo(makeInfo({ name: 'a', files: [{ path: 'a', size: length }], pieceLength, hashes }))
    const reads: [number, number][] = []
    const had = new Bitfield(info.pieces).fill()
    const read = async (start: number, end: number): Promise<Bytes> => (reads.push([start, end]), data.slice(start, end))
    const failed = (error: unknown): void => void failures.push(error)
    const failures: unknown[] = []
    const out = new Outgoing({ info, had, shelf: new Shelf(16 << 20), name: 'a', read, failed, ...options })
    const block = async (piece: number, begin: number, length: number): Promise<Bytes | undefined> => {
      for (;;) {
        const ready = new Deferred()
        const block = out.block({ piece, begin, length }, () => ready.resolve())
        if (block || failures.length) return block
        await ready.promise
      }
    }
    return { data, info, had, reads, failures, block }
  }

  test.each([48, 128, 1024, 3 << 10, 4 << 10].map((size) => size << 10))('any block of any piece of %d bytes, in few reads', async (pieceLength) => {
    const { data, info, reads, block } = await outgoing(pieceLength)
    for (let piece = 0; piece < info.pieces; piece++) {
      const size = Math.min(pieceLength, data.length - piece * pieceLength)
      for (let begin = 0; begin < size; begin += 50_001) {
        const start = piece * pieceLength + begin
        const length = Math.min(65_536, size - begin)
        expect(equal((await block(piece, begin, length))!, data.subarray(start, start + length))).toBe(true)
      }
    }
    expect(reads.length).toBe(Math.ceil(data.length / (pieceLength === 48 << 10 ? 21 * pieceLength : 1 << 20)))
  })

  test('pieces that are not there are not read with those that are', async () => {
    const { had, reads, block } = await outgoing(1 << 18)
    had.unset(2)
    expect(await block(1, 0, 10)).toHaveLength(10)
    had.set(2)
    expect(await block(2, 0, 10)).toHaveLength(10)
    expect(reads).toEqual([[1 << 18, 2 << 18], [0, 4 << 18]])
  })

  test('what was hashed long ago is verified once before it is sent', async () => {
    const { reads, block } = await outgoing(4 << 20, { unproven: true })
    expect(await block(0, 0, 10)).toHaveLength(10)
    expect(await block(0, 2 << 20, 10)).toHaveLength(10)
    expect(reads).toEqual([[0, 4 << 20], [0, 1 << 20], [2 << 20, 3 << 20]])
    const changed = await outgoing(1 << 18, { unproven: true, read: async (start, end) => new Uint8Array(end - start) })
    expect(await changed.block(0, 0, 10)).toBeUndefined()
    expect(changed.failures[0]).toMatchObject({ code: 'unreadable' })
  })
})
