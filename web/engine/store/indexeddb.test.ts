import 'fake-indexeddb/auto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { indexedDBStores } from './indexeddb.ts'
import { DatabaseRegistry, openDatabase } from './registry.ts'
import type { Entry } from './store.ts'

afterEach(() => vi.restoreAllMocks())

const pieces = Uint8Array.of(1)
const entry = (infoHash: string): Entry => ({ infoHash, seeded: false, trackers: [], webSeeds: [], added: 1, pieces })

test('opens again when the browser closed it', async () => {
  const database = openDatabase()
  const registry = new DatabaseRegistry(database.table('torrents'), 'opfs')
  await registry.put(entry('a'))
  const gone = indexedDB.deleteDatabase('starling')
  await new Promise((resolve) => (gone.onsuccess = resolve))
  expect(await registry.get('a')).toBeUndefined()
  await registry.put(entry('b'))
  expect((await registry.list()).map(({ infoHash }) => infoHash)).toEqual(['b'])
  await registry.delete('b')
  await database.close()
})

test('opens again when the browser closed it and told nobody', async () => {
  const database = openDatabase()
  const registry = new DatabaseRegistry(database.table('torrents'), 'opfs')
  const transactions = vi.spyOn(IDBDatabase.prototype, 'transaction')
  await registry.put(entry('a'))
  ;(transactions.mock.contexts[0] as IDBDatabase).close()
  expect((await registry.get('a'))?.infoHash).toBe('a')
  await registry.delete('a')
  await database.close()
})

test('what the browser takes back is an error, and what comes after it is written', async () => {
  const database = openDatabase()
  const registry = new DatabaseRegistry(database.table('torrents'), 'opfs')
  const { put } = IDBObjectStore.prototype
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: IDBObjectStore, value) {
    const request = put.call(this, value)
    this.transaction.abort()
    return request
  })
  const [taken, after] = [registry.put(entry('a')), registry.put(entry('b'))]
  await expect(taken).rejects.toMatchObject({ code: 'storage' })
  await after
  expect((await registry.list()).map(({ infoHash }) => infoHash)).toEqual(['b'])
  await registry.delete('b')
  await database.close()
})

test('what Safari lost on its way is done again', async () => {
  const database = openDatabase()
  const registry = new DatabaseRegistry(database.table('torrents'), 'opfs')
  const { put, get } = IDBObjectStore.prototype
  const lose = ({ transaction }: IDBObjectStore) => {
    const words = 'Attempt to get a record from database without an in-progress transaction'
    Object.assign(transaction, { error: new DOMException(words, 'UnknownError') })
    transaction.abort()
  }
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(function (this: IDBObjectStore, value) {
    const request = put.call(this, value)
    lose(this)
    return request
  })
  await registry.put(entry('a'))
  vi.spyOn(IDBObjectStore.prototype, 'get').mockImplementationOnce(function (this: IDBObjectStore, query) {
    const request = get.call(this, query)
    lose(this)
    return request
  })
  expect((await registry.get('a'))?.infoHash).toBe('a')
  await registry.delete('a')
  await database.close()
})

describe('finds out whether it works', () => {
  const left = async (): Promise<number> => {
    const database = openDatabase()
    const count = await database.table('chunks').read((table) => table.count())
    await database.close()
    return count
  }

  test('and leaves nothing behind', async () => {
    await (await indexedDBStores()).close()
    expect(await left()).toBe(0)
  })

  test.each(['QuotaExceededError', 'DataCloneError'])('where a write fails with %s', async (name) => {
    vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => {
      throw new DOMException('no', name)
    })
    const opening = indexedDBStores()
    if (name === 'QuotaExceededError') await (await opening).close()
    else await expect(opening).rejects.toMatchObject({ code: 'storage' })
    expect(await left()).toBe(0)
  })

  test('where what was written is not there', async () => {
    vi.spyOn(Blob.prototype, 'arrayBuffer').mockResolvedValueOnce(new ArrayBuffer(1))
    await expect(indexedDBStores()).rejects.toThrow('not there')
  })

  test('where it does not open', async () => {
    vi.spyOn(indexedDB, 'open').mockImplementation(() => {
      const request = { error: new DOMException('no', 'UnknownError') } as IDBOpenDBRequest
      queueMicrotask(() => request.onerror?.(new Event('error')))
      return request
    })
    await expect(indexedDBStores()).rejects.toMatchObject({ code: 'storage' })
  })
})

test('pieces count only for the kind of store that has them, and again when that is back', async () => {
  const database = openDatabase()
  const [opfs, other] = ['opfs', 'indexeddb'].map((kind) => new DatabaseRegistry(database.table('torrents'), kind))
  await opfs!.put(entry('a'))
  expect((await other!.get('a'))?.pieces).toBeUndefined()
  expect((await opfs!.get('a'))?.pieces).toEqual(pieces)
  // What is fetched meanwhile lies in the other store, and is saved.
  await other!.put((await other!.get('a'))!)
  expect((await opfs!.get('a'))?.pieces).toEqual(pieces)
  const some = Uint8Array.of(2)
  await other!.put({ ...(await other!.get('a'))!, pieces: some })
  expect((await opfs!.get('a'))?.pieces).toEqual(pieces)
  await opfs!.put((await opfs!.get('a'))!)
  expect((await other!.get('a'))?.pieces).toEqual(some)
  await opfs!.delete('a')
  await database.close()
})

test('a torrent is known by all but its key where the browser keeps none', async () => {
  const database = openDatabase()
  const registry = new DatabaseRegistry(database.table('torrents'), 'opfs')
  const pair = { name: 'ECDSA', namedCurve: 'P-256' }
  const { privateKey: cardKey } = await crypto.subtle.generateKey(pair, false, ['sign', 'verify'])
  const { put } = IDBObjectStore.prototype
  vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value: Entry) {
    if (value.cardKey) throw new DOMException('The object can not be cloned.', 'DataCloneError')
    return put.call(this, value)
  })
  const shared = { ...entry('a'), cardKey }
  await registry.put(shared)
  expect(await registry.get('a')).toEqual(entry('a'))
  expect(shared.cardKey).toBe(cardKey)
  await registry.delete('a')
  await database.close()
})

test('puts at once share transactions', async () => {
  const database = openDatabase()
  const registry = new DatabaseRegistry(database.table('torrents'), 'opfs')
  const transactions = vi.spyOn(IDBDatabase.prototype, 'transaction')
  await Promise.all(Array.from({ length: 500 }, (_, i) => registry.put(entry(`${i}`))))
  expect(transactions.mock.calls.length).toBeLessThan(4)
  transactions.mockRestore()
  expect(await registry.list()).toHaveLength(500)
  await database.close()
})

test('full: words, and what was there is still there', async () => {
  const stores = await indexedDBStores()
  const store = await stores.open('c', 8)
  await store.write(0, Uint8Array.of(1, 2, 3, 4))
  const put = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementationOnce(() => {
    throw new DOMException('full', 'QuotaExceededError')
  })
  await expect(store.write(4, Uint8Array.of(5, 6, 7, 8))).rejects.toMatchObject({ code: 'no-space' })
  put.mockRestore()
  expect(await store.read(0, 4)).toEqual(Uint8Array.of(1, 2, 3, 4))
  await store.write(4, Uint8Array.of(5, 6, 7, 8))
  expect(await store.read(0, 8)).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8))
  await stores.destroy('c')
  await stores.close()
})
