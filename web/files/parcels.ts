/** The parcels of this browser, as every tab sees them: what one tab changes, the others show at once. */
import { Emitter } from '../engine/emitter.ts'
import { Deletions } from '../ui/undo.ts'
import type { FilesDb } from './db.ts'
import { torrentsOf, type Parcel } from './parcel.ts'

export interface ParcelsEvents {
  change: void
  /** This one is about to be deleted for good, here; and was. */
  purging: Parcel
  purged: Parcel
  /** This one was deleted, and is back. */
  restored: Parcel
}

/** Tells index.ts at once that there is something to go on with. */
export const mark = 'files'

export class Parcels extends Emitter<ParcelsEvents> {
  /** Newest first, without the deleted. */
  all: readonly Parcel[] = []
  /** False until all has been read once. */
  loaded = false
  readonly db: FilesDb
  readonly #others: BroadcastChannel | undefined
  readonly #deletions = new Deletions()
  #reads = 0

  constructor(db: FilesDb, others?: BroadcastChannel) {
    super()
    this.db = db
    this.#others = others
    if (others) others.onmessage = () => void this.reload().catch(reportError)
  }

  async reload(): Promise<void> {
    const read = ++this.#reads
    const all = await this.db.parcels()
    if (read !== this.#reads) return
    this.all = all.filter((parcel) => !this.#deletions.has(parcel)).sort((a, b) => b.added - a.added)
    this.loaded = true
    this.emit('change', undefined)
  }

  get(id: string): Parcel | undefined {
    return this.all.find((parcel) => parcel.id === id)
  }

  /** Deleted ones included. */
  list(): Promise<Parcel[]> {
    return this.db.parcels()
  }

  /** Those that others sent under this infohash, or that were sent from here; deleted ones included. */
  async of(infoHash: string): Promise<Parcel[]> {
    return (await this.list()).filter((parcel) => torrentsOf(parcel).includes(infoHash))
  }

  async add(parcel: Parcel): Promise<void> {
    await this.db.add(parcel)
    await this.changed()
  }

  async update(id: string, change: (parcel: Parcel) => Partial<Parcel>): Promise<Parcel | undefined> {
    const parcel = await this.db.update(id, change)
    await this.changed()
    return parcel
  }

  /** Out of sight, but not gone: see restore and purge. */
  async remove(id: string): Promise<void> {
    await this.#deletions.add(id, this.db.update(id, () => ({ deleted: Date.now() })))
    await this.changed()
  }

  async restore(ids: readonly string[]): Promise<void> {
    for (const id of ids) if (!this.#deletions.forget(id)) await this.db.update(id, () => ({ deleted: undefined }))
    await this.changed()
    for (const parcel of this.all.filter(({ id }) => ids.includes(id))) this.emit('restored', parcel)
  }

  /** Deletes for good: the one given, or what was deleted long enough ago that no tab offers Undo for it any more. */
  async purge(id?: string, now = Date.now()): Promise<void> {
    const over = await this.#deletions.over(now)
    for (const parcel of await this.db.parcels()) {
      if (id ? !this.#deletions.has(parcel) || parcel.id !== id : !over(parcel)) continue
      this.emit('purging', parcel)
      await this.db.delete(parcel.id)
      // The other tabs still show it.
      if (this.#deletions.forget(parcel.id)) this.#others?.postMessage('changed')
      this.emit('purged', parcel)
    }
  }

  /** Takes away a row that should not have been; what belongs to it stays. */
  async discard(id: string): Promise<void> {
    await this.db.delete(id)
    await this.changed()
  }

  /** Reads again, and has the other tabs do so. */
  async changed(): Promise<void> {
    this.#others?.postMessage('changed')
    await this.reload()
  }

  close(): void {
    this.#others?.close()
  }
}
