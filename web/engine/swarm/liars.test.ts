import { describe, expect, test } from 'vitest'
import { concat, random, toHex, utf8 } from '../bytes.ts'
import { encode } from '../torrent/bencode.ts'
import { MemoryLink, noise, Stranger, testNode } from './testing.ts'
import { block, claim, info, infoHash, leecher, make, part, pieceLength, seed, stranger, whole, wrong } from './sample.ts'

describe('liars', () => {
  test('one that sent a whole wrong piece is banned, and the piece comes from another', async () => {
    const node = await leecher()
    const liar = seed(node, wrong)
    await liar.closed.promise
    expect(liar.banned).toBe(true)
    seed(node)
    await whole(node)
  })

  test('nobody is kept out by one that says to be that peer', async () => {
    const node = await leecher()
    const honest = toHex(random(20))
    const first = new Stranger(node, infoHash, honest, new MemoryLink(toHex(random(20)), false))
    await first.met.promise
    const liar = new Stranger(node, infoHash, honest, new MemoryLink(toHex(random(20)), false))
    await liar.met.promise
    liar.channel.send(noise(4096))
    await liar.closed.promise
    expect([liar.banned, first.channel.open]).toEqual([true, true])
    await new Stranger(node, infoHash, honest).met.promise
  })

  test('of three, the one that lied in one block is banned, the honest ones are not', async () => {
    await make(pieceLength)
    const node = await leecher()
    // In the first round each sends only its own units of 16 KiB, the second one a wrong one.
    const owned = [[0], [1], [2, 3]]
    const sent = new Set<number>()
    const peers = owned.map((units, k) => {
      const peer = stranger(node)
      void peer.met.promise.then(() => {
        peer.wire.bitfield(new Uint8Array(), 1, 1)
        peer.wire.unchoke()
      })
      peer.request = (index, begin, length) => {
        const unit = begin / block
        if (sent.size < 4 && !units.includes(unit)) return peer.wire.reject(index, begin, length)
        const lie = sent.size < 4 && k === 1
        sent.add(unit)
        peer.wire.piece(index, begin, lie ? wrong(part(index, begin, length)) : part(index, begin, length))
      }
      return peer
    })
    await whole(node)
    expect(peers.map((peer) => peer.banned)).toEqual([false, true, false])
  })

  test.each([
    ['garbage', (peer: Stranger) => peer.channel.send(noise(4096))],
    ['an oversized message', (peer: Stranger) => peer.channel.send(new Uint8Array([0x7f, 0xff, 0xff, 0xff, 7]))],
    ['a bitfield of a wrong length', (peer: Stranger) => peer.wire.bitfield(new Uint8Array(99).fill(1), 9, 792)],
    ['a have beyond the last piece', (peer: Stranger) => peer.wire.have(10)],
    ['a request beyond the end', (peer: Stranger) => peer.wire.request(9, pieceLength, block)],
    ['blocks that nobody asked for', (peer: Stranger) => {
      for (let i = 0; i < 40; i++) peer.wire.piece(i % 9, 0, new Uint8Array(64 << 10))
    }],
    ['a card that is too long', (peer: Stranger) => peer.wire.extended('sl_card', new Uint8Array(50 << 10))],
  ])('%s ends the link', async (_, attack) => {
    const node = await leecher()
    const peer = new Stranger(node, infoHash)
    peer.shake = () => attack(peer)
    await peer.closed.promise
    expect(peer.banned).toBe(true)
    seed(node)
    await whole(node)
  })

  test('what was asked of another meanwhile, cancelled, and comes all the same is no lie', async () => {
    const node = await leecher()
    const slow = stranger(node)
    const asked: [number, number, number][] = []
    slow.request = (...ask) => void asked.push(ask)
    await slow.met.promise
    slow.wire.extendedHandshake({ version: 'test', reqq: 500, metadataSize: info.length })
    slow.wire.bitfield(Uint8Array.of(255, 128), 9, 10)
    slow.wire.unchoke()
    await slow.hears(/^request/)
    // With 64 KiB more it would be too much.
    for (let i = 0; i < 15; i++) slow.wire.piece(9, 0, new Uint8Array(64 << 10))
    seed(node)
    await whole(node)
    await slow.hears(/^cancel/)
    for (const [index, begin, length] of asked) slow.wire.piece(index, begin, part(index, begin, length))
    slow.wire.interested()
    await slow.hears(/^unchoke/)
    expect(slow.banned).toBe(false)
  })

  test('wrong metadata is blamed on who sent it, and fetched of another', async () => {
    const node = testNode()
    await node.node.add(infoHash, {})
    const liar = new Stranger(node, infoHash)
    await liar.met.promise
    liar.wire.extendedHandshake({ version: 'test', reqq: 1, metadataSize: info.length })
    liar.extension = () => {
      const head = encode({ msg_type: 1, piece: 0, total_size: info.length })
      liar.wire.extended('ut_metadata', concat([head, wrong(info)]))
    }
    await liar.closed.promise
    expect(liar.banned).toBe(true)
    const good = seed(node)
    good.extension = () => {
      const head = encode({ msg_type: 1, piece: 0, total_size: info.length })
      good.wire.extended('ut_metadata', concat([head, info]))
    }
    await whole(node)
  })

  test('metadata that bencodes a bomb is refused', async () => {
    await claim(utf8.encode('l'.repeat(200_000)))
    const node = testNode()
    await node.node.add(infoHash, {})
    const peer = new Stranger(node, infoHash)
    await peer.met.promise
    peer.wire.extendedHandshake({ version: 'test', reqq: 1, metadataSize: info.length })
    peer.extension = (_, payload) => {
      const piece = Number(/5:piecei(\d+)e/.exec(new TextDecoder().decode(payload))![1])
      const head = encode({ msg_type: 1, piece, total_size: info.length })
      peer.wire.extended('ut_metadata', concat([head, info.slice(piece * block, (piece + 1) * block)]))
    }
    const state = await node.until(infoHash, ({ error }) => !!error)
    expect(state).toMatchObject({ status: 'failed', error: { code: 'bad-torrent' } })
  })

  test('an unknown infohash, our own peer_id', async () => {
    const node = await leecher()
    await new Stranger(node, '00'.repeat(20)).closed.promise
    await new Stranger(node, infoHash, node.id).closed.promise
  })
})
