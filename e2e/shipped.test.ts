/** The engine as it is shipped, in modules under web/built: other tests run its sources in one piece. */
import { expect, test } from 'vitest'
import { harness } from './harness/index.ts'
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
