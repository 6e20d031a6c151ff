import type { Bytes } from '../bytes.ts'
import { failure } from './failure.ts'
import type { Store } from './store.ts'

export interface Chunk {
  start: number
  data: Blob
}

/** One torrent's chunks, each as it was written: a piece. */
export interface Chunks {
  put(chunk: Chunk): Promise<void>
  /** The last chunk that starts at or before this byte. */
  before(start: number): Promise<Chunk | undefined>
  all(): Promise<Chunk[]>
}

/** A store of which every write is kept as a Blob, which browsers keep outside the page's memory. */
export class ChunkStore implements Store {
  readonly #length: number
  readonly #chunks: Chunks
  /** Where the last read was: blocks are read one after another. */
  #last: Chunk | undefined

  constructor(chunks: Chunks, length: number) {
    this.#chunks = chunks
    this.#length = length
  }

  async read(start: number, end: number): Promise<Bytes> {
    try {
      const parts: Blob[] = []
      for (let at = start; at < end; ) {
        const chunk = covers(this.#last, at) ? this.#last : await this.#chunks.before(at)
        if (!covers(chunk, at)) throw new Error('bytes are missing')
        this.#last = chunk
        const part = chunk.data.slice(at - chunk.start, end - chunk.start)
        parts.push(part)
        at += part.size
      }
      return new Uint8Array(await new Blob(parts).arrayBuffer())
    } catch (error) {
      throw failure(error)
    }
  }

  async write(start: number, data: Bytes): Promise<void> {
    this.#last = undefined
    try {
      await this.#chunks.put({ start, data: new Blob([data]) })
    } catch (error) {
      throw failure(error)
    }
  }

  async blob(): Promise<Blob | undefined> {
    const chunks = (await this.#chunks.all()).sort((a, b) => a.start - b.start)
    let at = 0
    for (const { start, data } of chunks) if (start === at) at += data.size
    return at === this.#length ? new Blob(chunks.map(({ data }) => data)) : undefined
  }

  async close(): Promise<void> {
    this.#last = undefined
  }
}

function covers(chunk: Chunk | undefined, at: number): chunk is Chunk {
  return !!chunk && chunk.start <= at && at < chunk.start + chunk.data.size
}
