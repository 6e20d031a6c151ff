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
 */
import { opfsStores } from './opfs.ts'
import type { Stores } from './store.ts'

/** The best there is. What a browser has is found out by using it: pages cannot tell in any other way. */
export async function openStores(mode: 'auto' | 'memory'): Promise<Stores> {
  const auto = mode === 'auto'
  if (auto) {
    try {
      return await opfsStores()
    } catch {
      // Then the next.
    }
  }
  const { indexedDBStores, memoryStores } = await import('./fallback.ts')
  return auto ? indexedDBStores().catch(memoryStores) : memoryStores()
}
