import { concat, type Bytes } from '../bytes.ts'
import type { Read } from '../seal/sealed.ts'
import type { Bitfield } from '../wire/bitfield.ts'

/** What can be read: the pieces in the store, and those on their way there that somebody may wait for, from memory. */
export class Fresh {
  readonly #pieceLength: number
  readonly #had: Bitfield
  readonly #store: Read
  readonly #pieces = new Map<number, Bytes>()

  constructor(pieceLength: number, had: Bitfield, store: Read) {
    this.#pieceLength = pieceLength
    this.#had = had
    this.#store = store
  }

  has(index: number): boolean {
    return this.#had.has(index) || this.#pieces.has(index)
  }

  /** A verified piece; a copy is kept, as writing takes the bytes away. */
  put(index: number, data: Bytes): void {
    this.#pieces.set(index, data.slice())
  }

  /** It is in the store now, or will never be. */
  drop(index: number): void {
    this.#pieces.delete(index)
  }

  /** Bytes [start, end), of pieces that can be read. */
  async read(start: number, end: number): Promise<Bytes> {
    if (!this.#pieces.size) return this.#store(start, end)
    const parts: (Bytes | Promise<Bytes>)[] = []
    for (let at = start, to = at; at < end; at = to) {
      const index = Math.floor(at / this.#pieceLength)
      const data = this.#pieces.get(index)
      to = Math.min(end, (index + 1) * this.#pieceLength)
      if (data) {
        const first = index * this.#pieceLength
        parts.push(data.slice(at - first, to - first))
        continue
      }
      while (to < end && !this.#pieces.has(to / this.#pieceLength)) to = Math.min(end, to + this.#pieceLength)
      parts.push(this.#store(at, to))
    }
    return parts.length === 1 ? parts[0]! : concat(await Promise.all(parts))
  }
}
