import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'
import { conformance } from './conformance.ts'
import { indexedDBStores } from './indexeddb.ts'
import { memoryStores } from './memory.ts'
import { openStores } from './open.ts'

test('memory conforms', async () => {
  expect(await conformance(async () => memoryStores())).toEqual([])
})

test('IndexedDB conforms', async () => {
  expect(await conformance(indexedDBStores)).toEqual([])
})

test('where there is no OPFS, IndexedDB is used', async () => {
  const stores = await openStores('auto').stores()
  expect(stores.kind).toBe('indexeddb')
  await stores.close()
})

test('memory when asked for', async () => {
  expect((await openStores('memory').stores()).kind).toBe('memory')
})

test('memory where there is neither', async () => {
  const { indexedDB } = globalThis
  Reflect.deleteProperty(globalThis, 'indexedDB')
  try {
    expect((await openStores('auto').stores()).kind).toBe('memory')
  } finally {
    globalThis.indexedDB = indexedDB
  }
})
