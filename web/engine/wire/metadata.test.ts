// @ts-expect-error: it has no types
import Protocol from 'bittorrent-protocol'
import { describe, expect, test, vi } from 'vitest'
// @ts-expect-error: it has no types
import utMetadata from 'ut_metadata'
import { concat, random, utf8, type Bytes } from '../bytes.ts'
import { decodePrefix, dictOf, encode, sizeOf } from '../torrent/bencode.ts'
import { makeInfo } from '../torrent/making.ts'
import { infoHashOf, parseTorrent } from '../torrent/metainfo.ts'
import { MetadataExchange } from './metadata.ts'
import { recorder } from './recorder.ts'
import { Wire } from './wire.ts'

const part = 16_384
const peerId = 'cd'.repeat(20)

function infoOf(pieces: number): Bytes {
  const hashes = concat(Array.from({ length: pieces }, () => random(20)))
  return makeInfo({ name: 'a', files: [{ path: 'a', size: pieces * 65_536 }], pieceLength: 65_536, hashes })
}

const ignore = recorder().handler

/** A peer that the test plays. */
interface Played {
  wire: Wire
  /** What it was asked for. */
  asked: number[]
  /** Sends that part, or what is given in its place. */
  answer: (index: number, change?: object, data?: Bytes) => void
  send: (payload: Bytes) => void
}

/** A fetching exchange, and peers at it that the test plays itself. */
async function fetching(info: Bytes): Promise<{
  exchange: MetadataExchange
  got: Promise<Bytes>
  liars: [Wire, string][]
  peer: (size?: number) => Played
}> {
  const liars: [Wire, string][] = []
  let exchange!: MetadataExchange
  const infoHash = await infoHashOf(info)
  const got = new Promise<Bytes>((onmetadata) => {
    exchange = new MetadataExchange({ infoHash, onmetadata, onliar: (wire, reason) => liars.push([wire, reason]) })
  })
  const peer = (size = info.length): Played => {
    const asked: number[] = []
    const wire = new Wire({
      send: (data) => {
        const dict = dictOf(decodePrefix(data.slice(6))[0])!
        expect(dict.get('msg_type')).toBe(0)
        asked.push(sizeOf(dict.get('piece'))!)
      },
    }, ignore)
    receive(wire, 'd1:md11:ut_metadatai7eee')
    exchange.add(wire, size)
    const send = (payload: Bytes): void => exchange.receive(wire, payload)
    return {
      wire, asked, send,
      answer: (index, change = {}, data = info.slice(index * part, (index + 1) * part)) =>
        send(concat([encode({ msg_type: 1, piece: index, total_size: size, ...change }), data])),
    }
  }
  return { exchange, got, liars, peer }
}

/** A handshake and an extended handshake that say so. */
function receive(wire: Wire, dict: string): void {
  const { handler } = wire
  wire.handler = ignore
  const head = new Uint8Array(68)
  head.set(utf8.encode('\x13BitTorrent protocol'))
  wire.receive(head)
  wire.receive(concat([new Uint8Array([0, 0, 0, dict.length + 2, 20, 0]), utf8.encode(dict)]))
  wire.handler = handler
}

describe('fetching', () => {
  test('keeps only so much of what many peers send unasked', async () => {
    const info = infoOf(3000)
    const { exchange, got, peer } = await fetching(info)
    const size = 8 << 20
    const [first, ...racers] = [peer(), peer(), peer()]
    const flood = Array.from({ length: 5 }, () => peer(size))
    const data = new Uint8Array(part)
    for (const { answer } of flood) for (let i = 0; i < size / part - 1; i++) answer(i, {}, data)
    for (const { wire } of [...racers, ...flood.slice(0, 4)]) exchange.remove(wire)
    // Of 5 × 511 parts 2048 were kept. What came after those is asked for again.
    expect(flood[4]!.asked.slice(0, 6)).toEqual([1, 2, 3, 4, 4, 5])
    for (const i of first!.asked) first!.answer(i)
    expect(await got).toEqual(info)
  })

  test('in parts, several at once, from one peer', async () => {
    const info = infoOf(30_000) // 37 parts
    const { got, liars, peer } = await fetching(info)
    const { asked, answer } = peer()
    expect(asked).toHaveLength(16)
    for (let i = 0; i < asked.length; i++) answer(asked[i]!)
    expect(asked).toEqual(Array.from({ length: 37 }, (_, i) => i))
    expect(Buffer.compare(await got, info)).toBe(0)
    expect(liars).toEqual([])
  })

  test('from whoever is first; the others are not blamed', async () => {
    const info = infoOf(10)
    const { exchange, got, liars, peer } = await fetching(info)
    const slow = peer()
    const quick = peer()
    const none = peer(0)
    expect([slow.asked, quick.asked, none.asked]).toEqual([[0], [0], []])
    quick.answer(0)
    expect(await got).toEqual(info)
    slow.answer(0)
    slow.answer(0, {}, utf8.encode('wrong'))
    expect(liars).toEqual([])
    expect(exchange.info).toEqual(info)
  })

  test.each<[string, (peer: Played) => void]>([
    ['the content', ({ answer }) => (answer(0, {}, new Uint8Array(part)), answer(1))],
    ['a part too short', ({ answer }) => answer(0, {}, new Uint8Array(5))],
    ['a part too long', ({ answer }) => answer(1, {}, new Uint8Array(part + 1))],
    ['a part that does not exist', ({ answer }) => answer(2, {}, new Uint8Array(part))],
    ['a part far away', ({ answer }) => answer(2 ** 50, {}, new Uint8Array(0))],
    ['a negative part', ({ answer }) => answer(-1)],
    ['another size than before', ({ answer }) => answer(0, { total_size: 5 })],
    ['no dictionary', ({ send }) => send(utf8.encode('garbage'))],
    ['no message', ({ send }) => send(encode({ piece: 0 }))],
    ['the same without end', ({ answer }) => { for (let i = 0; i < 100; i++) answer(0) }],
  ])('a peer that is wrong about %s is blamed, and another is asked', async (_, lie) => {
    const info = infoOf(1000) // 2 parts
    const { got, liars, peer } = await fetching(info)
    const liar = peer()
    peer()
    peer()
    const honest = peer()
    expect(honest.asked).toEqual([])
    lie(liar)
    await vi.waitFor(() => expect(liars).toHaveLength(1))
    expect(liars[0]![0]).toBe(liar.wire)
    liar.answer(0)
    expect(honest.asked).toEqual([0, 1])
    honest.asked.forEach((index) => honest.answer(index))
    expect(await got).toEqual(info)
    expect(liars).toHaveLength(1)
  })

  test('nothing is a part where the last one is whole', async () => {
    const { liars, peer } = await fetching(infoOf(1000))
    const liar = peer(part)
    liar.answer(1, {}, new Uint8Array())
    expect(liars).toEqual([[liar.wire, 'metadata of another size']])
  })

  test('a size of its own is the matter of each peer', async () => {
    const info = infoOf(1000)
    const { got, liars, peer } = await fetching(info)
    const liar = peer(8 << 20)
    const honest = peer()
    liar.answer(0)
    honest.answer(0)
    liar.answer(1, {}, new Uint8Array(part))
    honest.answer(1)
    expect(await got).toEqual(info)
    expect(liars).toEqual([])
  })

  test('silent peers make way, and may still answer late', async () => {
    const info = infoOf(1000)
    const { exchange, got, peer } = await fetching(info)
    const silent = [peer(), peer(), peer()]
    const next = peer()
    silent[0]!.answer(0)
    silent[1]!.send(encode({ msg_type: 2, piece: 0 }))
    exchange.rotate()
    expect(next.asked).toEqual([0, 1])
    silent[2]!.answer(0)
    silent[2]!.answer(1)
    expect(await got).toEqual(info)
  })

  test('peers that send are asked on, also where others make way', async () => {
    const { exchange, peer } = await fetching(infoOf(10_000))
    const [slow] = [peer(), peer(), peer()]
    slow!.answer(0)
    exchange.rotate()
    const asked = slow!.asked.length
    slow!.answer(1)
    exchange.rotate()
    expect(slow!.asked.length).toBe(Math.min(asked + 1, 13))
    expect(new Set(slow!.asked).size).toBe(slow!.asked.length)
  })

  test('a peer that leaves makes way', async () => {
    const { exchange, peer } = await fetching(infoOf(10))
    const first = [peer(), peer(), peer()]
    const next = peer()
    exchange.remove(first[0]!.wire)
    expect(next.asked).toEqual([0])
    exchange.add(next.wire, 50)
    expect(next.asked).toEqual([0])
  })
})

describe('serving', () => {
  const info = infoOf(1000)
  const setup = async (bufferedAmount = 0): Promise<{ ask: (piece: number) => void; greet: () => void; sent: Bytes[] }> => {
    const exchange = new MetadataExchange({
      infoHash: await infoHashOf(info), onmetadata: () => expect.unreachable(), onliar: () => expect.unreachable(),
    }, info)
    const sent: Bytes[] = []
    const wire = new Wire({ send: (data) => sent.push(data.slice(6)), bufferedAmount }, ignore)
    receive(wire, 'd1:md11:ut_metadatai7eee')
    const greet = (): void => exchange.add(wire, 0)
    greet()
    return { sent, greet, ask: (piece) => exchange.receive(wire, encode({ msg_type: 0, piece })) }
  }
  const rejected = (piece: number): Bytes => encode({ msg_type: 2, piece })

  test('parts, and rejects for what there is not', async () => {
    const { ask, sent } = await setup()
    ask(0)
    ask(1)
    ask(2)
    const head = (piece: number): Bytes => encode({ msg_type: 1, piece, total_size: info.length })
    expect(sent).toEqual([
      concat([head(0), info.subarray(0, part)]), concat([head(1), info.subarray(part)]), rejected(2),
    ])
  })

  test('not without end', async () => {
    const { ask, greet, sent } = await setup()
    for (let i = 0; i < 1000; i++) {
      ask(0)
      greet()
    }
    expect(sent.length).toBeLessThan(20)
  })

  test('not faster than they are taken', async () => {
    const { ask, sent } = await setup(2 << 20)
    ask(0)
    expect(sent).toEqual([rejected(0)])
  })
})

test.each([['to', true], ['from', false]])("%s webtorrent's ut_metadata", async (_, serving) => {
  const info = infoOf(3000) // 4 parts
  const infoHash = await infoHashOf(info)
  const theirs = new Protocol()
  theirs.use(utMetadata(serving ? undefined : info))
  const got = new Promise<Uint8Array>((onmetadata) => {
    const exchange = new MetadataExchange(
      { infoHash, onmetadata, onliar: (_wire, reason) => expect.unreachable(reason) }, serving ? info : undefined)
    const ours = new Wire({ send: (data) => theirs.write(data.slice()) }, {
      ...ignore,
      onhandshake: () => {
        ours.handshake(infoHash, peerId)
        ours.extendedHandshake({ version: '0.1', reqq: 250, metadataSize: serving ? info.length : undefined })
      },
      onextendedhandshake: ({ metadataSize }) => exchange.add(ours, metadataSize),
      onextended: (_name, payload) => exchange.receive(ours, payload),
      onviolation: () => expect.unreachable(),
    })
    theirs.on('data', (data: Uint8Array) => ours.receive(new Uint8Array(data)))
    if (!serving) return
    theirs.ut_metadata.on('metadata', (file: Uint8Array) => onmetadata(parseTorrent(new Uint8Array(file)).infoBytes))
    theirs.ut_metadata.fetch()
  })
  theirs.handshake(infoHash, 'ee'.repeat(20))
  expect(await got).toEqual(info)
  theirs.destroy()
})
