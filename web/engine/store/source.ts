import { concat, type Bytes } from '../bytes.ts'
import { StarlingError, unreadable } from '../errors.ts'
import type { Store } from './store.ts'

/** Reading a Blob takes about a millisecond whatever its length: so smaller reads take this many bytes at once. */
const chunk = 1 << 20
/** Chunks kept, of all sources together. */
const maxKept = 8
/** Whoever reads on gets it from as much, read at once at half the price; of so many sources together. */
const ahead = 4 << 20
const maxAhead = 4

interface Ahead {
  start: number
  end: number
  data: Promise<Bytes>
}

/** What is seeded, read where it lies. */
export class BlobSource implements Store {
  static readonly #kept = new Map<string, Promise<Bytes>>()
  static readonly #ahead = new Map<BlobSource, Ahead>()
  static #made = 0

  readonly #id = BlobSource.#made++
  readonly #whole: Blob
  /** Where the last read ended. */
  #end = -1

  /** The blobs' bytes, one after another. */
  constructor(blobs: readonly Blob[]) {
    this.#whole = new Blob([...blobs])
  }

  get length(): number {
    return this.#whole.size
  }

  async read(start: number, end: number): Promise<Bytes> {
    if (end - start >= chunk) return this.#load(start, end)
    const parts: Bytes[] = []
    for (let at = start; at < end; at += parts.at(-1)!.length) {
      const first = at - (at % chunk)
      // A copy, as a view would keep the whole chunk in memory.
      const part = (await this.#chunk(first)).slice(at - first, end - first)
      if (!part.length) throw unreadable()
      parts.push(part)
    }
    return parts.length === 1 ? parts[0]! : concat(parts)
  }

  async write(): Promise<never> {
    throw new StarlingError('storage', 'What is being seeded cannot be written to.')
  }

  async blob(): Promise<Blob> {
    return this.#whole
  }

  async close(): Promise<void> {
    for (const key of BlobSource.#kept.keys()) if (key.startsWith(`${this.#id}:`)) BlobSource.#kept.delete(key)
    BlobSource.#ahead.delete(this)
  }

  #chunk(start: number): Promise<Bytes> {
    const kept = BlobSource.#kept
    const key = `${this.#id}:${start}`
    const data = kept.get(key) ?? this.#load(start, Math.min(start + chunk, this.length))
    data.catch(() => kept.delete(key))
    kept.delete(key)
    kept.set(key, data)
    const [oldest] = kept.keys()
    if (oldest !== undefined && kept.size > maxKept) kept.delete(oldest)
    return data
  }

  async #load(start: number, end: number): Promise<Bytes> {
    const all = BlobSource.#ahead
    const follows = start === this.#end
    this.#end = end
    if (!follows) return this.#slice(start, end)
    let some = all.get(this)
    if (!some || start < some.start || end > some.end) {
      const stop = Math.max(end, Math.min(start + ahead, this.length))
      some = { start, end: stop, data: this.#slice(start, stop) }
    }
    all.delete(this)
    if (end < some.end) all.set(this, some)
    const [oldest] = all.keys()
    if (oldest && all.size > maxAhead) all.delete(oldest)
    try {
      const data = await some.data
      // A copy, as others are given the rest of it.
      return data.length === end - start ? data : data.slice(start - some.start, end - some.start)
    } catch (error) {
      all.delete(this)
      throw error
    }
  }

  async #slice(start: number, end: number): Promise<Bytes> {
    try {
      // Chromium asks another process for each slice, and waits for it.
      const part = start || end < this.length ? this.#whole.slice(start, end) : this.#whole
      const data = await part.arrayBuffer()
      if (data.byteLength === end - start) return new Uint8Array(data)
    } catch (cause) {
      throw unreadable(cause)
    }
    throw unreadable()
  }
}
