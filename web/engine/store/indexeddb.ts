import { ChunkStore } from './chunks.ts'
import { Database, type Table } from './database.ts'
import { full } from './failure.ts'
import type { Entry, Registry, Stores } from './store.ts'

/** The registry's records, keyed by infohash, and the chunks, keyed by [infohash, start]. */
export function openDatabase(): Database {
  return new Database('starling', { torrents: { keyPath: 'infoHash' }, chunks: {} })
}

/** Where there is no OPFS. Fails where IndexedDB, or Blobs in it, do not work. */
export async function indexedDBStores(): Promise<Stores> {
  const database = openDatabase()
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

/**
 * Which pieces are there is true only of the kind of store that was in use then: where OPFS failed for once, the
 * pieces in it are not in IndexedDB. They count again when it is back.
 */
export class DatabaseRegistry implements Registry {
  readonly #table: Table
  readonly #kind: string

  constructor(table: Table, kind: string) {
    this.#table = table
    this.#kind = kind
  }

  async get(infoHash: string): Promise<Entry | undefined> {
    return this.#entry(await this.#table.read((table) => table.get(infoHash)))
  }

  put(entry: Entry): Promise<void> {
    return this.#table.write((table) => void table.put({ ...entry, kind: this.#kind }))
  }

  delete(infoHash: string): Promise<void> {
    return this.#table.write((table) => void table.delete(infoHash))
  }

  async list(): Promise<Entry[]> {
    return (await this.#table.read<Record[]>((table) => table.getAll())).map((record) => this.#entry(record)!)
  }

  #entry(record: Record | undefined): Entry | undefined {
    if (!record) return undefined
    const { kind, ...entry } = record
    if (kind !== this.#kind && !entry.seeded) delete entry.pieces
    return entry
  }
}

type Record = Entry & { kind: string }
