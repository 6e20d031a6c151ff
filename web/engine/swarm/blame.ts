import { equal, sha1, type Bytes } from '../bytes.ts'
import { unit, type Piece } from './picker.ts'

/** What is remembered of a piece that failed: who sent which unit, and its SHA-1. */
interface Failure<A> {
  from: readonly (A | undefined)[]
  sums: Bytes[]
}

const maxPieces = 64
const maxFailures = 4

/**
 * Who is to blame for a piece whose hash was wrong. When all of it came from one, that one; else the sums of its blocks
 * are kept until the right piece is here, and who sent something else is to blame, and nobody besides.
 */
export class Blame<A> {
  readonly #failures = new Map<number, Failure<A>[]>()

  /** The piece was wrong: those to blame, as far as is known yet. */
  async wrong(piece: Piece<A>): Promise<A[]> {
    const from = [...piece.from]
    const senders = new Set(from.filter((sender) => sender !== undefined))
    if (senders.size < 2) return [...senders]
    const list = this.#failures.get(piece.index) ?? []
    if (this.#failures.size >= maxPieces || list.length >= maxFailures) return []
    this.#failures.set(piece.index, list)
    list.push({ from, sums: await sums(piece.data!) })
    return []
  }

  /** The piece is right now: those to blame for its earlier failures. */
  async right(piece: Piece<A>): Promise<A[]> {
    const failures = this.#failures.get(piece.index)
    if (!failures) return []
    this.#failures.delete(piece.index)
    const good = await sums(piece.data!)
    return failures.flatMap(({ from, sums }) => from.filter((_, u) => !equal(sums[u]!, good[u]!))) as A[]
  }
}

function sums(data: Bytes): Promise<Bytes[]> {
  return Promise.all(
    Array.from({ length: Math.ceil(data.length / unit) }, (_, u) => sha1(data.subarray(u * unit, (u + 1) * unit))),
  )
}
