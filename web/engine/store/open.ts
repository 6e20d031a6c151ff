/**
 * Where torrents are kept. The swarm writes a piece once its hash was right; now and then it flushes, and then puts into
 * the registry what is there: so the registry never promises what is not on disk, though flushing is dear.
 *
 *   swarm ── write, flush ─► Store ─► OPFS, through the worker starling-store.js   (opfs.ts ─ messages.ts ─► disk.ts)
 *     │                               else IndexedDB, a record per piece           (indexeddb.ts, chunks.ts)
 *     │                               else Blobs in memory                         (memory.ts)
 *     └──── put(entry) ────► Registry ─► IndexedDB, or memory
 *
 * What a page seeds is not copied: BlobSource (source.ts) is a Store that reads it where it lies.
 *
 * store.ts says what a Store is, and conformance.ts tests each kind. The registry is registry.ts, over database.ts:
 * IndexedDB. A full disk, and whatever else goes wrong, gets its words in failure.ts. worker.ts and fallback.ts are what
 * loads by itself.
 */
import { opfsStores } from './opfs.ts'
import { has, openDatabase } from './registry.ts'
import type { Stores } from './store.ts'

/** Opened when they are first needed, which takes longer than many a link. */
export interface Opening {
  /** The best there is. What a browser has is found out by using it: pages cannot tell in any other way. */
  stores(): Promise<Stores>
  /** Whether nothing is kept of that torrent, where that can be told without opening the stores. */
  unknown(infoHash: string): Promise<boolean>
  /** frozen: see Engine.destroy. */
  close(frozen?: boolean): Promise<void>
}

/** Milliseconds after which a page has time for what nobody waits for. */
const leisure = 60_000

/** Opens nothing yet. */
export function openStores(mode: 'auto' | 'memory'): Opening {
  const database = openDatabase()
  const auto = mode !== 'memory'
  let opened: Promise<Stores> | undefined
  let idle: ReturnType<typeof setTimeout> | undefined
  const open = async (): Promise<Stores> => {
    if (auto) {
      try {
        return await opfsStores(database)
      } catch {
        // Then the next.
      }
    }
    const { indexedDBStores, memoryStores } = await import('./fallback.ts')
    return auto ? indexedDBStores(database).catch(memoryStores) : memoryStores()
  }
  const tidyLater = (stores: Stores): Stores => {
    idle = setTimeout(() => void stores.tidy?.().catch(() => {}), leisure)
    return stores
  }
  return {
    stores: () => (opened ??= open().then(tidyLater)),
    unknown: async (infoHash) => auto && !opened && !(await has(database, infoHash).catch(() => true)),
    async close(frozen) {
      if (!opened) return database.close()
      const stores = await opened
      clearTimeout(idle)
      await stores.close(frozen)
    },
  }
}
