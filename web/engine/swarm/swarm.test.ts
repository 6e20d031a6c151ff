import { describe, expect, test, vi } from 'vitest'
import { Deferred } from '../deferred.ts'
import { encode } from '../torrent/bencode.ts'
import { allowedFast, extension, message } from '../wire/messages.ts'
import { Picker } from './picker.ts'
import { MemoryLink, Stranger, testNode } from './testing.ts'
import { data, infoHash, leecher, part, seed, stranger, torrent, whole } from './sample.ts'

test('a link brings a torrent one peer, however many channels it has', async () => {
  const node = await leecher()
  const first = stranger(node)
  await first.met.promise
  const again = stranger(node, first.channel.other.link)
  await again.closed.promise
  expect(first.channel.open).toBe(true)
  expect((await node.node.states())[0]!.peers).toHaveLength(1)
})

test.each<[string, (peer: Stranger) => void]>([
  ['it has a piece', (peer) => peer.wire.have(3)],
  ['it will send', (peer) => peer.wire.unchoke()],
  ['it will send a piece', (peer) => peer.channel.send(message(allowedFast, [3]))],
  ['it will not send, and that it will', (peer) => (peer.wire.choke(), peer.wire.unchoke())],
])('what is asked of whom is not decided again as often as a peer says that %s', async (_, say) => {
  const node = await leecher()
  const peer = stranger(node)
  await peer.met.promise
  peer.wire.extendedHandshake({ version: 'test', reqq: 500 })
  peer.wire.have(3)
  peer.wire.unchoke()
  await peer.hears(/^request 3/)
  const pick = vi.spyOn(Picker.prototype, 'pick')
  for (let i = 0; i < 20_000; i++) say(peer)
  peer.wire.interested()
  await Promise.race([peer.hears(/^unchoke/), peer.closed.promise])
  const picks = pick.mock.calls.length
  pick.mockRestore()
  expect(picks).toBeLessThan(5_000)
})

test('what a peer calls itself is told as one clean line', async () => {
  const node = await leecher()
  const told = new Deferred<string>()
  node.node.onpeer = (_, { client }) => told.resolve(client)
  const peer = stranger(node)
  peer.shake = () => peer.channel.send(extension(0, encode({ v: `a\u202e\u0000<b>\n${'x'.repeat(1000)}` })))
  expect(await told.promise).toBe(`a<b>${'x'.repeat(60)}`)
})

test('four links of silent channels leave room for others', async () => {
  const node = await leecher()
  for (let i = 0; i < 4; i++) {
    const link = new MemoryLink(String(i).repeat(40), false)
    for (let j = 0; j < 64; j++) new Stranger(node, '', undefined, link)
  }
  seed(node)
  await whole(node)
})

describe('what rendezvous is told', () => {
  test('what is wanted, and what is left', async () => {
    const node = testNode()
    await node.node.add(infoHash, {})
    const announcing = node.announced.get(infoHash)!
    expect(announcing).toMatchObject({ left: undefined, wanted: 10, stalled: true })
    node.trackers.push({ url: 'wss://tracker.test/', status: 'working', seeders: 1, leechers: 1 })
    const peer = seed(node)
    peer.request = () => {}
    await node.until(infoHash, ({ peers }) => peers.length === 1)
    expect(announcing).toMatchObject({ wanted: 0, stalled: false })
    node.trackers[0]!.seeders = 5
    expect(announcing.wanted).toBe(9)
    await node.node.add(torrent, {})
    expect(announcing.left).toBe(data.length)
    peer.request = (index, begin, length) => peer.wire.piece(index, begin, part(index, begin, length))
    seed(node)
    await whole(node)
    expect(announcing).toMatchObject({ left: 0, wanted: 0, stalled: false })
    expect(node.completed).toEqual([infoHash])
    await node.node.remove(infoHash, {})
    expect(node.announced.size).toBe(0)
  })

  test('attempts at links are counted, and shown while nobody is there', async () => {
    const node = testNode()
    await node.node.add(infoHash, {})
    node.tried(infoHash)
    expect((await node.node.states())[0]).toMatchObject({ status: 'connecting', linksTried: 1, linksFailed: 0 })
    node.node.failed(infoHash)
    expect((await node.node.states())[0]).toMatchObject({ status: 'finding', linksTried: 1, linksFailed: 1 })
  })
})
