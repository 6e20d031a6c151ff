import type { Bytes } from '../bytes.ts'
import { clock } from '../clock.ts'
import type { Info } from '../torrent/metainfo.ts'

/**
 * Milliseconds in which a request brings so many bytes, or has failed: what it was asked for nobody else is, and it holds
 * memory that all torrents share.
 */
const patience = 20_000
const least = 16 << 10
const firstPause = 1_000
const longestPause = 5 * 60_000
/** Failures in a row after which little is hoped for. */
const manyFailures = 8
/** Most bytes to pass over at a server that has no ranges. */
const maxSkip = 32 << 20

export interface WebSeedOptions {
  /** http: or https:. */
  url: string
  info: Info
  fetch?: typeof fetch
  /** Told of all that comes. Resolves when more may come; undefined where it may at once. */
  room?: (bytes: number, signal: AbortSignal) => Promise<void> | undefined
}

/**
 * A web seed (BEP 19): an ordinary HTTP server that has the torrent's files. A run of pieces is one range request per
 * file that it touches, and pieces come out while the body still arrives.
 */
export class WebSeed {
  readonly url: string
  readonly #info: Info
  readonly #fetch: typeof fetch
  readonly #room: WebSeedOptions['room']
  #failed = false
  #failures = 0
  #retryAt = 0

  constructor({ url, info, fetch: by = (...args) => fetch(...args), room }: WebSeedOptions) {
    this.url = url
    this.#info = info
    this.#fetch = by
    this.#room = room
  }

  /** It has nothing of use: not to be asked again. */
  get failed(): boolean {
    return this.#failed
  }

  /** Nothing has come of it for long; it is still to be asked now and then, as a server comes back. */
  get failing(): boolean {
    return this.#failures >= manyFailures
  }

  /** The time, of clock, before which it is not to be asked. */
  get retryAt(): number {
    return this.#retryAt
  }

  /** What it has is of no use. */
  giveUp(): void {
    this.#failed = true
  }

  /**
   * Fetches pieces [first, first + count), each given to onpiece once it is whole; nobody has verified it, and its
   * buffer is the receiver's. Rejects when the server fails (see failed and retryAt) and when signal aborts; pieces
   * given until then are good. The caller sees to it that not too many run at once.
   */
  async fetchPieces(
    first: number, count: number, onpiece: (index: number, data: Bytes) => void, signal: AbortSignal,
  ): Promise<void> {
    if (this.#failed || clock() < this.#retryAt) throw new Error('resting')
    try {
      await this.#run(first, count, onpiece, signal)
      this.#failures = 0
    } catch (error) {
      if (!signal.aborted) {
        // Where there is no network, that says nothing about it.
        if (globalThis.navigator?.onLine !== false) this.#failures++
        const pause = Math.min(firstPause * 2 ** this.#failures, longestPause)
        this.#retryAt = clock() + Math.round(pause * (0.5 + Math.random() / 2))
      }
      throw error
    }
  }

  async #run(
    first: number, count: number, onpiece: (index: number, data: Bytes) => void, signal: AbortSignal,
  ): Promise<void> {
    const { pieceLength, length, files } = this.#info
    const end = Math.min((first + count) * pieceLength, length)
    let at = first * pieceLength
    let piece: Bytes | undefined

    /** The next bytes of the torrent; without data, zeros. */
    const take = (size: number, data?: Uint8Array): void => {
      for (let done = 0; done < size; ) {
        const index = Math.floor(at / pieceLength)
        const from = at - index * pieceLength
        piece ??= new Uint8Array(Math.min(pieceLength, length - index * pieceLength))
        const some = Math.min(size - done, piece.length - from)
        if (data) piece.set(data.subarray(done, done + some), from)
        at += some
        done += some
        if (from + some < piece.length) return
        const whole = piece
        piece = undefined
        onpiece(index, whole)
      }
    }

    for (const { offset, size, url } of files) {
      if (offset + size <= at || !size) continue
      if (offset >= end) break
      // Bytes of no file are padding.
      if (offset > at) take(offset - at)
      const till = Math.min(end, offset + size)
      await this.#request(this.#urlOf(url), at - offset, till - offset, size, take, signal)
    }
    if (at < end) take(end - at)
  }

  #urlOf(path: string): string {
    const { url } = this
    if (!path.includes('/')) return url.endsWith('/') ? url + path : url
    return `${url}${url.endsWith('/') ? '' : '/'}${path}`
  }

  /** Bytes [start, end) of a file of that size, as they come. */
  async #request(
    url: string, start: number, end: number, size: number,
    take: (size: number, data: Uint8Array) => void, signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted()
    const stop = new AbortController()
    let timer: ReturnType<typeof setTimeout>
    let some = 0
    const heard = (bytes: number): void => {
      if ((some += bytes) < least) return
      some = 0
      clearTimeout(timer)
      timer = setTimeout(() => stop.abort(new Error('silent')), patience)
    }
    heard(least)
    const leave = (): void => stop.abort(signal.reason)
    signal.addEventListener('abort', leave)
    try {
      const response = await this.#fetch(url, {
        headers: { range: `bytes=${start}-${end - 1}` },
        signal: stop.signal,
        cache: 'no-store', credentials: 'omit', referrerPolicy: 'no-referrer',
      })
      const { status, body } = response
      // The header may be hidden from other origins.
      const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '') ?? []
      const other = status === 206 && from && (Number(from) !== start || (total !== '*' && Number(total) !== size))
      // 200 is the whole file: what comes before start is of no use.
      let skip = status === 200 ? start : 0
      if (other || (status > 399 && status < 429) || skip > maxSkip) this.giveUp()
      if (this.#failed || (status !== 200 && status !== 206) || !body) throw new Error(`status ${status}`)

      const reader = body.getReader()
      for (let left = end - start; left > 0; ) {
        const { done, value } = await reader.read()
        if (done) throw new Error('too little')
        heard(value.length)
        const data = value.subarray(skip).subarray(0, left)
        skip = Math.max(0, skip - value.length)
        left -= data.length
        take(data.length, data)
        const room = this.#room?.(value.length, signal)
        if (!room) continue
        clearTimeout(timer!)
        await room
        heard(least)
      }
    } finally {
      clearTimeout(timer!)
      signal.removeEventListener('abort', leave)
      stop.abort()
    }
  }
}
