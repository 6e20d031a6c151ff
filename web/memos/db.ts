/**
 * Where memos are kept: IndexedDB, every write on disk ("strict") before it is said to be done.
 *
 *   memos    rows, small: the whole list is read at once
 *   audio    their bytes, by the memo's id
 *   takes    recordings under way, or cut off by a crash
 *   chunks   what a take has so far, in order
 *   bundles  links to several memos that were given out
 */
import type { DBSchema } from 'idb'
import { Database } from '../ui/database.ts'
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

/** A sound where the browser keeps no Blobs: in private windows of Safari. */
interface Bytes {
  bytes: ArrayBuffer
  type: string
}

interface Schema extends DBSchema {
  memos: { key: string; value: Memo }
  audio: { key: string; value: Blob | Bytes }
  takes: { key: string; value: Take }
  chunks: { key: [take: string, index: number]; value: Chunk }
  bundles: { key: string; value: Bundle }
}

export class MemoDb {
  readonly #db: Database<Schema>

  constructor(name = 'memos') {
    this.#db = new Database<Schema>(name, (db) => {
      db.createObjectStore('memos', { keyPath: 'id' })
      db.createObjectStore('audio')
      db.createObjectStore('takes', { keyPath: 'id' })
      db.createObjectStore('chunks')
      db.createObjectStore('bundles', { keyPath: 'infoHash' })
    })
  }

  close(): Promise<void> {
    return this.#db.close()
  }

  /** Something is under way that a newer version of the app must not end; the returned function says it is over. */
  hold(): () => void {
    return this.#db.hold()
  }

  memos(): Promise<Memo[]> {
    return this.#db.read((db) => db.getAll('memos'))
  }

  memo(id: string): Promise<Memo | undefined> {
    return this.#db.read((db) => db.get('memos', id))
  }

  async audio(id: string): Promise<Blob | undefined> {
    const audio = await this.#db.read((db) => db.get('audio', id))
    return !audio || audio instanceof Blob ? audio : new Blob([audio.bytes], { type: audio.type })
  }

  add(memo: Memo, audio?: Blob): Promise<void> {
    return this.#db.write(['memos', 'audio'], (tx) => {
      if (audio) void tx.objectStore('audio').put(audio, memo.id).catch(ignore)
      void tx.objectStore('memos').put(memo).catch(ignore)
    })
  }

  /** What change makes of the row as it is now; undefined when there is none. */
  update(id: string, change: (memo: Memo) => Partial<Memo>): Promise<Memo | undefined> {
    return this.#db.write(['memos'], async (tx) => {
      const store = tx.objectStore('memos')
      const memo = await store.get(id)
      const changed = memo && { ...memo, ...change(memo), id }
      if (changed) void store.put(changed).catch(ignore)
      return changed
    })
  }

  delete(id: string): Promise<void> {
    return this.#db.write(['memos', 'audio'], (tx) => {
      void tx.objectStore('audio').delete(id).catch(ignore)
      void tx.objectStore('memos').delete(id).catch(ignore)
    })
  }

  takes(): Promise<Take[]> {
    return this.#db.read((db) => db.getAll('takes'))
  }

  beginTake(take: Take): Promise<void> {
    return this.#db.write(['takes'], (tx) => void tx.objectStore('takes').put(take).catch(ignore))
  }

  /** Rejects where the take is gone: what follows could not be played without what came before. */
  addChunk(take: string, index: number, chunk: Chunk): Promise<void> {
    return this.#db.write(['takes', 'chunks'], async (tx) => {
      if (!(await tx.objectStore('takes').getKey(take))) throw new Error('The recording is gone from this browser’s storage.')
      void tx.objectStore('chunks').put(chunk, [take, index]).catch(ignore)
    })
  }

  /** From the chunk with that index on, at most count. */
  chunks(take: string, from: number, count: number): Promise<Chunk[]> {
    return this.#db.read((db) => db.getAll('chunks', chunksOf(take, from), count))
  }

  /**
   * The take becomes a memo, or nothing where none is given: both or neither, in one transaction. False where it is gone:
   * whoever ended it had all of its chunks, and who comes later may not.
   */
  async endTake(take: string, memo?: Memo, audio?: Blob): Promise<boolean> {
    try {
      return await this.#endTake(take, memo, audio)
    } catch (error) {
      if (!audio || !/^(DataClone|Unknown)Error$/.test((error as Error).name)) throw error
      return this.#endTake(take, memo, { bytes: await audio.arrayBuffer(), type: audio.type })
    }
  }

  #endTake(take: string, memo?: Memo, audio?: Blob | Bytes): Promise<boolean> {
    return this.#db.write(['memos', 'audio', 'takes', 'chunks'], async (tx) => {
      if (!(await tx.objectStore('takes').getKey(take))) return false
      if (memo && audio) {
        void tx.objectStore('audio').put(audio, memo.id).catch(ignore)
        void tx.objectStore('memos').put(memo).catch(ignore)
      }
      void tx.objectStore('chunks').delete(chunksOf(take)).catch(ignore)
      void tx.objectStore('takes').delete(take).catch(ignore)
      return true
    })
  }

  bundles(): Promise<Bundle[]> {
    return this.#db.read((db) => db.getAll('bundles'))
  }

  deleteBundle(infoHash: string): Promise<void> {
    return this.#db.write(['bundles'], (tx) => void tx.objectStore('bundles').delete(infoHash).catch(ignore))
  }

  addBundle(bundle: Bundle): Promise<void> {
    return this.#db.write(['bundles'], (tx) => void tx.objectStore('bundles').put(bundle).catch(ignore))
  }
}

/** A failed request fails its transaction, and that is where it is reported. */
const ignore = (): void => {}

const chunksOf = (take: string, from = 0) => IDBKeyRange.bound([take, from], [take, Infinity])
