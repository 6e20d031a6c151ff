import { sha1, type Bytes } from '../bytes.ts'
import type { Read } from '../seal/sealed.ts'

/** Bytes read at once, and reads under way. */
const stretch = 4 << 20
const workers = 2

/** SHA-1 of all pieces, one after another. done is told how many bytes are hashed. */
export async function hashPieces(
  read: Read, length: number, pieceLength: number, done?: (bytes: number) => void,
): Promise<Bytes> {
  const hashes = new Uint8Array(20 * Math.ceil(length / pieceLength))
  const step = Math.max(pieceLength, stretch)
  let next = 0
  let hashed = 0
  const work = async (): Promise<void> => {
    while (next < length) {
      const start = next
      const end = Math.min(length, (next += step))
      const data = await read(start, end)
      const pieces = Array.from({ length: Math.ceil((end - start) / pieceLength) }, async (_, i) => {
        const hash = await sha1(data.subarray(i * pieceLength, (i + 1) * pieceLength))
        hashes.set(hash, 20 * (start / pieceLength + i))
      })
      await Promise.all(pieces)
      done?.((hashed += end - start))
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return hashes
}
