import { ChunkStore } from './chunks.ts'
import type { Table } from './database.ts'
import { full } from './failure.ts'
import { DatabaseRegistry, openDatabase } from './registry.ts'
import type { Stores } from './store.ts'

/** Where there is no OPFS. Fails where IndexedDB, or Blobs in it, do not work. */
export async function indexedDBStores(database = openDatabase()): Promise<Stores> {
  const chunks = database.table('chunks')
  const stores: Stores = {
    kind: 'indexeddb',
    registry: new DatabaseRegistry(database.table('torrents'), 'indexeddb'),
    open: async (infoHash, length) => chunkStore(chunks, infoHash, length),
    destroy: (infoHash) => chunks.write((table) => void table.delete(range(infoHash))),
    close: () => database.close(),
  }
  await probe(stores)
  return stores
}

async function probe(stores: Stores): Promise<void> {
  const name = `probe-${crypto.randomUUID()}`
  const store = await stores.open(name, 1)
  try {
    await store.write(0, Uint8Array.of(42))
    if ((await store.read(0, 1))[0] !== 42) throw new Error('what was written is not there')
  } catch (error) {
    // Full, and so it works: what is there already can be read.
    if (((error as Error).cause as Error | undefined)?.name !== full) throw error
  } finally {
    await stores.destroy(name)
  }
}

function chunkStore(chunks: Table, infoHash: string, length: number): ChunkStore {
  return new ChunkStore(
    {
      put: ({ start, data }) => chunks.write((table) => void table.put(data, [infoHash, start])),
      async before(start) {
        const cursor = await chunks.read((table) => table.openCursor(range(infoHash, start), 'prev'))
        return cursor ? { start: (cursor.key as [string, number])[1], data: cursor.value as Blob } : undefined
      },
      async all() {
        const keys = await chunks.read((table) => table.getAllKeys(range(infoHash)))
        const blobs = await chunks.read((table) => table.getAll(range(infoHash)))
        return (keys as [string, number][]).map(([, start], i) => ({ start, data: blobs[i] as Blob }))
      },
    },
    length,
  )
}

function range(infoHash: string, last = Infinity): IDBKeyRange {
  return IDBKeyRange.bound([infoHash, 0], [infoHash, last])
}
