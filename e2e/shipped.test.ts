/** The engine as it is shipped, in modules under web/built: other tests run its sources in one piece. */
import { join } from 'node:path'
import { build } from 'vite'
import { expect, test } from 'vitest'
import { buildPages, edgeBudgets, edgeSize, root } from './harness/build.ts'
import { harness, type LabOptions } from './harness/index.ts'
import type { FileSpec } from './pages/files.ts'
import { Peer, whole } from './pages/people.ts'

const kit = harness()
const memo: FileSpec[] = [{ name: 'memo.webm', size: 300_000, seed: 1 }]

test.each(['chromium', 'firefox'] as const)('seeds, fetches, seals and keeps files on disk in %s', async (kind) => {
  const { tracker } = await kit.serve()
  const starling = await kit.lab(new URL('./pages/starling.page.ts', import.meta.url), { built: true })
  const peer = () => Peer.open(kit, { starling, webtorrent: starling }, { kind, node: { trackers: [tracker] } })
  const [ann, bob] = [await peer(), await peer()]
  const shared = await ann.seed(memo, { private: true })
  await bob.add(shared.link)
  expect(await bob.fetched(shared.infoHash)).toEqual(await whole(memo))
  expect(await bob.stats()).toMatchObject({ store: 'opfs' })
})

test.each(edgeBudgets)('the edge is no larger than it may be, for $what', async ({ files, most }) => {
  const size = await edgeSize(files)
  expect(size, 'the files have other names than edgeBudgets has').toBeGreaterThan(most / 2)
  const over = `${size - most} bytes too many: what web/edge is made of, web/engine/parts.ts included, has to save them`
  expect(size, over).toBeLessThanOrEqual(most)
})

/** What becomes of it in somebody's own bundle (docs/engine.md, "Bundling it"): each file by its path. */
async function bundledAgain(): Promise<NonNullable<LabOptions['routes']>> {
  await buildPages()
  const made = await build({
    configFile: false,
    root,
    logLevel: 'error',
    publicDir: false,
    build: {
      write: false,
      target: 'es2022',
      lib: { entry: join(root, 'web/built/starling.js'), formats: ['es'], fileName: () => 'starling.js' },
      rolldownOptions: { output: { chunkFileNames: 'bundled/[name]-[hash].js' } },
    },
  })
  const files = (Array.isArray(made) ? made : [made]).flatMap((one) => ('output' in one ? one.output : []))
  expect(files.length).toBeGreaterThan(1)
  return Object.fromEntries(files.map((file) => [`/${file.fileName}`, (_, response) => {
    response.setHeader('Content-Type', 'text/javascript').end('code' in file ? file.code : file.source)
  }]))
}

test('bundled again, it loads its parts from there, and its store beside it', async () => {
  const { tracker } = await kit.serve()
  const starling = await kit.lab(new URL('./pages/starling.page.ts', import.meta.url), { routes: await bundledAgain() })
  const peer = () => Peer.open(kit, { starling, webtorrent: starling }, { node: { trackers: [tracker] } })
  const [ann, bob] = [await peer(), await peer()]
  const shared = await ann.seed(memo, { private: true })
  await bob.add(shared.link)
  expect(await bob.fetched(shared.infoHash)).toEqual(await whole(memo))
  expect(await bob.stats()).toMatchObject({ store: 'opfs' })
})
