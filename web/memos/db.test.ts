import 'fake-indexeddb/auto'
import { afterEach, expect, it, vi } from 'vitest'
import { MemoDb } from './db.ts'
import type { Memo } from './memo.ts'

const memo: Memo = {
  id: 'a', title: 'a', description: '', created: 1, duration: 1, type: 'audio/ogg', size: 1, peaks: new Uint8Array(0),
}
const take = { id: 'a', started: 1, type: 'audio/ogg' }
const chunk = { bytes: new ArrayBuffer(2), end: 0.5, peaks: new Uint8Array(0) }

afterEach(() => vi.restoreAllMocks())

// As when the device turns out to be full only as the transaction ends.
it.each<[string, (db: MemoDb) => Promise<unknown>]>([
  ['a memo', (db) => db.add(memo)],
  ['a memo with its sound', (db) => db.add(memo, new Blob(['x']))],
  ['a change', (db) => db.update('old', () => ({ title: 'new' }))],
  ['a deletion', (db) => db.delete('old')],
  ['the beginning of a recording', (db) => db.beginTake(take)],
  ['a chunk of it', (db) => db.addChunk('cut', 1, chunk)],
  ['its end', (db) => db.endTake('cut', memo, new Blob(['x']))],
  ['a bundle', (db) => db.addBundle({ infoHash: 'a', links: [] })],
])('%s is not said to be on disk when the browser takes it back, and all is as it was', async (what, write) => {
  const db = new MemoDb(`taken back: ${what}`)
  await db.add({ ...memo, id: 'old' }, new Blob(['old']))
  await db.beginTake({ ...take, id: 'cut' })
  await db.addChunk('cut', 0, chunk)
  for (const method of ['put', 'delete'] as const) {
    const original = IDBObjectStore.prototype[method] as (...args: unknown[]) => IDBRequest
    vi.spyOn(IDBObjectStore.prototype, method).mockImplementation(function (this: IDBObjectStore, ...args: unknown[]) {
      const request = original.apply(this, args)
      request.addEventListener('success', () => {
        try {
          this.transaction.abort()
        } catch {
          // The request before has done that.
        }
      })
      return request as never
    })
  }
  await expect(write(db)).rejects.toThrow()
  vi.restoreAllMocks()
  expect(await db.memos()).toEqual([{ ...memo, id: 'old' }])
  expect(await (await db.audio('old'))?.text()).toBe('old')
  expect([(await db.takes()).map(({ id }) => id), (await db.chunks('cut', 0, 9)).length]).toEqual([['cut'], 1])
  expect(await db.bundles()).toEqual([])
  await db.close()
})

it.each(['DataCloneError', 'UnknownError'])('keeps a sound where the browser keeps no Blobs (%s), as in private windows of Safari', async (name) => {
  const db = new MemoDb(`no blobs: ${name}`)
  const put = IDBObjectStore.prototype.put
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value, key) {
    if (value instanceof Blob) throw new DOMException('Error preparing Blob/File data to be stored in object store', name)
    return put.call(this, value, key)
  })
  await db.beginTake(take)
  await db.addChunk('a', 0, chunk)
  expect(await db.endTake('a', memo, new Blob(['sound'], { type: 'audio/ogg' }))).toBe(true)
  const audio = await db.audio('a')
  expect([audio?.type, await audio?.text()]).toEqual(['audio/ogg', 'sound'])
  expect([await db.takes(), await db.memos()]).toEqual([[], [memo]])
  await db.close()
})
