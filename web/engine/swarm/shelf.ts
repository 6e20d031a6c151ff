import type { Bytes } from '../bytes.ts'

interface Chunk {
  data?: Bytes
  /** Called when it is there, or could not be read. */
  waiting: Set<() => void>
}

/** What was read lately to be sent, of all torrents: those used longest ago make way. */
export class Shelf {
  readonly #limit: number
  #bytes = 0
  readonly #chunks = new Map<string, Chunk>()

  /** Bytes. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** The chunk of that name, or undefined: then it is loaded, and ready called once that is over. */
  get(name: string, load: () => Promise<Bytes>, ready?: () => void): Bytes | undefined {
    let chunk = this.#chunks.get(name)
    if (!chunk) {
      chunk = { waiting: new Set() }
      void this.#load(name, chunk, load)
    } else this.#chunks.delete(name)
    this.#chunks.set(name, chunk)
    if (!chunk.data && ready) chunk.waiting.add(ready)
    return chunk.data
  }

  async #load(name: string, chunk: Chunk, load: () => Promise<Bytes>): Promise<void> {
    try {
      chunk.data = await load()
      this.#bytes += chunk.data.length
    } catch {
      this.#chunks.delete(name)
    }
    const { waiting } = chunk
    chunk.waiting = new Set()
    for (const ready of waiting) ready()
    for (const [old, { data }] of this.#chunks) {
      if (this.#bytes <= this.#limit) break
      if (!data) continue
      this.#chunks.delete(old)
      this.#bytes -= data.length
    }
  }
}
