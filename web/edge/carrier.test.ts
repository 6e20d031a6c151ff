import { afterEach, expect, test, vi } from 'vitest'
import { MemoryLink, Stranger, type TestNode } from '../engine/swarm/testing.ts'

/** What a page has that a carrier asks for; there is no tracker. */
vi.stubGlobal('location', { href: 'https://site.test/', origin: 'https://site.test' })
vi.stubGlobal('document', new EventTarget())
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
vi.stubGlobal('fetch', async () => new Response(JSON.stringify(found)))

afterEach(() => void vi.useRealTimers())

/** A carrier that is in a torrent, as peers meet it. */
async function carrier(): Promise<TestNode> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval'] })
  const { Carrier } = await import('./carrier.ts')
  const made = new Carrier()
  expect(await made.asset('/a.png')).toBeDefined()
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
