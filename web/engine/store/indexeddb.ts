import { ChunkStore } from './chunks.ts'
import type { Table } from './database.ts'
import { full } from './failure.ts'
import { DatabaseRegistry, openDatabase } from './registry.ts'
import type { Stores } from './store.ts'

/** Milliseconds after which whoever writes to a torrent has saved it. */
const respite = 60_000

/** Where there is no OPFS. Fails where IndexedDB, or Blobs in it, do not work. */
export async function indexedDBStores(database = openDatabase()): Promise<Stores> {
  const chunks = database.table('chunks')
  const registry = new DatabaseRegistry(database.table('torrents'), 'indexeddb')
  /** Opened here; a torrent may not be saved yet. */
  const used = new Set<string>()
  let resting: ReturnType<typeof setTimeout> | undefined

  /** Torrents of which there are bytes, though nobody knows them. */
  const lost = async (): Promise<string[]> => {
    const known = new Set([...used, ...(await registry.hashes())])
    const found: string[] = []
    for (let last = ''; ; found.push(last)) {
      const [key] = await chunks.read((table) => table.getAllKeys(IDBKeyRange.lowerBound([last, Infinity]), 1))
      if (!key) return found.filter((infoHash) => !known.has(infoHash))
      last = (key as [string, number])[0]
    }
  }

  const stores: Stores = {
    kind: 'indexeddb',
    registry,
    async open(infoHash, length) {
      used.add(infoHash)
      return chunkStore(chunks, infoHash, length)
    },
    destroy: (infoHash) => chunks.write((table) => void table.delete(range(infoHash))),
    async tidy() {
      const before = new Set(await lost())
      await new Promise((resolve) => (resting = setTimeout(resolve, respite)))
      for (const infoHash of await lost()) if (before.has(infoHash)) await stores.destroy(infoHash)
    },
    async close() {
      clearTimeout(resting)
      await database.close()
    },
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
