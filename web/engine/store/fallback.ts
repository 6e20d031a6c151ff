/** Loaded only where there is no OPFS. */
export { indexedDBStores } from './indexeddb.ts'
export { memoryStores } from './memory.ts'
