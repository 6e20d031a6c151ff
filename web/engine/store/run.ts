import type { Bytes } from '../bytes.ts'

/**
 * A stretch of a Blob that is read from front to back: that costs the browser a third of reading as many slices, each of
 * which has a pipe made for it. Calls may overlap.
 */
export class Run {
  /** A stream that only its own promises know of may be collected with them, and then nobody hears of it again. */
  static readonly #reading = new Set<Run>()

  readonly #reader: ReadableStreamBYOBReader
  readonly #end: number
  #at: number
  #last: Promise<unknown> = Promise.resolve()

  /** Throws where the browser cannot read so. */
  constructor(blob: Blob, start: number, end: number) {
    this.#reader = blob.slice(start, end).stream().getReader({ mode: 'byob' })
    this.#at = start
    this.#end = end
  }

  /** Whether these are the next bytes of it. */
  fits(start: number, end: number): boolean {
    return start === this.#at && end <= this.#end
  }

  /** The bytes up to end, which must fit. Rejects where the Blob does not have them, or no longer. */
  read(end: number): Promise<Bytes> {
    const length = end - this.#at
    this.#at = end
    const data = this.#last.then(() => this.#fill(length))
    this.#last = data
    return data
  }

  /** Lets go of the Blob once what was asked for is read. */
  close(): void {
    const end = (): Promise<void> => this.#reader.cancel()
    this.#last.then(end, end).catch(() => undefined)
  }

  async #fill(length: number): Promise<Bytes> {
    Run.#reading.add(this)
    try {
      let data = new Uint8Array(length)
      for (let filled = 0; filled < length; ) {
        const { done, value } = await this.#reader.read(data.subarray(filled))
        if (done) throw new Error('the Blob is shorter than it was')
        filled += value.length
        data = new Uint8Array(value.buffer)
      }
      return data
    } finally {
      Run.#reading.delete(this)
    }
  }
}
