import { concat, equal, sha1, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import type { Read } from '../seal/sealed.ts'
import type { Info } from '../torrent/metainfo.ts'
import { Bitfield } from '../wire/bitfield.ts'
import type { Wanted } from './host.ts'
import type { Shelf } from './shelf.ts'

/** Reading costs about the same whatever the length: so it is done in stretches of at most this many bytes. */
const longest = 1 << 20

export interface OutgoingOptions {
  info: Info
  had: Bitfield
  shelf: Shelf
  /** Under which its stretches lie on the shelf. */
  name: string
  read: Read
  /** It was not hashed since the node began, or may have changed since: each piece is verified before it is first sent. */
  unproven?: boolean
  /** What is promised cannot be read, or is not what was promised. */
  failed(error: unknown): void
}

/** What a torrent sends, from its store by way of the shelf. */
export class Outgoing {
  readonly #options: OutgoingOptions
  readonly #unproven: Bitfield
  readonly #proofs = new Map<number, Promise<void>>()

  constructor(options: OutgoingOptions) {
    this.#options = options
    this.#unproven = new Bitfield(options.info.pieces)
    if (options.unproven) this.#unproven.fill()
  }

  /** The bytes of a piece that is there; or undefined: they are read now, and ready is called when that is over. */
  block({ piece, begin, length }: Wanted, ready: () => void): Bytes | undefined {
    const start = piece * this.#options.info.pieceLength + begin
    const [from, to] = this.#stretch(piece, begin)
    const { shelf, name } = this.#options
    const data = shelf.get(`${name} ${from} ${to}`, () => this.#load(from, to), ready)
    if (!data || start + length <= to) return data?.subarray(start - from, start - from + length)
    // Two stretches, in a piece longer than they are.
    const rest = this.block({ piece, begin: to - start + begin, length: start + length - to }, ready)
    return rest && concat([data.subarray(start - from), rest])
  }

  /** What is read together with that byte: several small pieces where all are there, or a part of a large one. */
  #stretch(piece: number, begin: number): [number, number] {
    const { had, info: { pieceLength, length, pieces } } = this.#options
    const start = piece * pieceLength
    if (pieceLength >= longest) {
      const from = start + begin - (begin % longest)
      return [from, Math.min(from + longest, start + pieceLength, length)]
    }
    const count = Math.floor(longest / pieceLength)
    const first = piece - (piece % count)
    const end = Math.min(first + count, pieces)
    let there = first
    while (there < end && had.has(there)) there++
    return there < end
      ? [start, Math.min(start + pieceLength, length)]
      : [first * pieceLength, Math.min(end * pieceLength, length)]
  }

  async #load(from: number, to: number): Promise<Bytes> {
    const { info: { pieceLength }, read, failed } = this.#options
    try {
      for (let piece = Math.floor(from / pieceLength); piece * pieceLength < to; piece++) {
        if (this.#unproven.has(piece)) await this.#prove(piece)
      }
      return await read(from, to)
    } catch (error) {
      failed(error)
      throw error
    }
  }

  #prove(piece: number): Promise<void> {
    const proof = this.#proofs.get(piece) ?? this.#compare(piece).finally(() => this.#proofs.delete(piece))
    this.#proofs.set(piece, proof)
    return proof
  }

  async #compare(piece: number): Promise<void> {
    const { info, read } = this.#options
    const { pieceLength, length } = info
    const data = await read(piece * pieceLength, Math.min((piece + 1) * pieceLength, length))
    if (!equal(await sha1(data), info.hashAt(piece))) {
      throw new StarlingError('unreadable', 'A file that you share has changed. Share it again.')
    }
    this.#unproven.unset(piece)
  }
}
