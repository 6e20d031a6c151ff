/**
 * Where memos are kept: IndexedDB, every write on disk ("strict") before it is said to be done.
 *
 *   memos    rows, small: the whole list is read at once
 *   audio    their bytes, by the memo's id
 *   takes    recordings under way, or cut off by a crash
 *   chunks   what a take has so far, in order
 *   bundles  links to several memos that were given out
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb'
import type { Memo } from './memo.ts'

export interface Take {
  id: string
  /** Milliseconds since 1970. */
  started: number
  /** MIME type. */
  type: string
}

export interface Chunk {
  bytes: ArrayBuffer
  /** Seconds recorded when this chunk ends. */
  end: number
  /** See peaks.ts; of this chunk alone. */
  peaks: Uint8Array
}

export interface Bundle {
  infoHash: string
  /** As in the file that is shared. */
  links: string[]
}

interface Schema extends DBSchema {
  memos: { key: string; value: Memo }
  audio: { key: string; value: Blob }
  takes: { key: string; value: Take }
  chunks: { key: [take: string, index: number]; value: Chunk }
  bundles: { key: string; value: Bundle }
}

type Tables = ('memos' | 'audio' | 'takes' | 'chunks' | 'bundles')[]

export class MemoDb {
  readonly #db: Promise<IDBPDatabase<Schema>>

  /** Every call rejects where the browser gives the page no storage. */
  constructor(name = 'memos') {
    this.#db = openDB<Schema>(name, 1, {
      upgrade(db) {
        db.createObjectStore('memos', { keyPath: 'id' })
        db.createObjectStore('audio')
        db.createObjectStore('takes', { keyPath: 'id' })
        db.createObjectStore('chunks')
        db.createObjectStore('bundles', { keyPath: 'infoHash' })
      },
      // A newer version of the app in another tab must not wait for this one.
      blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
    })
    this.#db.catch(() => {})
  }

  async close(): Promise<void> {
    ;(await this.#db).close()
  }

  async memos(): Promise<Memo[]> {
    return (await this.#db).getAll('memos')
  }

  async memo(id: string): Promise<Memo | undefined> {
    return (await this.#db).get('memos', id)
  }

  async audio(id: string): Promise<Blob | undefined> {
    return (await this.#db).get('audio', id)
  }

  async add(memo: Memo, audio?: Blob): Promise<void> {
    const tx = await this.#write(['memos', 'audio'])
    if (audio) void tx.objectStore('audio').put(audio, memo.id).catch(ignore)
    void tx.objectStore('memos').put(memo).catch(ignore)
    await tx.done
  }

  /** What change makes of the row as it is now; undefined when there is none. */
  async update(id: string, change: (memo: Memo) => Partial<Memo>): Promise<Memo | undefined> {
    const tx = await this.#write(['memos'])
    const store = tx.objectStore('memos')
    const memo = await store.get(id)
    const changed = memo && { ...memo, ...change(memo), id }
    if (changed) void store.put(changed).catch(ignore)
    await tx.done
    return changed
  }

  async delete(id: string): Promise<void> {
    const tx = await this.#write(['memos', 'audio'])
    void tx.objectStore('audio').delete(id).catch(ignore)
    void tx.objectStore('memos').delete(id).catch(ignore)
    await tx.done
  }

  async takes(): Promise<Take[]> {
    return (await this.#db).getAll('takes')
  }

  async beginTake(take: Take): Promise<void> {
    const tx = await this.#write(['takes'])
    void tx.objectStore('takes').put(take).catch(ignore)
    await tx.done
  }

  async addChunk(take: string, index: number, chunk: Chunk): Promise<void> {
    const tx = await this.#write(['chunks'])
    void tx.objectStore('chunks').put(chunk, [take, index]).catch(ignore)
    await tx.done
  }

  /** From the chunk with that index on, at most count. */
  async chunks(take: string, from: number, count: number): Promise<Chunk[]> {
    return (await this.#db).getAll('chunks', chunksOf(take, from), count)
  }

  /** The take becomes a memo, or nothing where none is given: both or neither, in one transaction. */
  async endTake(take: string, memo?: Memo, audio?: Blob): Promise<void> {
    const tx = await this.#write(['memos', 'audio', 'takes', 'chunks'])
    if (memo && audio) {
      void tx.objectStore('audio').put(audio, memo.id).catch(ignore)
      void tx.objectStore('memos').put(memo).catch(ignore)
    }
    void tx.objectStore('chunks').delete(chunksOf(take)).catch(ignore)
    void tx.objectStore('takes').delete(take).catch(ignore)
    await tx.done
  }

  async bundles(): Promise<Bundle[]> {
    return (await this.#db).getAll('bundles')
  }

  async addBundle(bundle: Bundle): Promise<void> {
    const tx = await this.#write(['bundles'])
    void tx.objectStore('bundles').put(bundle).catch(ignore)
    await tx.done
  }

  async #write<T extends Tables>(tables: T) {
    return (await this.#db).transaction(tables, 'readwrite', { durability: 'strict' })
  }
}

/** A failed request fails its transaction, and that is where it is reported. */
const ignore = (): void => {}

const chunksOf = (take: string, from = 0) => IDBKeyRange.bound([take, from], [take, Infinity])
