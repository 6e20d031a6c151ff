/** The memos of this browser, as every tab sees them: what one tab changes, the others show at once. */
import { Emitter } from '../engine/emitter.ts'
import { Deletions } from '../ui/undo.ts'
import type { Chunk, MemoDb, Take } from './db.ts'
import type { Memo } from './memo.ts'
import { interruptedTakes, keepTake } from './take.ts'

export interface LibraryEvents {
  /** memos or interrupted changed. */
  change: void
  /** This memo is about to be deleted for good, here; and was. */
  purging: Memo
  purged: Memo
  /** This one was deleted, and is back. */
  restored: Memo
}

/** What the user writes about a memo. */
export interface Words {
  title?: string
  description?: string
}

export class Library extends Emitter<LibraryEvents> {
  /** Newest first, without the deleted. */
  memos: readonly Memo[] = []
  /** False until memos has been read once. */
  loaded = false
  /** Recordings that a crash cut off. */
  interrupted: readonly Take[] = []
  readonly #db: MemoDb
  readonly #others: BroadcastChannel | undefined
  readonly #deletions = new Deletions()
  /** By the memo's id. */
  readonly #unwritten = new Map<string, Words>()
  readonly #rewriting = new Map<string, Promise<Memo | undefined>>()
  /** Of memos. */
  #byId: ReadonlyMap<string, Memo> = new Map()
  #reads = 0
  #writes = 0

  constructor(db: MemoDb, others?: BroadcastChannel) {
    super()
    this.#db = db
    this.#others = others
    if (others) others.onmessage = () => void this.reload()
  }

  get db(): MemoDb {
    return this.#db
  }

  async reload(): Promise<void> {
    const read = ++this.#reads
    const writes = this.#writes
    const all = await this.#db.memos()
    if (read !== this.#reads) return
    // What was written meanwhile may be missing in what was read.
    if (writes !== this.#writes) return this.reload()
    this.loaded = true
    this.#show(all)
  }

  #show(memos: readonly Memo[]): void {
    const shown = memos.filter((memo) => !this.#deletions.has(memo))
    this.memos = shown.sort((a, b) => b.created - a.created || (a.id < b.id ? -1 : 1))
    this.#byId = new Map(shown.map((memo) => [memo.id, memo]))
    this.emit('change', undefined)
  }

  get(id: string): Memo | undefined {
    return this.#byId.get(id)
  }

  /** Deleted ones included. */
  list(): Promise<Memo[]> {
    return this.#db.memos()
  }

  /** Those that came from this torrent, deleted ones included. */
  async from(infoHash: string): Promise<Memo[]> {
    return (await this.list()).filter((memo) => memo.from?.infoHash === infoHash)
  }

  async add(memo: Memo): Promise<void> {
    await this.#db.add(memo)
    await this.#wrote(memo)
  }

  async update(id: string, change: Partial<Memo> | ((memo: Memo) => Partial<Memo>)): Promise<Memo | undefined> {
    const memo = await this.#db.update(id, typeof change === 'function' ? change : () => change)
    if (memo) await this.#wrote(memo)
    else await this.changed()
    return memo
  }

  /**
   * Resolves when these words, and those that came after them, are on disk. One write at a time, and each takes all that
   * was written meanwhile: people write faster than some disks.
   */
  rewrite(id: string, words: Words): Promise<Memo | undefined> {
    this.#unwritten.set(id, { ...this.#unwritten.get(id), ...words })
    const rewriting = this.#rewriting.get(id) ?? this.#rewrite(id)
    this.#rewriting.set(id, rewriting)
    return rewriting
  }

  /** Words that are not yet on disk. */
  unwritten(id: string): Words | undefined {
    return this.#unwritten.get(id)
  }

  /** The user's words would be lost if the page closed now. */
  get rewriting(): boolean {
    return this.#rewriting.size > 0
  }

  async #rewrite(id: string): Promise<Memo | undefined> {
    try {
      for (;;) {
        const words = this.#unwritten.get(id)
        const memo = await this.update(id, ({ from }) => ({ ...words, ...(from ? { edited: true } : {}) }))
        if (this.#unwritten.get(id) === words) return memo
      }
    } finally {
      this.#unwritten.delete(id)
      this.#rewriting.delete(id)
    }
  }

  /** All others stay as they are, and the same objects: with hundreds of them, reading and drawing all takes its time. */
  async #wrote(memo: Memo): Promise<void> {
    if (!this.loaded) return this.changed()
    this.#writes++
    this.#others?.postMessage('changed')
    this.#show([...this.memos.filter(({ id }) => id !== memo.id), memo])
  }

  /** Out of sight, but not gone: see restore and purge. */
  async remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) await this.#deletions.add(id, this.#db.update(id, () => ({ deleted: Date.now() })))
    await this.changed()
  }

  async restore(ids: readonly string[]): Promise<void> {
    const back = []
    for (const id of ids) {
      const noted = !this.#deletions.forget(id)
      back.push(await (noted ? this.#db.update(id, () => ({ deleted: undefined })) : this.#db.memo(id)))
    }
    await this.changed()
    for (const memo of back) if (memo) this.emit('restored', memo)
  }

  /** Deletes for good: those given, or what was deleted long enough ago that no tab offers Undo for it any more. */
  async purge(ids?: readonly string[], now = Date.now()): Promise<void> {
    const over = await this.#deletions.over(now)
    for (const memo of await this.#db.memos()) {
      if (ids ? !this.#deletions.has(memo) || !ids.includes(memo.id) : !over(memo)) continue
      this.emit('purging', memo)
      await this.#db.delete(memo.id)
      // The other tabs still show it.
      if (this.#deletions.forget(memo.id)) this.#others?.postMessage('changed')
      this.emit('purged', memo)
    }
  }

  /** Looks for recordings that were cut off; those without any sound are tidied away. */
  async findInterrupted(locks: LockManager | undefined): Promise<void> {
    const takes = []
    for (const take of await interruptedTakes(this.#db, locks)) {
      const [first] = await this.#db.chunks(take.id, 0, 1)
      if (first) takes.push(take)
      else await this.#db.endTake(take.id)
    }
    this.interrupted = takes
    this.emit('change', undefined)
  }

  /** The interrupted recording becomes a memo; a deleted one, for Undo, when it is discarded. */
  async recover(take: Take, discard = false): Promise<Memo | undefined> {
    const memo = await keepTake(this.#db, take, discard)
    this.interrupted = this.interrupted.filter((other) => other.id !== take.id)
    await this.changed()
    return memo
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

/** How long an interrupted recording is, in seconds. */
export async function takeLength(db: MemoDb, take: Take): Promise<number> {
  let last: Chunk | undefined
  for (let from = 0; ; from += 240) {
    const chunks = await db.chunks(take.id, from, 240)
    last = chunks.at(-1) ?? last
    if (chunks.length < 240) return last?.end ?? 0
  }
}
