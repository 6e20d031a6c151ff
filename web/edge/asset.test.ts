import { expect, test, vi } from 'vitest'
import { Asset } from './asset.ts'
import type { Cache } from './cache.ts'

const pieceLength = 65_536
const pieces = Array.from({ length: 3 }, (_, i) => new Uint8Array(i === 2 ? 100 : pieceLength).fill(i))

/** A film of three pieces, and a cache that has room for so many of them. */
async function film(room: number): Promise<Asset> {
  const sums = await Promise.all(pieces.map(async (data) => new Uint8Array(await crypto.subtle.digest('SHA-256', data), 0, 20)))
  const kept = new Map<number, Uint8Array>()
  const cache = {
    starts: () => [], use() {},
    get: async (_: string, start: number) => kept.get(start)!,
    put: async (_: string, __: number, start: number, data: Uint8Array) => kept.size < room && !!kept.set(start, data),
  } as unknown as Cache
  const size = 2 * pieceLength + 100
  const asset = new Asset('/film.webm', { torrent: 0, first: 0, size, type: 'video/webm', sha256: '0', sums: Buffer.concat(sums).toString('base64') }, pieceLength, cache)
  for (const [i, data] of pieces.entries()) expect(await asset.take(i, data.slice())).toBe(true)
  return asset
}

test.each([0, 1, 3])('a film is read whole, and stays in memory in no part, where there is room for %i pieces of three', async (room) => {
  const asset = await film(room)
  expect(asset.whole).toBe(true)
  await vi.waitUntil(() => pieces.every((_, i) => !asset.here(i)))
  for (const [i, data] of pieces.entries()) expect(Buffer.compare(await asset.read(i), data)).toBe(0)
  expect(Buffer.compare(new Uint8Array(await (await asset.blob()).arrayBuffer()), Buffer.concat(pieces))).toBe(0)
})
