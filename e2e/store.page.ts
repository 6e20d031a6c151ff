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
