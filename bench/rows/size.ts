import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { buildPages, root } from '../../e2e/harness/build.ts'
import type { Row } from '../row.ts'

const bar = 20

/** What a page that uses the engine downloads, in kB of brotli. */
export const size: Row = async () => {
  await buildPages()
  const built = join(root, 'web/built')
  const kilobytes = async (path: string) => (await stat(join(built, path))).size / 1000
  const ours = await kilobytes('starling.js.br')
  const parts = (await readdir(join(built, 'assets'))).filter((name) => /^starling-.*\.br$/.test(name))
  const sizes = await Promise.all(['starling-store.js.br', ...parts.map((name) => `assets/${name}`)].map(kilobytes))
  const all = sizes.reduce((sum, size) => sum + size, ours)
  const theirs = brotliCompressSync(await readFile(join(root, 'node_modules/webtorrent/dist/webtorrent.min.js'))).length / 1000
  return [
    {
      what: 'starling.js, kB of brotli, against webtorrent.min.js',
      ours: ours.toFixed(1),
      theirs: theirs.toFixed(1),
      ratio: (ours / theirs).toFixed(2),
      bar: `≤ ${bar}`,
      reached: ours <= bar,
    },
    {
      what: 'the same with every module and worker that it loads at once or later',
      ours: all.toFixed(1),
      theirs: theirs.toFixed(1),
      ratio: (all / theirs).toFixed(2),
      bar: `≤ ${bar}`,
      reached: all <= bar,
    },
  ]
}
