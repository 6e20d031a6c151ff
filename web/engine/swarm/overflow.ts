import type { Bytes } from '../bytes.ts'
import { failure, full, type Refused } from '../store/failure.ts'
import type { Store } from '../store/store.ts'
import type { Info } from '../torrent/metainfo.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { Fresh } from './fresh.ts'

/** Bytes that the torrents of one node may have in memory. */
const most = 32 << 20
/** How many they have, by node. */
const used = new WeakMap<object, number>()

/**
 * A torrent's store on a device that may be full. Pieces that find no room stay in memory, up to a bound, so that what is
 * looked at goes on; every flush puts them down where room was made. The piece that would make the torrent whole is refused
 * while any are left: what is called done is on disk.
 */
export class Overflow implements Store {
  /** Pieces that the last flush left in memory. */
  unkept: readonly number[] = []
  readonly #store: Store
  readonly #pieceLength: number
  readonly #node: object
  readonly #lacking: () => number
  /** Pieces that were not written yet, once the first one is. */
  #left: number | undefined
  readonly #memory: Fresh
  /** Lengths of what is in memory, by piece. */
  readonly #held = new Map<number, number>()
  #putting: Promise<void> = Promise.resolve()
  #closed = false

  /** lacking: how many pieces are to be written, before the first is. */
  constructor(store: Store, { pieceLength }: Info, node: object, lacking: () => number) {
    this.#store = store
    this.#pieceLength = pieceLength
    this.#node = node
    this.#lacking = lacking
    this.#memory = new Fresh(pieceLength, new Bitfield(0), (start, end) => store.read(start, end))
  }

  read(start: number, end: number): Promise<Bytes> {
    return this.#memory.read(start, end)
  }

  /** A piece, once. */
  async write(start: number, data: Bytes): Promise<Bytes | void> {
    this.#left ??= this.#lacking()
    const index = start / this.#pieceLength
    let spare: Bytes | void = undefined
    let error: Refused | undefined
    try {
      spare = await this.#store.write(start, data)
    } catch (cause) {
      error = cause as Refused
      data = error.data ?? data
      if (error.code !== 'no-space' || !data.length || !this.#hold(index, data)) throw refuse(error, index, data)
    }
    if (this.#left === 1) await this.#put()
    if (this.#left === 1 && this.#held.size) throw refuse(error ?? failure({ name: full }), index, spare ?? data)
    this.#left--
    return spare
  }

  get flush(): (() => Promise<void>) | undefined {
    return this.#held.size || this.unkept.length ? () => this.#flush() : this.#store.flush && (() => this.#store.flush!())
  }

  async blob(): Promise<Blob | undefined> {
    return this.#held.size ? undefined : this.#store.blob?.()
  }

  close(): Promise<void> {
    this.#closed = true
    for (const index of this.#held.keys()) this.#drop(index)
    return this.#store.close()
  }

  async #flush(): Promise<void> {
    await this.#put()
    this.unkept = [...this.#held.keys()]
    await this.#store.flush?.()
  }

  #hold(index: number, data: Bytes): boolean {
    const bytes = (used.get(this.#node) ?? 0) + data.length
    if (bytes > most || this.#closed) return false
    used.set(this.#node, bytes)
    this.#held.set(index, data.length)
    this.#memory.put(index, data)
    return true
  }

  #drop(index: number): void {
    used.set(this.#node, used.get(this.#node)! - this.#held.get(index)!)
    this.#held.delete(index)
    this.#memory.drop(index)
  }

  /** To disk, as much as there is room for now. */
  #put(): Promise<void> {
    this.#putting = this.#putting.then(async () => {
      try {
        for (const [index, length] of this.#held) {
          const start = index * this.#pieceLength
          await this.#store.write(start, await this.#memory.read(start, start + length))
          if (this.#held.has(index)) this.#drop(index)
        }
      } catch {
        // There is none yet.
      }
    })
    return this.#putting
  }
}

/** The piece goes with it: who waits for it can read it all the same. */
function refuse(error: Refused, index: number, data: Bytes): Refused {
  if (data.length) error.piece = { index, data }
  return error
}
