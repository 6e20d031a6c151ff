import { equal, type Bytes } from '../engine/parts.ts'
import type { Cache } from './cache.ts'

/** What the site says of an asset (edge/lookup.go). */
export interface Described {
  torrent: number
  first: number
  size: number
  type: string
  /** 16 hex digits. */
  sha256: string
  /** Base64. */
  sums: string
}

/** The torrent that an asset lies in, as those see it who want the asset. */
export interface Home {
  readonly infoHash: string
  /** How many are joined. */
  readonly peers: number
  /** Wants these pieces of an asset, or none of it any more. urgent: before all others. */
  want(asset: Asset, from?: number, to?: number, urgent?: boolean): void
  /** Whether peers have all that lacks of it. */
  offered(asset: Asset): boolean
  /** A piece is here. */
  got(index: number): void
  /** The asset does not lie here, from that piece on, any more, or its bytes are gone: they are promised to nobody. */
  forget(asset: Asset, first: number): void
}

/** Where an asset lies. */
interface Place {
  readonly torrent: Home
  /** Its first piece. */
  readonly first: number
}

const sumSize = 20

/** One asset's bytes, as far as they are here. All of them were verified against the sums that the site gave. */
export class Asset {
  readonly url: string
  readonly type: string
  readonly size: number
  readonly sha: string
  readonly pieceLength: number
  readonly pieces: number
  readonly #sums: Bytes
  /** The newest last. */
  readonly places: Place[] = []
  readonly #cache: Cache
  /** Pieces that are not in the cache: in memory, or wherever the browser puts those that found no room there. */
  readonly #parts: (Bytes | Blob | undefined)[]
  /** Where each piece lies in the cache; -1: it does not. */
  readonly #kept: Int32Array
  #count = 0
  readonly #waits = new Set<() => void>()
  /** The site has something else by now. */
  stale = false

  constructor(url: string, { size, type, sha256, sums }: Described, pieceLength: number, cache: Cache) {
    this.url = url
    this.size = size
    this.type = type
    this.sha = sha256
    this.pieceLength = pieceLength
    this.pieces = Math.ceil(size / pieceLength)
    this.#sums = Uint8Array.from(atob(sums), (char) => char.charCodeAt(0))
    this.#cache = cache
    this.#parts = Array.from({ length: this.pieces })
    this.#kept = new Int32Array(this.pieces).fill(-1)
    for (const start of cache.starts(sha256)) {
      // A whole asset is one stretch, else each piece is.
      const whole = !start && !this.streamed
      const first = start / pieceLength
      for (let i = first; i < (whole ? this.pieces : first + 1); i++) {
        if (this.#kept[i]! < 0) this.#count++
        this.#kept[i] = start
      }
    }
  }

  /** One of which no more is known than that it is kept: it can be given to others, and not be shown. */
  static held(sha256: string, pieceLength: number, cache: Cache): Asset {
    return new Asset('', { size: cache.size(sha256), type: '', sha256, sums: '', torrent: 0, first: 0 }, pieceLength, cache)
  }

  /** Audio, video and what is large: kept piece by piece. */
  get streamed(): boolean {
    return this.pieceLength > 16384
  }

  /** Where its pieces are asked for. */
  get torrent(): Home | undefined {
    return this.places.at(-1)?.torrent
  }

  get whole(): boolean {
    return this.#count === this.pieces
  }

  has(piece: number): boolean {
    return !!this.#parts[piece] || this.#kept[piece]! >= 0
  }

  /** Bytes of a piece, without padding. */
  length(piece: number): number {
    return Math.min(this.pieceLength, this.size - piece * this.pieceLength)
  }

  /** False: these are not its bytes. */
  async take(piece: number, data: Bytes): Promise<boolean> {
    const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', data), 0, sumSize)
    if (!equal(sum, this.#sums.subarray(piece * sumSize, (piece + 1) * sumSize))) return false
    if (this.has(piece)) return true
    this.#parts[piece] = data
    this.#count++
    if (this.streamed) void this.#keep(piece, data)
    else if (this.whole) void this.#keepAll()
    for (const { torrent, first } of this.places) torrent.got(first + piece)
    for (const wake of this.#waits) wake()
    return true
  }

  /** A piece's bytes at once, or undefined: then read has them. */
  here(piece: number): Bytes | undefined {
    const part = this.#parts[piece]
    return part instanceof Blob ? undefined : part
  }

  /** Rejects where they are gone. */
  async read(piece: number): Promise<Bytes> {
    const part = this.#parts[piece]
    if (part) return this.here(piece) ?? new Uint8Array(await (part as Blob).arrayBuffer())
    const start = this.#kept[piece]!
    const data = await this.#cache.get(this.sha, start)
    const at = piece * this.pieceLength - start
    return data.subarray(at, at + this.length(piece))
  }

  /** All of it. Rejects where it is gone. */
  async blob(): Promise<Blob> {
    const parts = await Promise.all(Array.from(this.#parts, (part, piece) => part ?? this.read(piece)))
    this.#cache.use(this.sha)
    return new Blob(parts, { type: this.type })
  }

  /** Resolves when condition holds, looked at whenever a piece has come; or when it went stale. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition() && !this.stale) return
        this.#waits.delete(look)
        resolve()
      }
      this.#waits.add(look)
      look()
    })
  }

  /** Pieces [from, to) that lack. */
  lacks(from = 0, to = this.pieces): number[] {
    const lacking: number[] = []
    for (let i = from; i < to; i++) if (!this.has(i)) lacking.push(i)
    return lacking
  }

  /** The site has something else by now, or what was kept is gone. */
  expire(): void {
    this.stale = true
    for (const { torrent, first } of this.places.splice(0)) torrent.forget(this, first)
    for (const wake of this.#waits) wake()
  }

  async #keep(piece: number, data: Bytes): Promise<void> {
    const start = piece * this.pieceLength
    const kept = await this.#cache.put(this.sha, this.size, start, data)
    if (kept) this.#kept[piece] = start
    this.#parts[piece] = kept ? undefined : new Blob([data])
  }

  async #keepAll(): Promise<void> {
    const all = new Uint8Array(this.size)
    for (const [i, part] of this.#parts.entries()) all.set(part as Bytes, i * this.pieceLength)
    if (!(await this.#cache.put(this.sha, this.size, 0, all))) return
    this.#kept.fill(0)
    this.#parts.fill(undefined)
  }
}
