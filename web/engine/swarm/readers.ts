import { Deferred } from '../deferred.ts'
import { StarlingError } from '../errors.ts'
import type { Bitfield } from '../wire/bitfield.ts'
import type { Fresh } from './fresh.ts'
import type { Window } from './picker.ts'

/** Bytes fetched ahead of where somebody reads. */
const ahead = 8 << 20
const maxReaders = 64

interface Wait {
  reader: string
  /** Pieces [from, to); those before from have come. */
  from: number
  to: number
  /** In the store, and not only to be read. */
  stored: boolean
  here: Deferred
}

/** Who reads where, and waits for what. Positions are bytes of the torrent. */
export class Readers {
  readonly #pieceLength: number
  readonly #had: Bitfield
  readonly #fresh: Pick<Fresh, 'has'>
  /** The one that read last is last. */
  readonly #places = new Map<string, { at: number; end: number }>()
  readonly #waits = new Set<Wait>()
  #failed: StarlingError | undefined

  constructor(pieceLength: number, had: Bitfield, fresh: Pick<Fresh, 'has'> = had) {
    this.#pieceLength = pieceLength
    this.#had = had
    this.#fresh = fresh
  }

  get any(): boolean {
    return this.#places.size > 0
  }

  /** What to fetch first: a stretch from where each reads, whoever read last in front. */
  get windows(): Window[] {
    return [...this.#places.values()].reverse().map(({ at, end }) => this.#pieces(at, end))
  }

  /** The reader is at that byte and reads on to end. */
  place(reader: string, at: number, end: number, stretch = ahead): void {
    this.#places.delete(reader)
    this.#places.set(reader, { at, end: Math.min(end, at + stretch) })
    if (this.#places.size <= maxReaders) return
    // Who never says that it is done is forgotten in the end, but nobody who waits.
    const waiting = new Set([...this.#waits].map((wait) => wait.reader).concat(reader))
    for (const old of this.#places.keys()) if (this.#places.size > maxReaders && !waiting.has(old)) this.#places.delete(old)
  }

  /** Resolves when bytes [start, end) can be read; stored: when they are in the store. */
  async wait(reader: string, start: number, end: number, stored = false): Promise<void> {
    const wait = { ...this.#pieces(start, end), reader, stored, here: new Deferred() }
    if (this.#here(wait)) return
    if (this.#failed) throw this.#failed
    this.#waits.add(wait)
    await wait.here.promise
  }

  /** Whether somebody waits to read this piece. */
  waits(index: number): boolean {
    for (const { from, to, stored } of this.#waits) if (!stored && index >= from && index < to) return true
    return false
  }

  /** How far bytes can be read from at on, looking no further than end. */
  reach(at: number, end: number): number {
    let { from } = this.#pieces(at, end)
    while (from * this.#pieceLength < end && this.#fresh.has(from)) from++
    return Math.min(end, from * this.#pieceLength)
  }

  /** More is here. */
  check(): void {
    for (const wait of this.#waits) {
      if (!this.#here(wait)) continue
      this.#waits.delete(wait)
      wait.here.resolve()
    }
  }

  release(reader: string): void {
    this.#places.delete(reader)
    this.#reject((wait) => wait.reader === reader, new StarlingError('aborted', 'Reading was stopped.'))
  }

  /** Nothing more will come. */
  fail(error: StarlingError): void {
    this.#failed = error
    this.#places.clear()
    this.#reject(() => true, error)
  }

  #reject(which: (wait: Wait) => boolean, error: StarlingError): void {
    for (const wait of this.#waits) {
      if (!which(wait)) continue
      this.#waits.delete(wait)
      wait.here.reject(error)
    }
  }

  #pieces(start: number, end: number): Window {
    return { from: Math.floor(start / this.#pieceLength), to: Math.min(this.#had.size, Math.ceil(end / this.#pieceLength)) }
  }

  #here(wait: Wait): boolean {
    const here = wait.stored ? this.#had : this.#fresh
    while (wait.from < wait.to && here.has(wait.from)) wait.from++
    return wait.from >= wait.to
  }
}
