import { ChunkStore, type Chunk } from './chunks.ts'
import type { Entry, Registry, Stores } from './store.ts'

/** The last resort: gone with the tab. */
export function memoryStores(): Stores {
  const torrents = new Map<string, Map<number, Chunk>>()
  return {
    kind: 'memory',
    registry: new MemoryRegistry(),
    async open(infoHash, length) {
      const chunks = torrents.get(infoHash) ?? new Map<number, Chunk>()
      torrents.set(infoHash, chunks)
      return new ChunkStore(
        {
          put: async (chunk) => void chunks.set(chunk.start, chunk),
          async before(start) {
            let found: Chunk | undefined
            for (const chunk of chunks.values()) {
              if (chunk.start <= start && chunk.start >= (found?.start ?? 0)) found = chunk
            }
            return found
          },
          all: async () => [...chunks.values()],
        },
        length,
      )
    },
    async destroy(infoHash) {
      torrents.get(infoHash)?.clear()
      torrents.delete(infoHash)
    },
    close: async () => torrents.clear(),
  }
}

class MemoryRegistry implements Registry {
  readonly #entries = new Map<string, Entry>()

  async get(infoHash: string): Promise<Entry | undefined> {
    return structuredClone(this.#entries.get(infoHash))
  }

  async put(entry: Entry): Promise<void> {
    this.#entries.set(entry.infoHash, structuredClone(entry))
  }

  async delete(infoHash: string): Promise<void> {
    this.#entries.delete(infoHash)
  }

  async list(): Promise<Entry[]> {
    return structuredClone([...this.#entries.values()])
  }
}
