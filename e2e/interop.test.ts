/** Starling and stock webtorrent 3 are peers of one another; so are Chromium and Firefox. */
import { beforeAll, describe, expect, test } from 'vitest'
import { harness, until, type Server } from './harness/index.ts'
import { bytesOf, type FileSpec } from './pages/files.ts'
import { openLabs, Peer, whole, type Labs, type PeerOptions } from './pages/people.ts'

const kit = harness()
let server: Server
let labs: Labs

beforeAll(async () => {
  server = await kit.serve({ pages: false })
  labs = await openLabs(kit)
})

const peer = (options: Omit<PeerOptions, 'node'> = {}) => Peer.open(kit, labs, { ...options, node: { trackers: [server.tracker] } })

const one: FileSpec[] = [{ name: 'one memo.webm', size: 1_234_567, seed: 1 }]
// Lengths that are no multiples of anything, and an empty file among them.
const several: FileSpec[] = [
  { name: 'a.txt', size: 5, seed: 2 },
  { name: 'empty', size: 0, seed: 3 },
  { name: 'größe ✓.bin', size: 700_001, seed: 4 },
  { name: 'z.bin', size: 65_537, seed: 5 },
]

describe.each([
  { giver: 'starling', taker: 'webtorrent' },
  { giver: 'webtorrent', taker: 'starling' },
] as const)('$taker fetches from $giver', ({ giver, taker }) => {
  test.each([
    { what: 'a single file', files: one, by: 'magnetURI' },
    { what: 'a single file', files: one, by: 'torrentFile' },
    { what: 'several files', files: several, by: 'magnetURI' },
    { what: 'several files', files: several, by: 'torrentFile' },
  ] as const)('$what by its $by', async ({ files, by }) => {
    const [ann, bob] = [await peer({ engine: giver }), await peer({ engine: taker })]
    const shared = await ann.seed(files, { name: files.length > 1 ? 'folder' : undefined })
    await bob.add(shared[by])
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(files))
  })
})

test('what came from webtorrent goes on to the next, by metadata and pieces', async () => {
  const ann = await peer({ engine: 'webtorrent' })
  const bob = await peer()
  const shared = await ann.seed(one)
  await bob.add(shared.magnetURI)
  await bob.fetched(shared.infoHash)
  await ann.person.page.close()
  const cyd = await peer({ engine: 'webtorrent' })
  await cyd.add(shared.magnetURI)
  expect(await cyd.fetched(shared.infoHash)).toEqual(await whole(one))
})

describe.each([
  { from: 'chromium', to: 'firefox' },
  { from: 'firefox', to: 'chromium' },
] as const)('$from → $to', ({ from, to }) => {
  test.each([{ sealed: false }, { sealed: true }])('private: $sealed', async ({ sealed }) => {
    const [ann, bob] = [await peer({ kind: from }), await peer({ kind: to })]
    const shared = await ann.seed(several, { name: 'folder', private: sealed })
    expect(/\.[\w-]{22}(&|$)/.test(shared.link)).toBe(sealed)
    await bob.add(shared.link)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(several))
  })
})

test('a private torrent shows a stranger nothing but sealed bytes', async () => {
  const [ann, eve] = [await peer(), await peer({ engine: 'webtorrent' })]
  const shared = await ann.seed(one, { private: true })
  await eve.add(shared.magnetURI)
  const got = await eve.fetched(shared.infoHash)
  expect(got).toMatchObject([{ name: 'sealed' }])
  expect(JSON.stringify(got)).not.toContain((await whole(one))[0]?.digest)
  expect(shared.magnetURI).not.toContain('memo')
})

test('many torrents travel over one link, in both directions', async () => {
  const [ann, bob] = [await peer(), await peer()]
  const memos = Array.from({ length: 20 }, (_, i): FileSpec[] => [{ name: `memo ${i}`, size: 50_000 + i, seed: 100 + i }])
  const shared = []
  for (const [i, memo] of memos.entries()) shared.push(await (i % 2 ? ann : bob).seed(memo, { private: i % 3 === 0 }))
  for (const [i, { link }] of shared.entries()) await (i % 2 ? bob : ann).add(link)
  for (const [i, { infoHash }] of shared.entries()) {
    expect(await (i % 2 ? bob : ann).fetched(infoHash)).toEqual(await whole(memos[i]!))
  }
  for (const one of [ann, bob]) {
    await until('one link to remain', async () => (await one.stats()).links === 1)
    expect((await one.stats()).connectionsMade).toBeLessThanOrEqual(6)
  }
})

test('a third peer fetches from both others', async () => {
  const [ann, bob] = [await peer(), await peer()]
  const film: FileSpec[] = [{ name: 'film', size: 8_000_000, seed: 7 }]
  const shared = await ann.seed(film)
  await bob.add(shared.magnetURI)
  await bob.fetched(shared.infoHash)
  const cyd = await peer()
  await cyd.add(shared.magnetURI)
  expect(await cyd.fetched(shared.infoHash)).toEqual(await whole(film))
  await until('both to have sent', async () => {
    const sent = await Promise.all([ann, bob].map((one) => one.state(shared.infoHash)))
    return sent.every((state) => state && state.uploaded > 0)
  })
})

describe('web seeds', () => {
  const film: FileSpec[] = [{ name: 'film.bin', size: 3_000_001, seed: 8 }]
  const torrentOf = async (files: FileSpec[], webSeeds: string[], name?: string) => {
    const ann = await peer()
    const shared = await ann.seed(files, { webSeeds, name })
    await ann.person.page.close()
    return shared
  }

  test('a file comes over HTTP where there is no peer, in few requests', async () => {
    const seed = await kit.webSeed(new Map([['/media/film.bin', bytesOf(film[0]!)]]))
    const shared = await torrentOf(film, [`${seed.origin}/media/`])
    const bob = await peer()
    await bob.add(shared.torrentFile)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
    expect(seed.asked.length).toBeLessThanOrEqual(8)
    const total = seed.asked.reduce((sum, { start, end }) => sum + end - start + 1, 0)
    expect(total).toBe(film[0]!.size)
  })

  test('several files under a folder, whose pieces cross their bounds', async () => {
    const seed = await kit.webSeed(new Map(several.map((file) => [`/folder/${file.name}`, bytesOf(file)])))
    const shared = await torrentOf(several, [`${seed.origin}/`], 'folder')
    const bob = await peer()
    await bob.add(shared.torrentFile)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(several))
  })

  test('one that serves other bytes is dropped, and peers give the right ones', async () => {
    const wrong = await kit.webSeed(new Map([['/film.bin', bytesOf({ ...film[0]!, seed: 9 })]]))
    const shared = await torrentOf(film, [`${wrong.origin}/film.bin`])
    const bob = await peer()
    await bob.add(shared.torrentFile)
    await until('the web seed to be asked', () => wrong.asked.length)
    const ann = await peer()
    await ann.seed(film)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
  })

  test('one that is not there keeps nobody from peers', async () => {
    const gone = await kit.webSeed(new Map())
    const ann = await peer()
    const shared = await ann.seed(film, { webSeeds: [`${gone.origin}/film.bin`] })
    const bob = await peer({ allow: [/404/] })
    await bob.add(shared.magnetURI)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
  })
})
