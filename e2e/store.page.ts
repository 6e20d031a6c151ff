import { conformance } from '../web/engine/store/conformance.ts'
import { indexedDBStores } from '../web/engine/store/indexeddb.ts'
import { openStores } from '../web/engine/store/open.ts'
import { opfsStores } from '../web/engine/store/opfs.ts'
import { BlobSource } from '../web/engine/store/source.ts'

export const opfs = () => conformance(opfsStores)
export const indexeddb = () => conformance(indexedDBStores)

export async function kind(): Promise<string> {
  const stores = await openStores('auto').stores()
  await stores.close()
  return stores.kind
}

const hash = 'f'.repeat(40)
const code = (error: unknown) => (error as { code?: string }).code ?? String(error)

/** Writes pieces until one is refused: how many were kept, why it ended, and whether those kept are still right. */
export async function fill(how: 'opfs' | 'indexeddb', most: number) {
  const stores = await (how === 'opfs' ? opfsStores : indexedDBStores)()
  const piece = 1 << 20
  const store = await stores.open(hash, most * piece)
  let kept = 0
  let why = 'nothing'
  try {
    for (; kept < most; kept++) await store.write(kept * piece, new Uint8Array(piece).fill(kept + 1))
  } catch (error) {
    why = code(error)
  }
  let intact = true
  for (let i = 0; i < kept; i++) {
    const bytes = await store.read(i * piece, (i + 1) * piece)
    intact &&= bytes.every((byte) => byte === i + 1)
  }
  await stores.destroy(hash)
  await stores.close()
  return { kept, why, intact }
}

const folder = async () => (await navigator.storage.getDirectory()).getDirectoryHandle('starling')

/** What is left when the store was tidied, twice, the second time on the next day; and when a file of it was written. */
export async function tidied(): Promise<{ today: string[]; tomorrow: string[]; age: number }> {
  const [mine, others] = [await opfsStores(), await opfsStores()]
  const write = async (stores: typeof mine, name: string) => {
    const store = await stores.open(name.repeat(40), 4)
    await store.write(0, new Uint8Array(4))
    return store
  }
  for (const name of ['a', 'b']) await (await write(others, name)).close()
  await write(others, 'c')
  await write(mine, 'd')
  await mine.registry.put({ infoHash: 'b'.repeat(40), seeded: false, trackers: [], webSeeds: [], added: 0 })
  const names = async () => {
    const all: string[] = []
    for await (const name of (await folder() as unknown as { keys(): AsyncIterable<string> }).keys()) all.push(name[0]!)
    return all.sort()
  }
  const file = await (await (await folder()).getFileHandle('a'.repeat(40))).getFile()
  const age = Date.now() - file.lastModified
  await mine.tidy!()
  const today = await names()
  const now = Date.now
  Date.now = () => now() + 2 * 86_400_000
  await mine.tidy!()
  Date.now = now
  const tomorrow = await names()
  for (const name of ['b', 'c', 'd']) await others.destroy(name.repeat(40)).catch(() => {})
  await others.close()
  for (const name of ['b', 'c', 'd']) await mine.destroy(name.repeat(40))
  await mine.registry.delete('b'.repeat(40))
  await mine.close()
  return { today, tomorrow, age }
}

let source: BlobSource

/** A file input for the test to put a file into; what is there when it changes is seeded. */
export function input(): void {
  const input = document.body.appendChild(document.createElement('input'))
  input.type = 'file'
  input.onchange = () => {
    source = new BlobSource([...(input.files ?? [])])
    document.title = `seeding ${source.length}`
  }
}

export const readSeeded = (start: number, end: number) =>
  source.read(start, end).then((bytes) => new TextDecoder().decode(bytes), code)
