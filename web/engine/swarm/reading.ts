import type { Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import type { Refused } from '../store/failure.ts'
import type { Store } from '../store/store.ts'
import type { Info } from '../torrent/metainfo.ts'
import type { Bitfield } from '../wire/bitfield.ts'
import { opened, readable, type Content, type ContentFile } from './content.ts'
import { Fresh } from './fresh.ts'
import { opening } from './lazy.ts'
import type { Window } from './picker.ts'
import { Readers } from './readers.ts'

/** Longest answer to a page's read. */
const longest = 1 << 20
/** The torrent's own readers begin with this: of a private one's header, and of whole files. */
const own = '\0'

export interface ReadingOptions {
  info: Info
  had: Bitfield
  store(): Promise<Pick<Store, 'read'>>
  /** What is to be fetched first has changed. */
  aim(): void
  /** What was here cannot be read any more. */
  failed(error: unknown): void
}

/** What pages read of a torrent: its files, by way of readers that wait for what is not here and have it fetched first. */
export class Reading {
  /** Set once name and files are known; only the header is read before. */
  content: Content | undefined
  readonly #options: ReadingOptions
  readonly #fresh: Fresh
  readonly #readers: Readers
  /** Nothing more comes. */
  #failed = false
  /** The piece that there was no room for. */
  #refused: number | undefined

  constructor(options: ReadingOptions) {
    this.#options = options
    const { info, had, store } = options
    this.#fresh = new Fresh(info.pieceLength, had, async (start, end) => (await store()).read(start, end))
    this.#readers = new Readers(info.pieceLength, had, this.#fresh)
  }

  /** Somebody waits for data. */
  get any(): boolean {
    return this.#readers.any
  }

  get windows(): Window[] {
    return this.#readers.windows
  }

  /** Verified bytes of the torrent that are here. */
  bytes(start: number, end: number): Promise<Bytes> {
    return this.#fresh.read(start, end)
  }

  /** As Engine.read. */
  async read(file: number, start: number, end: number, reader: string): Promise<Bytes> {
    const { offset, size } = this.#file(file)
    const from = offset + Math.max(0, start)
    const to = Math.min(offset + size, offset + end, from + longest)
    if (!(from < to)) return new Uint8Array()
    const [first, needed] = this.covering(from, from + 1)
    const last = this.covering(from, to)[1]
    this.#place(reader, first, this.covering(from, offset + size)[1])
    await this.#readers.wait(reader, first, needed)
    const limit = this.#options.had.full ? Infinity : this.#readers.reach(first, last)
    return this.#take(from, readable(this.content!, from, to, limit))
  }

  /** A whole file, once all of it is in the store. urgent: nothing else has it fetched. */
  async blob(file: number, urgent: boolean): Promise<Blob> {
    const { offset, size, type } = this.#file(file)
    const [first, last] = this.covering(offset, offset + size)
    if (size) {
      const reader = `${own}${file}`
      if (urgent) this.#place(reader, first, last, Infinity)
      // Of what failed some may be in memory only.
      await this.#readers.wait(reader, first, last, !this.#failed)
      this.release(reader)
    }
    // In Chromium a Blob of a file that is written to later cannot be read any more.
    const whole = this.#options.had.full ? await this.content!.blob?.().catch(() => undefined) : undefined
    if (whole) return whole.slice(offset, offset + size, type)
    const parts: Blob[] = []
    for (let at = offset; at < offset + size; at += longest) {
      parts.push(new Blob([await this.#take(at, Math.min(offset + size, at + longest))]))
    }
    return new Blob(parts, { type })
  }

  /** What is in a private torrent: its header is fetched first. Throws as Opened.open does. */
  async open(key: Bytes): Promise<Content> {
    try {
      const { Opened } = await opening()
      const seal = await Opened.open(key, this.#options.info.length, async (start, end) => {
        if (!this.content) this.#place(own, start, end)
        await this.#readers.wait(own, start, end)
        return this.bytes(start, end)
      })
      return opened(seal)
    } finally {
      this.release(own)
    }
  }

  release(reader: string): void {
    this.#readers.release(reader)
    this.#options.aim()
  }

  /** A piece was verified. With keep, or where somebody waits for it, it can be read before it is in the store. */
  verified(index: number, data: Bytes, keep: boolean): void {
    if (!keep && !this.#readers.waits(index)) return
    this.#fresh.put(index, data)
    this.#readers.check()
  }

  /** It is in the store, or will never be. */
  stored(index: number): void {
    if (index !== this.#refused) this.#fresh.drop(index)
  }

  /** More is in the store. */
  check(): void {
    this.#readers.check()
  }

  fail(error: StarlingError): void {
    const { piece } = error as Refused
    this.#failed = true
    this.#refused = piece?.index
    if (piece) this.verified(piece.index, piece.data, true)
    this.#readers.fail(error)
  }

  /** Bytes of the torrent that bytes of its files lie in, none beyond its end. */
  covering(start: number, end: number): [number, number] {
    const [first, last] = this.content!.covering(start, end)
    return [first, Math.min(last, this.#options.info.length)]
  }

  #place(reader: string, at: number, end: number, stretch?: number): void {
    this.#readers.place(reader, at, end, stretch)
    this.#options.aim()
  }

  #file(file: number): ContentFile {
    const found = this.content!.files[file]
    if (!found) throw new StarlingError('bad-torrent', 'There is no such file in this torrent.')
    return found
  }

  /** What cannot be read any more is not promised any longer. */
  async #take(from: number, to: number): Promise<Bytes> {
    try {
      return await this.content!.read(from, to)
    } catch (error) {
      this.#options.failed(error)
      throw error
    }
  }
}
