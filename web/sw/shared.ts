/**
 * What other apps handed over, until the user says whether it is to be sent: written by the service worker
 * (share-target.ts), read by the section Files. A database of its own, as the service worker must not wait for sections'
 * versions of theirs. A row is gone when it was sent or turned down, or after a day.
 */
export interface Shared {
  /** 32 hex digits that nobody can guess. */
  id: string
  /** When it was shared: milliseconds since 1970. */
  at: number
  title: string
  /** Text and address, a line each. */
  text: string
  /** The files, one after another: as one blob, thousands are quickly written. */
  whole: Blob
  files: { name: string; size: number; type: string }[]
}

/** Milliseconds for which it waits. */
const patience = 86_400_000

export const add = (shared: Shared): Promise<unknown> => use('readwrite', (rows) => rows.put(shared))

export const drop = (id: string): Promise<unknown> => use('readwrite', (rows) => rows.delete(id))

export async function find(id: string, now = Date.now()): Promise<Shared | undefined> {
  const shared = await use<Shared | undefined>('readonly', (rows) => rows.get(id))
  return shared && fresh(shared, now) ? shared : undefined
}

/** All that wait, the newest first. */
export async function waiting(now = Date.now()): Promise<Shared[]> {
  const all = await use<Shared[]>('readonly', (rows) => rows.getAll())
  return all.filter((shared) => fresh(shared, now)).sort((a, b) => b.at - a.at)
}

/** Deletes what waited too long. */
export async function purge(now = Date.now()): Promise<void> {
  const all = await use<Shared[]>('readonly', (rows) => rows.getAll())
  for (const shared of all) if (!fresh(shared, now)) await drop(shared.id)
}

/** A clock that was set back does not keep a row for ever. */
const fresh = ({ at }: Shared, now: number): boolean => Math.abs(now - at) < patience

async function use<T>(mode: IDBTransactionMode, work: (rows: IDBObjectStore) => IDBRequest): Promise<T> {
  const opening = indexedDB.open('shared', 1)
  opening.onupgradeneeded = () => opening.result.createObjectStore('shared', { keyPath: 'id' })
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error!)
  })
  try {
    const tx = db.transaction('shared', mode, { durability: 'strict' })
    const request = work(tx.objectStore('shared'))
    await new Promise<void>((resolve, reject) => {
      tx.oncomplete = () => resolve()
      tx.onabort = () => reject(tx.error ?? new Error('the browser broke off what was being written'))
    })
    return request.result as T
  } finally {
    db.close()
  }
}
