/**
 * Rows of parcels, and copies of what was sent:
 *
 *   parcels  rows, small
 *   copies   the files themselves, by the parcel's id: all in one blob, as thousands of them would take minutes
 */
import type { DBSchema } from 'idb'
import { Database } from '../ui/database.ts'
import type { Parcel } from './parcel.ts'

interface Copy {
  whole: Blob
  /** In order. */
  files: { path: string; size: number; type: string; lastModified: number }[]
}

interface Schema extends DBSchema {
  parcels: { key: string; value: Parcel }
  copies: { key: string; value: Copy }
}

export class FilesDb {
  readonly #db: Database<Schema>

  constructor(name = 'files') {
    this.#db = new Database<Schema>(name, (db) => {
      db.createObjectStore('parcels', { keyPath: 'id' })
      db.createObjectStore('copies')
    })
  }

  parcels(): Promise<Parcel[]> {
    return this.#db.read((db) => db.getAll('parcels'))
  }

  add(parcel: Parcel): Promise<void> {
    return this.#db.write(['parcels'], (tx) => void tx.objectStore('parcels').put(parcel).catch(ignore))
  }

  /** What change makes of the row as it is now; undefined when there is none. */
  update(id: string, change: (parcel: Parcel) => Partial<Parcel>): Promise<Parcel | undefined> {
    return this.#db.write(['parcels'], async (tx) => {
      const store = tx.objectStore('parcels')
      const parcel = await store.get(id)
      const changed = parcel && { ...parcel, ...change(parcel), id }
      if (changed) void store.put(changed).catch(ignore)
      return changed
    })
  }

  delete(id: string): Promise<void> {
    return this.#db.write(['parcels', 'copies'], (tx) => {
      void tx.objectStore('parcels').delete(id).catch(ignore)
      void tx.objectStore('copies').delete(id).catch(ignore)
    })
  }

  /** Each is named by its path. */
  async copy(id: string): Promise<File[] | undefined> {
    const copy = await this.#db.read((db) => db.get('copies', id))
    let at = 0
    return copy?.files.map(({ path, size, ...facts }) => new File([copy.whole.slice(at, (at += size))], path, facts))
  }

  /** Copies them, and says so in the row: both or neither. Nothing where the row is gone. */
  keep(id: string, files: readonly File[]): Promise<void> {
    return this.#db.write(['parcels', 'copies'], async (tx) => {
      const parcel = await tx.objectStore('parcels').get(id)
      if (!parcel?.sent) return
      const kept = { ...parcel, sent: { ...parcel.sent, kept: true } }
      const facts = files.map(({ name: path, size, type, lastModified }) => ({ path, size, type, lastModified }))
      void tx.objectStore('copies').put({ whole: new Blob([...files]), files: facts }, id).catch(ignore)
      void tx.objectStore('parcels').put(kept).catch(ignore)
    })
  }

  close(): Promise<void> {
    return this.#db.close()
  }
}

/** A failed request fails its transaction, and that is where it is reported. */
const ignore = (): void => {}
