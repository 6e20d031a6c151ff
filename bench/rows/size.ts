import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { buildPages, root } from '../../e2e/harness/build.ts'
import type { Row } from '../row.ts'

const bar = 20

/** What a page that uses the engine downloads, in kB of brotli. */
export const size: Row = async () => {
  await buildPages()
  const ours = (await stat(join(root, 'web/built/starling.js.br'))).size / 1000
  const worker = (await stat(join(root, 'web/built/starling-store.js.br'))).size / 1000
  const theirs = brotliCompressSync(await readFile(join(root, 'node_modules/webtorrent/dist/webtorrent.min.js'))).length / 1000
  return [
    {
      what: 'starling.js, kB of brotli, against webtorrent.min.js',
      ours: `${ours.toFixed(1)} (and ${worker.toFixed(1)} when its store’s worker starts)`,
      theirs: theirs.toFixed(1),
      ratio: (ours / theirs).toFixed(2),
      bar: `≤ ${bar}`,
      reached: ours <= bar,
    },
  ]
}
