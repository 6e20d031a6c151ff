/**
 * Rows of parcels, and copies of what was sent:
 *
 *   parcels  rows, small
 *   copies   the files themselves, by the parcel's id: all in one blob, as thousands of them would take minutes
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
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
  readonly #db: Promise<IDBPDatabase<Schema>>

  /** Every call rejects where the browser gives the page no storage. */
  constructor(name = 'files') {
    this.#db = openDB<Schema>(name, 1, {
      upgrade(db) {
        db.createObjectStore('parcels', { keyPath: 'id' })
        db.createObjectStore('copies')
      },
      // A newer version of the app in another tab must not wait for this one.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    })
    this.#db.catch(() => {})
  }

  async parcels(): Promise<Parcel[]> {
    return (await this.#db).getAll('parcels')
  }

  async add(parcel: Parcel): Promise<void> {
    await (await this.#db).put('parcels', parcel)
  }

  /** What change makes of the row as it is now; undefined when there is none. */
  async update(id: string, change: (parcel: Parcel) => Partial<Parcel>): Promise<Parcel | undefined> {
    const tx = (await this.#db).transaction('parcels', 'readwrite')
    const parcel = await tx.store.get(id)
    const changed = parcel && { ...parcel, ...change(parcel), id }
    if (changed) void tx.store.put(changed).catch(() => {})
    await tx.done
    return changed
  }

  async delete(id: string): Promise<void> {
    const tx = (await this.#db).transaction(['parcels', 'copies'], 'readwrite')
    await Promise.all([tx.objectStore('parcels').delete(id), tx.objectStore('copies').delete(id), tx.done])
  }

  /** Each is named by its path. */
  async copy(id: string): Promise<File[] | undefined> {
    const copy = await (await this.#db).get('copies', id)
    let at = 0
    return copy?.files.map(({ path, size, ...facts }) => new File([copy.whole.slice(at, (at += size))], path, facts))
  }

  /** Copies them, and says so in the row: both or neither. Nothing where the row is gone. */
  async keep(id: string, files: readonly File[]): Promise<void> {
    const tx = (await this.#db).transaction(['parcels', 'copies'], 'readwrite')
    const parcel = await tx.objectStore('parcels').get(id)
    if (parcel?.sent) {
      const kept = { ...parcel, sent: { ...parcel.sent, kept: true } }
      const facts = files.map(({ name: path, size, type, lastModified }) => ({ path, size, type, lastModified }))
      void tx.objectStore('copies').put({ whole: new Blob([...files]), files: facts }, id).catch(() => {})
      void tx.objectStore('parcels').put(kept).catch(() => {})
    }
    await tx.done
  }

  async close(): Promise<void> {
    ;(await this.#db).close()
  }
}
