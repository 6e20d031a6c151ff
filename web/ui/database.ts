/** A section's own database: opened when it is first needed, and again when the browser closed it. */
import { openDB, type DBSchema, type IDBPDatabase, type IDBPTransaction, type StoreNames } from 'idb'

/** Safari's words for it where its storage process ended, or forgot what was under way: as a page comes to the front again, say. */
const lost = /Indexed Database server|without an in-progress transaction/

export class Database<Schema extends DBSchema> {
  readonly #open: () => Promise<IDBPDatabase<Schema>>
  #db: Promise<IDBPDatabase<Schema>> | undefined
  #holding = 0
  /** A newer version waits for it. */
  #leaving: (() => void) | undefined

  /** Every call rejects where the browser gives the page no storage, or a newer version of the app has changed it. */
  constructor(name: string, upgrade: (db: IDBPDatabase<Schema>) => void) {
    this.#open = () => openDB<Schema>(name, 1, { upgrade, blocking: (_, next, { target }) => this.#leave(next, target as IDBDatabase) })
  }

  async close(): Promise<void> {
    const db = this.#db
    this.#db = undefined
    await db?.then((db) => db.close(), () => {})
  }

  /** A newer version of the app in another tab gets the database when the returned function was called. */
  hold(): () => void {
    this.#holding++
    return () => {
      if (!--this.#holding) this.#leaving?.()
    }
  }

  /**
   * What work makes of the tables, on disk ("strict") when it resolves. Work is done once more where the browser closed
   * the database meanwhile: after clearing the site's data, say, or as its own storage process ended.
   */
  write<Names extends StoreNames<Schema>[], T>(
    tables: Names, work: (tx: IDBPTransaction<Schema, Names, 'readwrite'>) => T | Promise<T>,
  ): Promise<T> {
    return this.#run(async (db) => {
      const tx = db.transaction(tables, 'readwrite', { durability: 'strict' })
      // A request's error ends done before the transaction has it.
      const aborted = new Promise<unknown>((resolve) => tx.addEventListener('abort', () => resolve(tx.error)))
      const done = tx.done.catch(async (error: unknown) => {
        throw (await aborted) ?? error
      })
      done.catch(() => {})
      const result = await work(tx)
      await done
      return result
    })
  }

  read<T>(work: (db: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    return this.#run(work)
  }

  async #run<T>(work: (db: IDBPDatabase<Schema>) => Promise<T>): Promise<T> {
    for (let again = true; ; again = false) {
      const opening = (this.#db ??= this.#open())
      try {
        return await work(await opening)
      } catch (error) {
        const { name, message } = error as Error
        const closed = /^(InvalidState|Abort)Error$/.test(name) || lost.test(message)
        if (!closed && (await opening.catch(() => undefined))) throw error
        if (this.#db === opening) this.#db = undefined
        if (!closed || !again) throw error
      }
    }
  }

  #leave(next: number | null, db: IDBDatabase): void {
    this.#leaving = () => {
      this.#leaving = this.#db = undefined
      db.close()
    }
    // Whoever deletes it need not wait.
    if (!next || !this.#holding) this.#leaving()
  }
}
