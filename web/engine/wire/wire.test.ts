// @ts-expect-error: it has no types
import Protocol from 'bittorrent-protocol'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { concat, fromHex, random, toHex, utf8, type Bytes } from '../bytes.ts'
import { encode } from '../torrent/bencode.ts'
import { makeInfo } from '../torrent/making.ts'
import { parseInfo, type Info } from '../torrent/metainfo.ts'
import { recorder, type Call } from './recorder.ts'
import { fits } from './bitfield.ts'
import { maxBlock, Wire, type Extension } from './wire.ts'

const infoHash = 'ab'.repeat(20)
const peerId = 'cd'.repeat(20)
const handshake = '13426974546f7272656e742070726f746f636f6c' + '0000000000100004' + infoHash + peerId

/** 10 pieces of 64 KiB and one of 1,000 bytes. */
const info: Info = parseInfo(makeInfo({
  name: 'a', files: [{ path: 'a', size: 10 * 65_536 + 1000 }], pieceLength: 65_536, hashes: new Uint8Array(220),
}))

/** A wire past its handshake, and what it sent and told. */
function opened(known = true): { wire: Wire; calls: Call[]; sent: Bytes[]; feed: (hex: string) => void } {
  const { handler, calls } = recorder()
  const sent: Bytes[] = []
  const wire = new Wire({ send: (data) => sent.push(data) }, handler)
  const feed = (hex: string): void => wire.receive(fromHex(hex)!)
  feed(handshake)
  calls.length = 0
  if (known) wire.info = info
  return { wire, calls, sent, feed }
}

describe('messages, as the BEPs write them', () => {
  test.each<[string, (wire: Wire) => void, string, Call[]]>([
    ['choke', (wire) => wire.choke(), '0000000100', [['onchoke']]],
    ['unchoke', (wire) => wire.unchoke(), '0000000101', [['onunchoke']]],
    ['interested', (wire) => wire.interested(), '0000000102', [['oninterested']]],
    ['not interested', (wire) => wire.notInterested(), '0000000103', [['onnotinterested']]],
    ['have', (wire) => wire.have(10), '00000005040000000a', [['onhave', 10]]],
    ['bitfield', (wire) => wire.bitfield(fromHex('80e0')!, 4, 11), '000000030580e0', [['onbitfield', '80e0']]],
    ['have all', (wire) => wire.bitfield(fromHex('ffe0')!, 11, 11), '000000010e', [['onhaveall']]],
    ['have none', (wire) => wire.bitfield(fromHex('0000')!, 0, 11), '000000010f', [['onhavenone']]],
    ['request', (wire) => wire.request(1, 0x4000, 0x4000),
      '0000000d06000000010000400000004000', [['onrequest', 1, 0x4000, 0x4000]]],
    ['piece', (wire) => (wire.request(0, 0, 3), wire.piece(2, 0x8000, fromHex('010203')!)),
      '0000000c070000000200008000010203', [['onpiece', 2, 0x8000, '010203']]],
    ['cancel', (wire) => wire.cancel(1, 0, 0x4000), '0000000d08000000010000000000004000', [['oncancel', 1, 0, 0x4000]]],
    ['reject', (wire) => wire.reject(1, 0, 0x4000), '0000000d10000000010000000000004000', [['onreject', 1, 0, 0x4000]]],
    ['keep-alive', (wire) => wire.keepAlive(), '00000000', []],
  ])('%s', (_, send, hex, expected) => {
    const { wire, calls, sent, feed } = opened()
    send(wire)
    expect(toHex(concat(sent)).slice(-hex.length)).toBe(hex)
    feed(hex)
    expect(calls).toEqual(expected)
  })

  test('the handshake', () => {
    const { handler, calls } = recorder()
    const sent: Bytes[] = []
    const wire = new Wire({ send: (data) => sent.push(data) }, handler)
    wire.handshake(infoHash, peerId)
    expect(toHex(sent[0]!)).toBe(handshake)
    wire.receive(sent[0]!)
    expect(calls).toEqual([['onhandshake', { infoHash, peerId, fast: true, extended: true }]])
  })

  test('allowed fast is for those who want it; suggest, port and unknown ids are passed over', () => {
    const { calls, feed } = opened()
    feed('000000050d00000001' + '000000051100000002' + '0000000309abcd')
    feed('00000004ff010203' + '00000003142aff' + '0000000100')
    expect(calls).toEqual([['onallowedfast', 2], ['onchoke']])
  })

  test('to a peer without BEP 6, only what BEP 3 knows', () => {
    const { handler } = recorder()
    const sent: Bytes[] = []
    const wire = new Wire({ send: (data) => sent.push(data) }, handler)
    wire.receive(fromHex(handshake.replace('0000000000100004', '0000000000100000'))!)
    expect(wire.fast).toBe(false)
    wire.reject(0, 0, 1)
    wire.bitfield(fromHex('00')!, 0, 8)
    expect(sent).toEqual([])
    wire.bitfield(fromHex('ff')!, 8, 8)
    expect(toHex(sent[0]!)).toBe('0000000205ff')
  })
})

test('a payload is not copied when it arrives in one portion, and stays as it was when it does not', () => {
  const { wire } = opened()
  const seen: Bytes[] = []
  wire.handler = { ...wire.handler, onpiece: (_index, _begin, data) => void seen.push(data) }
  wire.request(0, 0, maxBlock)
  const message = fromHex('0000000c07000000000000000001' + '0203')!
  wire.receive(message)
  expect(seen[0]!.buffer).toBe(message.buffer)
  wire.receive(message.slice(0, 9))
  wire.receive(message.slice(9))
  wire.receive(message.slice(0, 14))
  wire.receive(message.slice(14))
  expect(seen.map(toHex)).toEqual(['010203', '010203', '010203'])
})

test('however the bytes are cut, the messages are the same', () => {
  const stream = fromHex(handshake + '00000000' + '0000000101' + '000000050400000003' + '000000030580e0' +
    '00000000' + '0000000c070000000200008000010203' + '0000000102' + '0000000d06000000010000400000004000')!
  fc.assert(fc.property(fc.array(fc.nat(stream.length), { maxLength: 40 }), (cuts) => {
    const { handler, calls } = recorder()
    const wire = new Wire({ send: () => {} }, handler)
    wire.info = info
    wire.request(0, 0, 3)
    let at = 0
    for (const cut of [...cuts.sort((a, b) => a - b), stream.length]) {
      wire.receive(stream.slice(at, cut))
      at = cut
    }
    expect(calls.map(([name]) => name)).toEqual([
      'onhandshake', 'onunchoke', 'onhave', 'onbitfield', 'onpiece', 'oninterested', 'onrequest',
    ])
  }))
})

describe('a peer in error is reported once, and nothing more of it is read', () => {
  const huge = (head: string, length: number): string => head + '00'.repeat(length)
  test.each([
    ['a message longer than any', '00020001'],
    ['a length of 4 GiB', 'ffffffff'],
    ['choke with a payload', '000000020000'],
    ['have without index', '0000000104'],
    ['have of three bytes', '0000000404000000'],
    ['have beyond the end', '00000005040000000b'],
    ['a bitfield too short', '0000000205ff'],
    ['a bitfield too long', '0000000405ffe000'],
    ['a bitfield with spare bits', '0000000305fff0'],
    ['a request cut short', '00000009060000000000000000'],
    ['a request of nothing', '0000000d06000000000000000000000000'],
    ['a request of 4 GiB', '0000000d060000000000000000ffffffff'],
    ['a request past its piece', '0000000d06000000000000f00000004000'],
    ['a request past the last piece', '0000000d060000000a0000000000004000'],
    ['a request beyond the torrent', '0000000d060000000b0000000000004000'],
    ['a begin that wraps', '0000000d0600000000ffffffff00000010'],
    ['a piece that nobody asked for', huge('00004009' + '07', 0x4008)],
    ['a piece without data', '00000009070000000000000000'],
    ['a piece beyond the torrent', '0000000a070000000b00000000ff'],
    ['a cancel cut short', '0000000208ff'],
    ['a cancel beyond the torrent', '0000000d080000000b0000000000004000'],
    ['have all with a payload', '000000020e00'],
    ['have none with a payload', '000000020f00'],
    ['a reject beyond the torrent', '0000000d10ffffffff0000000000004000'],
    ['allowed fast beyond the torrent', '0000000511ffffffff'],
    ['an extended message without id', '0000000114'],
    ['an extended handshake that is none', '000000051400616263'],
    ['an extended handshake that is a list', '0000000414006c65'],
    ['an extended handshake with a tail', '000000051400646565'],
    ['an extended handshake of depth', '000100001400' + '6c'.repeat(0xfffe)],
  ])('%s', (_, hex) => {
    const { wire, calls, feed } = opened()
    feed(hex + '0000000101')
    feed('0000000101')
    expect(calls).toEqual([['onviolation']])
    const before = calls.length
    wire.choke()
    expect(calls).toHaveLength(before)
  })

  test('a longer block than was asked for', () => {
    const { wire, calls, feed } = opened()
    wire.request(0, 0, 16)
    feed('00000019070000000000000000' + '00'.repeat(16))
    feed('0000001a070000000000000000' + '00'.repeat(17))
    expect(calls.map(([name]) => name)).toEqual(['onpiece', 'onviolation'])
  })

  const shouted = '13' + toHex(utf8.encode('BITTORRENT PROTOCOL'))
  test.each([shouted, toHex(utf8.encode('GET / HTTP/1.1\r\n\r\n')), '00'.repeat(20)])('no handshake: %s', (hex) => {
    const { handler, calls } = recorder()
    new Wire({ send: () => {} }, handler).receive(fromHex(hex + '00'.repeat(60))!)
    expect(calls.map(([name]) => name)).toEqual(['onviolation'])
  })
})

test('before the metadata is here: what cannot be checked is passed on, requests are not', () => {
  const { calls, feed } = opened(false)
  feed('0000000504ffffffff' + '000000030580e0' + '0000000d06000000010000400000004000')
  expect(calls).toEqual([['onhave', 0xffffffff], ['onbitfield', '80e0']])
  expect([10, 11, 16, 17].map((pieces) => fits(fromHex('80e0')!, pieces))).toEqual([false, true, true, false])
  expect(fits(new Uint8Array(), 0)).toBe(true)
})

test('a request of more than a block ends the wire, however long pieces are', () => {
  const { calls, feed } = opened(false)
  feed('0000000d06000000000000000000010000')
  expect(calls).toEqual([])
  feed('0000000d06000000000000000000010001')
  expect(calls).toEqual([['onviolation']])
})

test('a handler that closes the wire hears no more, and says no more', () => {
  const { wire, calls, sent, feed } = opened()
  wire.handler = { ...recorder().handler, onchoke: () => wire.close() }
  feed('0000000100' + '0000000101')
  wire.close()
  wire.have(1)
  expect([calls, sent]).toEqual([[], []])
})

describe('BEP 10', () => {
  const say = (dict: Parameters<typeof encode>[0]): string => {
    const body = toHex(encode(dict))
    return (body.length / 2 + 2).toString(16).padStart(8, '0') + '1400' + body
  }

  test('two of ours', () => {
    const a = opened()
    const b = opened()
    a.wire.extendedHandshake({ version: '0.1', reqq: 500, metadataSize: 1234 })
    b.wire.receive(a.sent[0]!)
    expect(b.calls).toEqual([
      ['onextendedhandshake', { client: utf8.encode('Starling 0.1'), metadataSize: 1234, reqq: 500, block: 65_536 }],
    ])
    expect(b.wire.supports('sl_link')).toBe(true)
    expect(b.wire.extended('sl_card', utf8.encode('card'))).toBe(true)
    a.wire.receive(b.sent[0]!)
    expect(a.calls).toEqual([['onextended', 'sl_card', toHex(utf8.encode('card'))]])
    expect(a.wire.extended('sl_card', utf8.encode('card'))).toBe(false)
  })

  test.each<[string, Parameters<typeof encode>[0], object]>([
    ['nothing', {}, {}],
    ['everything of the wrong kind', { v: 5, m: [], metadata_size: 'x', reqq: [], sl_block: {} }, {}],
    ['everything too large', { v: 'x'.repeat(1000), metadata_size: 2 ** 40, reqq: 2 ** 40, sl_block: 2 ** 20 },
      { client: utf8.encode('x'.repeat(256)), reqq: 2000, block: 65_536 }],
    ['everything too small', { v: '', metadata_size: -1, reqq: 0, sl_block: 1 }, { client: new Uint8Array(), reqq: 1 }],
    ['a block of 32 KiB', { sl_block: 32_768 }, { block: 32_768 }],
    ['an odd block', { sl_block: 20_000 }, {}],
  ])('a handshake that says %s', (_, dict, expected) => {
    const { calls, feed } = opened()
    feed(say(dict))
    expect(calls).toEqual([
      ['onextendedhandshake', { client: undefined, metadataSize: 0, reqq: 250, block: 16_384, ...expected }],
    ])
  })

  test('ids come, change and go', () => {
    const { wire, sent, feed } = opened()
    feed(say({ m: { ut_metadata: 3, sl_link: 0, sl_card: 256, other: 1 } }))
    const names: Extension[] = ['ut_metadata', 'sl_link', 'sl_card']
    expect(names.map((name) => wire.supports(name))).toEqual([true, false, false])
    feed(say({ m: { ut_metadata: 200 } }))
    wire.extended('ut_metadata', fromHex('ff')!)
    expect(toHex(sent[0]!)).toBe('0000000314c8ff')
    feed(say({ m: { ut_metadata: 0 } }))
    expect(wire.supports('ut_metadata')).toBe(false)
  })
})

test('garbage behind a handshake throws nothing and ends', () => {
  const id = fc.constantFrom(0, 4, 5, 6, 7, 8, 13, 14, 15, 16, 17, 20, 21)
  const message = fc.tuple(id, fc.uint8Array({ maxLength: 40 })).map(([id, body]) => {
    const head = new Uint8Array(5)
    new DataView(head.buffer).setUint32(0, body.length + 1)
    head[4] = id
    return concat([head, body])
  })
  fc.assert(fc.property(fc.array(fc.oneof(message, fc.uint8Array({ maxLength: 40 }))), fc.boolean(), (parts, known) => {
    const { wire, calls } = opened(known)
    wire.request(0, 0, 16_384)
    for (const part of parts) wire.receive(new Uint8Array(part))
    expect(calls.filter(([name]) => name === 'onviolation').length).toBeLessThanOrEqual(1)
    if (known) {
      for (const [name, index, begin, length] of calls) {
        const size = index === 10 ? 1000 : 65_536
        if (name === 'onrequest') expect((begin as number) + (length as number)).toBeLessThanOrEqual(size)
        if (/^on(have|piece|cancel|reject|allowedfast|suggest)$/.test(name)) expect(index).toBeLessThan(11)
      }
    }
  }), { numRuns: 1000 })
})

test("webtorrent's wire at the other end", async () => {
  const theirs = new Protocol()
  const { handler, calls } = recorder()
  const ours = new Wire({ send: (data) => theirs.write(data.slice()) }, {
    ...handler,
    onhandshake: () => {
      ours.handshake(infoHash, peerId)
      ours.extendedHandshake({ version: '0.1', reqq: 250, metadataSize: 99 })
      ours.bitfield(fromHex('8000')!, 1, 11)
      ours.unchoke()
    },
    onextendedhandshake: (value) => calls.push(['onextendedhandshake', value]),
    onhaveall: () => calls.push(['onhaveall']),
    onunchoke: () => ours.request(3, 0, 5),
    oninterested: () => calls.push(['oninterested']),
    onrequest: (index, begin, length) => ours.piece(index, begin, new Uint8Array(length).fill(7)),
    onpiece: (index, begin, data) => calls.push(['onpiece', index, begin, toHex(data)]),
    onviolation: () => expect.unreachable(),
  })
  ours.info = info
  theirs.on('data', (data: Uint8Array) => ours.receive(new Uint8Array(data)))
  type Answer = (error: Error | null, data: Uint8Array) => void
  theirs.on('request', (_index: number, _offset: number, _length: number, answer: Answer) =>
    answer(null, utf8.encode('hello')))
  const their = { extended: vi.fn(), bitfield: vi.fn() }
  theirs.on('extended', (name: string, value: object) => name === 'handshake' && their.extended(value))
  theirs.on('bitfield', () => their.bitfield(theirs.peerPieces.get(0), theirs.peerPieces.get(1)))
  theirs.on('handshake', () => {
    theirs.haveAll()
    theirs.unchoke()
    theirs.interested()
  })
  const got = new Promise((resolve, reject) => {
    const take: Answer = (error, data) => (error ? reject(error) : resolve(toHex(data)))
    theirs.on('unchoke', () => theirs.request(0, 0, 16_384, take))
  })
  theirs.handshake(infoHash, 'ee'.repeat(20), { fast: true })

  expect(await got).toBe('07'.repeat(16_384))
  expect(their.bitfield).toHaveBeenCalledWith(true, false)
  expect(their.extended).toHaveBeenCalledWith(expect.objectContaining({
    metadata_size: 99, sl_block: 65_536, m: { sl_card: 3, sl_lane: 4, sl_link: 2, ut_metadata: 1 },
  }))
  const order = ['onhaveall', 'oninterested', 'onextendedhandshake', 'onpiece']
  await vi.waitFor(() => expect(calls.map(([name]) => name)).toEqual(order))
  expect(calls.at(-1)).toEqual(['onpiece', 3, 0, toHex(utf8.encode('hello'))])
  theirs.destroy()
})

test('a fast sender in tiny portions costs no more than its bytes', () => {
  const { wire, calls } = opened()
  wire.request(0, 0, maxBlock)
  const message = concat([fromHex('00010009' + '07' + '0000000000000000')!, random(65_536)])
  for (let i = 0; i < message.length; i++) wire.receive(message.subarray(i, i + 1))
  expect(calls.map(([name]) => name)).toEqual(['onpiece'])
})

describe('a lane', () => {
  const piece = '0000000c070000000200008000010203'

  test('brings pieces while a message comes by the channel', () => {
    const { wire, calls, feed } = opened()
    wire.request(2, 0x8000, 3)
    feed('0000000504')
    wire.lane(fromHex(piece)!)
    feed('0000000a')
    wire.lane(fromHex(piece)!)
    const came: Call = ['onpiece', 2, 0x8000, '010203']
    expect(calls).toEqual([came, ['onhave', 10], came])
    wire.close()
    wire.lane(fromHex(piece)!)
    expect(calls.length).toBe(3)
  })

  test.each([
    ['', 'nothing'], ['00000000', 'a keep-alive'], ['0000000100', 'another message'], [piece + '00', 'more than a piece'],
    [piece.slice(0, -2), 'a part of one'], ['0000000d0700000002000080000102030405', 'two lengths'],
    ['0000000d07000000020000800001020304', 'more than was asked for'],
  ])('that brings %s (%s) is an error', (hex) => {
    const { wire, calls } = opened()
    wire.request(2, 0x8000, 3)
    wire.lane(fromHex(hex)!)
    expect(calls.map(([name]) => name)).toEqual(['onviolation'])
  })
})
