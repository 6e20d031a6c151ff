import { Database, type Table } from './database.ts'
import { failure } from './failure.ts'
import type { Entry, Registry } from './store.ts'

const name = 'starling'

/** The registry's records, keyed by infohash, and the chunks, keyed by [infohash, start]. */
export function openDatabase(): Database {
  return new Database(name, { torrents: { keyPath: 'infoHash' }, chunks: {} }, failure)
}

/** Whether the registry in there has the torrent. A database that was never used is not made for that: it takes time. */
export async function has(database: Database, infoHash: string): Promise<boolean> {
  const all = await indexedDB.databases?.()
  if (all && !all.some((one) => one.name === name)) return false
  return (await database.table('torrents').read((table) => table.count(infoHash))) > 0
}

type Record = Entry & { kind: string }

/**
 * Which pieces are there is true only of the kind of store that was in use then: where OPFS failed for once, the
 * pieces in it are not in IndexedDB. They count again when it is back, whatever was saved meanwhile.
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
    return this.#table.write((table) => {
      const record: Record = { ...entry, kind: this.#kind }
      try {
        table.put(record)
      } catch (error) {
        if (!record.cardKey) throw error
        // Some private windows keep no keys: what is shared stays known, and its card can be changed until a reload.
        delete record.cardKey
        table.put(record)
      }
    })
  }

  delete(infoHash: string): Promise<void> {
    return this.#table.write((table) => void table.delete(infoHash))
  }

  async list(): Promise<Entry[]> {
    return (await this.#table.read<Record[]>((table) => table.getAll())).map((record) => this.#entry(record)!)
  }

  /** The torrents it knows, by infohash. */
  hashes(): Promise<string[]> {
    return this.#table.read((table) => table.getAllKeys() as IDBRequest<string[]>)
  }

  #entry(record: Record | undefined): Entry | undefined {
    if (!record) return undefined
    const { kind, ...entry } = record
    if (kind === this.#kind) return entry
    const { pieces, elsewhere, ...rest } = entry
    return { ...rest, ...(elsewhere && { pieces: elsewhere }), ...(pieces && { elsewhere: pieces }) }
  }
}
