import { afterEach, expect, test, vi } from 'vitest'
import { MemoryLink, Stranger, type TestNode } from '../engine/swarm/testing.ts'
import type { Carrier } from './carrier.ts'

/** What a page has that a carrier asks for; there is no tracker. */
vi.stubGlobal('location', { origin: 'https://site.test' })
vi.stubGlobal('document', Object.assign(new EventTarget(), { baseURI: 'https://site.test/' }))
vi.stubGlobal('addEventListener', () => {})
vi.stubGlobal('WebSocket', class {
  constructor() {
    throw new Error('no tracker')
  }
})
const infoHash = '11'.repeat(20)
const found = {
  version: '1', trackers: [], ice: [], held: {},
  torrents: [{ infoHash, pieceLength: 16384, pieces: 4, peers: 0 }],
  assets: { '/a.png': { torrent: 0, first: 0, size: 40_000, type: 'image/png', sha256: '00'.repeat(8), sums: '' } },
}

afterEach(() => void vi.useRealTimers())

/** A carrier that is in a torrent, as peers meet it. */
async function carrier(answer: typeof found | { assets: object; torrents: object; held: object } = found): Promise<TestNode> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] })
  vi.stubGlobal('fetch', async () => new Response(JSON.stringify(answer)))
  const { Carrier } = await import('./carrier.ts')
  const made = new Carrier()
  for (const asset of await Promise.all(Object.keys(answer.assets).map((path) => made.asset(path)))) expect(asset).toBeDefined()
  return { node: made, id: made.peerId } as unknown as TestNode
}

test('a link brings a torrent one peer, however many channels it has', async () => {
  const page = await carrier()
  const link = new MemoryLink('22'.repeat(20), false)
  const all = Array.from({ length: 64 }, () => new Stranger(page, infoHash, undefined, link))
  await Promise.all(all.slice(1).map((peer) => peer.closed.promise))
  expect(all[0]!.channel.open).toBe(true)
  await new Stranger(page, infoHash).met.promise
})

test('a link of silent channels leaves room for others', async () => {
  const page = await carrier()
  const link = new MemoryLink('22'.repeat(20), false)
  for (let i = 0; i < 64; i++) new Stranger(page, '', undefined, link)
  await new Stranger(page, infoHash).met.promise
})

test.each(['on the page', 'kept from before'])('a page stays in the torrent of its images, however many films are %s', async (where) => {
  const films = Array.from({ length: 20 }, (_, i) => ({ infoHash: `${20 + i}`.repeat(20), pieceLength: 65_536, pieces: 1, peers: 0 }))
  const torrents = [...found.torrents, ...films]
  const lies = films.map((_, i) => ({ torrent: 1 + i, first: 0, size: 1000, type: 'video/webm', sha256: `${i}`.padStart(16, 'f'), sums: '' }))
  const kept = where === 'kept from before'
  const { node } = await carrier(kept
    ? { ...found, torrents, held: Object.fromEntries(lies.map((lie) => [lie.sha256, lie])) }
    : { ...found, torrents, assets: { ...found.assets, ...Object.fromEntries(lies.map((lie, i) => [`/${i}.webm`, lie])) } })
  const known = [...(node as unknown as Carrier).known()]
  expect(known).toContain(infoHash)
  expect(known).toHaveLength(kept ? 8 : 21)
})
