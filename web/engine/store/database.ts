import { blocked, lost } from './failure.ts'

/** Milliseconds to wait for other tabs that hold a database of another version. */
const patience = 5000

type Work<T> = (table: IDBObjectStore) => IDBRequest<T> | void

/** IndexedDB: opened when first needed, and again when the browser or another tab closed it. */
export class Database {
  readonly #name: string
  readonly #tables: Record<string, IDBObjectStoreParameters>
  readonly failure: (cause: unknown) => unknown
  #db: Promise<IDBDatabase> | undefined

  /** tables: name to how its records are keyed. failure: what is thrown in place of the browser's errors. */
  constructor(name: string, tables: Record<string, IDBObjectStoreParameters>, failure = (cause: unknown): unknown => cause) {
    this.#name = name
    this.#tables = tables
    this.failure = failure
  }

  table(name: string): Table {
    return new Table(this, name)
  }

  /** A transaction's work, done when it is on disk; the result of the request that work returns. Done twice where the first was lost. */
  async run<T>(table: string, mode: IDBTransactionMode, work: Work<T>): Promise<T> {
    for (let again = true; ; again = false) {
      let transaction: IDBTransaction | undefined
      try {
        transaction = (await (this.#db ??= this.#open())).transaction(table, mode, { durability: 'strict' })
        const request = work(transaction.objectStore(table))
        return await new Promise<T>((resolve, reject) => {
          transaction!.oncomplete = () => resolve(request?.result as T)
          transaction!.onabort = () => reject(transaction!.error)
        })
      } catch (error) {
        if (!transaction || lost.test(String(error))) {
          this.#db = undefined
          if (again) continue
        }
        throw this.failure(error)
      }
    }
  }

  async close(): Promise<void> {
    const db = this.#db
    this.#db = undefined
    await db?.then((db) => db.close(), () => undefined)
  }

  #open(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = indexedDB.open(this.#name, 1)
      request.onupgradeneeded = () => {
        for (const [name, key] of Object.entries(this.#tables)) request.result.createObjectStore(name, key)
      }
      request.onblocked = () => {
        setTimeout(() => reject(new DOMException('', blocked)), patience)
      }
      request.onerror = () => reject(request.error)
      request.onsuccess = () => {
        const db = request.result
        db.onversionchange = () => db.close()
        resolve(db)
      }
    })
  }
}

interface Write {
  work: (table: IDBObjectStore) => void
  resolve: () => void
  reject: (error: unknown) => void
}

/** One object store. Calls may overlap, and fail with what the database's failure makes of the browser's errors. */
export class Table {
  readonly #database: Database
  readonly #name: string
  #writes: Write[] = []
  #writing = false

  constructor(database: Database, name: string) {
    this.#database = database
    this.#name = name
  }

  read<T>(work: (table: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    return this.#database.run(this.#name, 'readonly', work)
  }

  /** In order, and on disk when it resolves; those that come while others are under way share one transaction. */
  write(work: Write['work']): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#writes.push({ work, resolve, reject })
      if (!this.#writing) void this.#write()
    })
  }

  async #write(): Promise<void> {
    this.#writing = true
    while (this.#writes.length) {
      const writes = this.#writes
      this.#writes = []
      try {
        await this.#database.run(this.#name, 'readwrite', (table) => {
          for (const { work, reject } of writes) {
            try {
              work(table)
            } catch (error) {
              reject(this.#database.failure(error))
            }
          }
        })
        for (const { resolve } of writes) resolve()
      } catch (error) {
        for (const { reject } of writes) reject(error)
      }
    }
    this.#writing = false
  }
}
