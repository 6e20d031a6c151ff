import 'fake-indexeddb/auto'
import { forceCloseDatabase } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MemoDb } from './db.ts'

const chunk = { bytes: new ArrayBuffer(1), end: 0.5, peaks: new Uint8Array(0) }
const take = { id: 'a', started: 1, type: 'audio/webm' }

let name: string
let db: MemoDb
let count = 0
/** What was opened, the last one last. */
const opened: IDBDatabase[] = []

beforeEach(() => {
  const open = indexedDB.open.bind(indexedDB)
  vi.spyOn(indexedDB, 'open').mockImplementation((...args) => {
    const request = open(...args)
    request.addEventListener('success', () => opened.push(request.result))
    return request
  })
  db = new MemoDb((name = `db ${count++}`))
})
afterEach(async () => {
  await db.close()
  vi.restoreAllMocks()
})

const closedByBrowser = () => forceCloseDatabase(opened.at(-1) as never)

/** As a newer version of the app does; resolves once the older tabs let it. */
const upgrade = () =>
  new Promise<void>((resolve, reject) => {
    const request = indexedDB.open(name, 2)
    request.onsuccess = () => resolve(request.result.close())
    request.onerror = () => reject(request.error!)
  })

it('goes on where the browser closed the database', async () => {
  await db.beginTake(take)
  closedByBrowser()
  await db.addChunk('a', 0, chunk)
  // What was under way when it was closed is done again.
  const writing = db.addChunk('a', 1, chunk)
  await vi.waitFor(() => expect(opened.length).toBeGreaterThan(1))
  closedByBrowser()
  await writing
  closedByBrowser()
  expect(await db.chunks('a', 0, 9)).toHaveLength(2)
})

it('adds nothing to a recording that is gone', async () => {
  await db.beginTake(take)
  await db.addChunk('a', 0, chunk)
  await db.endTake('a')
  await expect(db.addChunk('a', 1, chunk)).rejects.toThrow('gone')
  expect(await db.chunks('a', 0, 9)).toEqual([])
})

it('lets a newer version have the database, and says so from then on', async () => {
  await db.memos()
  await upgrade()
  await expect(db.memos()).rejects.toThrow(/version/)
})

it('a newer version waits until the recording is over', async () => {
  const release = db.hold()
  await db.beginTake(take)
  let upgraded = false
  const upgrading = upgrade().then(() => (upgraded = true))
  for (let i = 0; i < 5; i++) await db.addChunk('a', i, chunk)
  expect(upgraded).toBe(false)
  await db.endTake('a')
  release()
  await upgrading
})
