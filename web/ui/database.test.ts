import 'fake-indexeddb/auto'
import type { DBSchema } from 'idb'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Database } from './database.ts'

interface Schema extends DBSchema {
  rows: { key: string; value: string }
}

let db: Database<Schema>
let count = 0

beforeEach(() => {
  db = new Database<Schema>(`rows ${count++}`, (db) => void db.createObjectStore('rows'))
})
afterEach(async () => {
  await db.close()
  vi.restoreAllMocks()
})

const write = (row: string) => db.write(['rows'], (tx) => void tx.objectStore('rows').put(row, 'a').catch(() => {}))

/** The next one fails as it is put, and not only as its transaction ends: in Safari, as where a device is full. */
function refuse(): void {
  const { add } = IDBObjectStore.prototype
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: IDBObjectStore, row: unknown, key) {
    return add.call(this, row, key)
  })
}

it('says what the browser said of a write that it refused', async () => {
  await write('before')
  refuse()
  await expect(write('now')).rejects.toMatchObject({ name: 'ConstraintError' })
  expect(await db.read((db) => db.get('rows', 'a'))).toBe('before')
})

it.each([
  'Connection to Indexed Database server lost. Refresh the page to try again',
  'An internal error was encountered in the Indexed Database server',
  'Attempt to get a record from database without an in-progress transaction',
])('writes again where the browser lost what was under way, in Safari’s words: %s', async (words) => {
  let lost = true
  await db.write(['rows'], (tx) => {
    if (lost) {
      lost = false
      throw new DOMException(words, 'UnknownError')
    }
    void tx.objectStore('rows').put('now', 'a').catch(() => {})
  })
  expect(await db.read((db) => db.get('rows', 'a'))).toBe('now')
})
