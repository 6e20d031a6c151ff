import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { buildPages, root } from '../../e2e/harness/build.ts'
import type { Row } from '../row.ts'

const bar = 20

/** What a page that uses the engine downloads, in kB of brotli: the door, what it takes to fetch and play, and all there is. */
export const size: Row = async () => {
  await buildPages()
  const built = join(root, 'web/built')
  const kilobytes = async (path: string) => (await stat(join(built, path))).size / 1000
  const sum = async (paths: string[]) => (await Promise.all(paths.map(kilobytes))).reduce((all, size) => all + size, 0)
  const modules = (await readdir(join(built, 'assets'))).filter((name) => /^starling-.*\.br$/.test(name)).map((name) => `assets/${name}`)
  const door = ['starling.js.br']
  const fetching = [...door, 'starling-store.js.br', ...modules.filter((name) => /starling-node-/.test(name))]
  const theirs = brotliCompressSync(await readFile(join(root, 'node_modules/webtorrent/dist/webtorrent.min.js'))).length / 1000
  const line = async (what: string, paths: string[]) => {
    const ours = await sum(paths)
    return {
      what, ours: ours.toFixed(1), theirs: theirs.toFixed(1), ratio: (ours / theirs).toFixed(2),
      bar: `≤ ${bar}`, reached: ours <= bar,
    }
  }
  return [
    await line('starling.js, kB of brotli, against webtorrent.min.js', door),
    await line('the same with what it loads until a public torrent is fetched and played', fetching),
    await line('the same with all that it ever loads: to seed, to open what is private, without OPFS', [
      'starling-store.js.br', ...door, ...modules,
    ]),
  ]
}
