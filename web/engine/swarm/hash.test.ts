import { expect, test } from 'vitest'
import { hashPieces } from './hash.ts'
import { noise } from './testing.ts'

test('pieces are hashed in order, whatever the size', async () => {
  for (const [length, pieceLength] of [[0, 16384], [1, 16384], [100_000, 16384], [9 << 20, 1 << 20], [(5 << 20) + 1, 8 << 20]] as const) {
    const data = noise(length)
    const told: number[] = []
    const hashes = await hashPieces(async (start, end) => data.slice(start, end), length, pieceLength, (bytes) => told.push(bytes))
    expect(hashes.length).toBe(20 * Math.ceil(length / pieceLength))
    for (let i = 0; i * pieceLength < length; i++) {
      const hash = await crypto.subtle.digest('SHA-1', data.subarray(i * pieceLength, (i + 1) * pieceLength))
      expect(hashes.slice(20 * i, 20 * i + 20)).toEqual(new Uint8Array(hash))
    }
    expect(told.at(-1) ?? 0).toBe(length)
  }
})
