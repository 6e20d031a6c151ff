import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { concat, fromHex, random, toHex, utf8, type Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import { StarlingError } from '../errors.ts'
import { memoryStores } from '../store/memory.ts'
import type { Store, Stores } from '../store/store.ts'
import { encode } from '../torrent/bencode.ts'
import { makeInfo, makeTorrent } from '../torrent/making.ts'
import { infoHashOf, parseInfo } from '../torrent/metainfo.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { allowedFast, extension, message } from '../wire/messages.ts'
import { hashPieces } from './hash.ts'
import { Picker } from './picker.ts'
import { channels, destroyAll, join, MemoryLink, noise, Stranger, testNode, type TestNode } from './testing.ts'

const pieceLength = 64 << 10
const block = 16 << 10

let data: Bytes
let info: Bytes
let infoHash: string
let torrent: Bytes

beforeEach(() => make(10 * pieceLength - 1000))
afterEach(destroyAll)

async function make(length: number): Promise<void> {
  ;({ data, info, infoHash, torrent } = await torrentOf(noise(length), pieceLength))
}

async function torrentOf(data: Bytes, pieceLength: number) {
  const { length } = data
  const hashes = await hashPieces(async (start, end) => data.slice(start, end), length, pieceLength)
  const info = makeInfo({ name: 'data.bin', files: [{ path: 'data.bin', size: length }], pieceLength, hashes })
  return { data, pieceLength, info, infoHash: await infoHashOf(info), torrent: makeTorrent(info, [], []) }
}

const part = (index: number, begin: number, length: number): Bytes =>
  data.slice(index * pieceLength + begin, index * pieceLength + begin + length)

async function leecher(options = {}, stores?: Stores): Promise<TestNode> {
  const node = testNode(options, stores)
  await node.node.add(torrent, {})
  return node
}

async function seeder(options = {}): Promise<TestNode> {
  const node = testNode(options)
  const state = await node.node.seed([new File([data], 'data.bin')], {})
  expect(state.infoHash).toBe(infoHash)
  return node
}

/** A peer that knows the metadata. link: the node's end of one that it has already. */
function stranger(to: TestNode, link?: MemoryLink): Stranger {
  const peer = new Stranger(to, infoHash, undefined, link)
  peer.wire.info = parseInfo(info)
  return peer
}

/** A peer that has all and answers what it is asked. lie may change what it sends. */
function seed(to: TestNode, lie: (data: Bytes, index: number, begin: number) => Bytes = (data) => data): Stranger {
  const peer = stranger(to)
  void peer.met.promise.then(() => {
    peer.wire.extendedHandshake({ version: 'test', reqq: 500, metadataSize: info.length })
    peer.wire.bitfield(new Uint8Array(), 10, 10)
    peer.wire.unchoke()
  })
  peer.request = (index, begin, length) => peer.wire.piece(index, begin, lie(part(index, begin, length), index, begin))
  return peer
}

const wrong = (data: Bytes): Bytes => data.map((byte) => ~byte)

async function whole(node: TestNode): Promise<void> {
  await node.until(infoHash, ({ done }) => done)
  const blob = await node.node.blob(infoHash, 0)
  expect(Buffer.compare(new Uint8Array(await blob.arrayBuffer()), data)).toBe(0)
}

describe('fetching', () => {
  test('from two seeds, each block once or nearly', async () => {
    const node = await leecher()
    const [one, two] = [seed(node), seed(node)]
    await whole(node)
    const asked = (peer: Stranger): number => peer.heard.filter((heard) => heard.startsWith('request')).length
    expect(asked(one)).toBeGreaterThan(0)
    expect(asked(two)).toBeGreaterThan(0)
  })

  test('blocks of 64 KiB of ours, 16 KiB of others', async () => {
    const node = await leecher()
    const ours = seed(node)
    ours.request = () => {}
    await ours.hears(/^request \d 0 65536/)
    const other = stranger(node)
    await other.met.promise
    other.wire.bitfield(new Uint8Array(), 10, 10)
    other.wire.unchoke()
    await other.hears(/^request \d \d+ 16384/)
    ours.request = (index, begin, length) => ours.wire.piece(index, begin, part(index, begin, length))
    other.request = () => {}
    expect(other.heard.filter((heard) => /^request.* 65536/.test(heard))).toEqual([])
    other.channel.close()
    ours.channel.close()
    seed(node)
    await whole(node)
  })

  test('a peer that leaves in the middle is made up for by another, and nothing is fetched twice', async () => {
    const node = await leecher()
    let served = 0
    const first = seed(node)
    first.request = (index, begin, length) => {
      if (++served <= 4) first.wire.piece(index, begin, part(index, begin, length))
      else first.channel.close()
    }
    await first.closed.promise
    await node.until(infoHash, ({ downloaded }) => downloaded > 4 * pieceLength - 2000)
    const second = seed(node)
    await whole(node)
    expect(second.heard.filter((heard) => heard.startsWith('request'))).toHaveLength(6)
  })

  test('resumes after a restart where it was, and hashes nothing again', async () => {
    const stores = memoryStores()
    const node = await leecher({}, stores)
    const first = seed(node)
    let served = 0
    first.request = (index, begin, length) => {
      if (++served <= 7) first.wire.piece(index, begin, part(index, begin, length))
    }
    await node.until(infoHash, ({ downloaded }) => downloaded > 6 * pieceLength)
    const { downloaded } = (await node.node.states())[0]!
    await node.node.remove(infoHash, {})
    const again = testNode({}, stores)
    await again.node.add(infoHash, {})
    await again.until(infoHash, (state) => state.ready && state.downloaded === downloaded)
    seed(again)
    await whole(again)
    await again.node.remove(infoHash, { destroyStore: true })
    expect(await stores.registry.list()).toEqual([])
  })

  test('a peer that sends nothing loses what it was asked for to others', async () => {
    const node = await leecher()
    const silent = seed(node)
    silent.request = () => {}
    await silent.hears(/^request/)
    seed(node)
    await whole(node)
  })

  /** A peer that has all, and answers nothing of itself; what it owes. */
  async function lingering() {
    const node = await leecher()
    const slow = seed(node)
    const owed: [number, number, number][] = []
    slow.request = (...ask) => void owed.push(ask)
    await vi.waitUntil(() => owed.length >= 4)
    return { node, slow, owed }
  }

  test('what a slow peer owes is not asked of it again when it sends at last', async () => {
    const { node, slow, owed } = await lingering()
    const now = performance.now.bind(performance)
    const ticked = new Deferred()
    slow.channel.onmessage = (data) => (data.length === 4 ? ticked.resolve() : slow.wire.receive(data))
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 120_000)
    try {
      // A keep-alive comes of the tick that sees it silent.
      await ticked.promise
      slow.request = (index, begin, length) => slow.wire.piece(index, begin, part(index, begin, length))
      for (const ask of owed) slow.request(...ask)
      await whole(node)
    } finally {
      clock.mockRestore()
    }
    expect(slow.heard.filter((heard) => heard.startsWith('request'))).toHaveLength(10)
  })

  test('a line so slow that each block waits for most of a minute is asked for it once', async () => {
    const { node, slow, owed } = await lingering()
    const now = performance.now.bind(performance)
    let ahead = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + ahead)
    const timer = setInterval(() => {
      ahead += 15_000
      const [index, begin, length] = owed.shift() ?? []
      if (length) slow.wire.piece(index!, begin!, part(index!, begin!, length))
    }, 300)
    try {
      await whole(node)
    } finally {
      clearInterval(timer)
      clock.mockRestore()
    }
    expect(slow.heard.filter((heard) => heard.startsWith('request'))).toHaveLength(10)
  })

  /**
   * A peer that has all, and keeps back some of what it is asked for: then it sends a block of that every quarter of a
   * minute, and ends no piece before it must.
   */
  async function trickling(node: TestNode, large: Awaited<ReturnType<typeof torrentOf>>, keeps: (begin: number) => boolean, most: number) {
    const { wire, ...peer } = await whoHas(node, large)
    const owed: [number, number, number][] = []
    const full = new Deferred()
    peer.answer((index, begin, length) => {
      if (!index || !keeps(begin)) return peer.send(index, begin, length)
      if (owed.push([index, begin, length]) === most) full.resolve()
    })
    wire.unchoke()
    await full.promise
    owed.sort(([, a], [, b]) => a - b)
    const now = performance.now.bind(performance)
    let ahead = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + ahead)
    const timer = setInterval(() => {
      ahead += 15_000
      peer.send(...owed.shift()!)
      if (!owed.length) clearInterval(timer)
    }, 600)
    onTestFinished(() => {
      clearInterval(timer)
      clock.mockRestore()
    })
    return owed
  }

  async function whoHas(node: TestNode, { infoHash, info, data, pieceLength }: Awaited<ReturnType<typeof torrentOf>>) {
    const peer = new Stranger(node, infoHash)
    const { pieces } = (peer.wire.info = parseInfo(info))
    await peer.met.promise
    peer.wire.bitfield(new Uint8Array(), pieces, pieces)
    const send = (index: number, begin: number, length: number): void => {
      const start = index * pieceLength + begin
      peer.wire.piece(index, begin, data.slice(start, start + length))
    }
    return { wire: peer.wire, send, answer: (how: typeof send) => void (peer.request = how) }
  }

  test('who keeps back a few blocks keeps the memory of their pieces from nobody for long', async () => {
    const large = await torrentOf(noise(40 << 20), 4 << 20)
    const node = testNode()
    await node.node.add(large.torrent, {})
    const owed = await trickling(node, large, (begin) => begin >= (4 << 20) - 8 * block, 48)
    const honest = await whoHas(node, large)
    honest.answer(honest.send)
    honest.wire.unchoke()
    await node.until(large.infoHash, ({ done }) => done)
    expect(owed.length).toBeGreaterThan(10)
  })

  test('a torrent whose pieces take all the memory leaves some to the others', async () => {
    const large = await torrentOf(noise(50 << 20), 25 << 20)
    const node = testNode()
    await node.node.add(large.torrent, {})
    const owed = await trickling(node, large, () => true, 40)
    await node.node.add(torrent, {})
    seed(node)
    await whole(node)
    expect(owed.length).toBeGreaterThan(0)
  })

  test('what is rejected is asked of another', async () => {
    const node = await leecher()
    const mean = seed(node)
    mean.request = (index, begin, length) => mean.wire.reject(index, begin, length)
    await mean.hears(/^request/)
    seed(node)
    await whole(node)
  })

  test('allowed fast pieces are asked for while choked', async () => {
    const node = await leecher()
    const peer = stranger(node)
    await peer.met.promise
    peer.wire.bitfield(new Uint8Array(), 10, 10)
    await peer.hears(/^interested/)
    // BEP 6: allowed fast, piece 3.
    peer.channel.send(new Uint8Array([0, 0, 0, 5, 17, 0, 0, 0, 3]))
    await peer.hears(/^request 3 /)
    expect(peer.heard.filter((heard) => /^request [^3]/.test(heard))).toEqual([])
  })

  test('a window is fetched first, and in order', async () => {
    const node = testNode()
    await node.node.add(torrent, { onDemand: true })
    const peer = seed(node)
    await peer.met.promise
    const read = await node.node.read(infoHash, 0, 5 * pieceLength + 7, data.length, 'player')
    expect(Buffer.compare(read, data.slice(5 * pieceLength + 7, 5 * pieceLength + 7 + read.length))).toBe(0)
    await node.until(infoHash, ({ downloaded }) => downloaded === data.length - 5 * pieceLength)
    const pieces = peer.heard.flatMap((heard) => /^request (\d)/.exec(heard)?.[1] ?? [])
    expect(pieces).toEqual(['5', '6', '7', '8', '9'])
    node.node.release(infoHash, 'player')
    await peer.hears(/^not interested/)
  })

  test('who lacks a piece hears of it at once, who has it with what is said next, or after some seconds', async () => {
    const node = await leecher()
    const [has, lacks] = [seed(node), stranger(node)]
    await lacks.met.promise
    lacks.wire.bitfield(new Uint8Array(), 0, 10)
    let answered = 0
    has.request = (index, begin, length) => {
      if (answered++ < 2) has.wire.piece(index, begin, part(index, begin, length))
    }
    await lacks.hears(/^have \d/)
    expect(has.heard.filter((heard) => /^have \d/.test(heard))).toEqual([])
    const now = performance.now.bind(performance)
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => now() + 6000)
    try {
      await has.hears(/^have \d/)
    } finally {
      clock.mockRestore()
    }
  })

  test('a released reader’s wait ends', async () => {
    const node = await leecher()
    const read = node.node.read(infoHash, 0, 0, 10, 'player')
    await node.until(infoHash, ({ ready }) => ready)
    await Promise.resolve()
    node.node.release(infoHash, 'player')
    await expect(read).rejects.toMatchObject({ code: 'aborted' })
  })

  test('however many read at once, none is sent away', async () => {
    const node = testNode()
    await node.node.add(torrent, { onDemand: true })
    const reads = Array.from({ length: 100 }, (_, i) => node.node.read(infoHash, 0, i * 6000, i * 6000 + 1, `image ${i}`))
    const all = Promise.all(reads)
    seed(node)
    expect((await all).map(([byte]) => byte)).toEqual(Array.from({ length: 100 }, (_, i) => data[i * 6000]))
  })

  test('a Blob of one file is good while others still come', async () => {
    const size = 5 * pieceLength
    const files = [{ path: 'a', size }, { path: 'b', size: data.length - size }]
    const { pieces, hashAt } = parseInfo(info)
    const hashes = concat(Array.from({ length: pieces }, (_, i) => hashAt(i)))
    info = makeInfo({ name: 'both', files, pieceLength, hashes })
    infoHash = await infoHashOf(info)
    torrent = makeTorrent(info, [], [])
    const stores = memoryStores()
    const open = stores.open.bind(stores)
    // As OPFS has it: as long as its last byte is far, and in Chromium not readable once more is written.
    stores.open = async (...args) => Object.assign(await open(...args), { blob: async () => new Blob([new Uint8Array(data.length)]) })
    const node = await leecher({}, stores)
    const peer = seed(node)
    peer.request = (index, begin, length) => index === 7 || peer.wire.piece(index, begin, part(index, begin, length))
    const blob = await node.node.blob(infoHash, 0)
    expect(Buffer.compare(new Uint8Array(await blob.arrayBuffer()), data.slice(0, size))).toBe(0)
  })

  test('what somebody waits for is read before it is in the store, and a Blob waits for the store', async () => {
    const stores = memoryStores()
    const open = stores.open.bind(stores)
    const opening = new Deferred()
    stores.open = async (...args) => {
      await opening.promise
      return open(...args)
    }
    const node = await leecher({}, stores)
    try {
      const reads = [[0, 9], [pieceLength - 5, 2 * pieceLength + 5], [6 * pieceLength, data.length]].map(async ([start, end], i) => {
        const parts: Bytes[] = []
        for (let at = start!; at < end!; at += parts.at(-1)!.length) parts.push(await node.node.read(infoHash, 0, at, end!, `${i}`))
        expect(Buffer.compare(concat(parts), data.slice(start, end))).toBe(0)
      })
      seed(node)
      await Promise.all(reads)
      expect((await node.node.states())[0]).toMatchObject({ downloaded: 0, done: false })
      let here = false
      void node.node.blob(infoHash, 0).then(() => (here = true))
      await node.node.stats()
      expect(here).toBe(false)
    } finally {
      opening.resolve()
    }
    await whole(node)
  })

  test('the front is asked for first', async () => {
    const node = await leecher()
    const peer = seed(node)
    await peer.hears(/^request/)
    expect(peer.heard.find((heard) => heard.startsWith('request'))).toMatch(/^request 0 0 /)
  })

  test('storage that is full is told in words, and what is there is still served', async () => {
    const stores = memoryStores()
    const open = stores.open.bind(stores)
    let room = 3
    stores.open = async (...args): Promise<Store> => {
      const store = await open(...args)
      const write = store.write.bind(store)
      store.write = async (start, data) => {
        if (room-- <= 0) {
          structuredClone(data, { transfer: [data.buffer] })
          throw new StarlingError('no-space', 'This browser has no room left.')
        }
        return write(start, data)
      }
      return store
    }
    const node = await leecher({}, stores)
    const peer = seed(node)
    const state = await node.until(infoHash, ({ error }) => !!error)
    expect(state).toMatchObject({ status: 'failed', error: { code: 'no-space' }, done: false })
    await peer.hears(/^not interested/)
    const reader = new Stranger(node, infoHash)
    await reader.hears(/^bitfield/)
    const have = new Bitfield(10, fromHex(reader.heard.find((heard) => heard.startsWith('bitfield'))!.slice(9))!)
    expect(have.count).toBe(3)
    reader.wire.interested()
    await reader.hears(/^unchoke/)
    const index = [...Array(10).keys()].find((i) => have.has(i))!
    reader.wire.request(index, 0, block)
    await reader.hears(new RegExp(`^piece ${index} 0 ${block}`))
  })
})

test('what cannot be read any more is tried once, and is no longer promised', async () => {
  const stores = memoryStores()
  const open = stores.open.bind(stores)
  let reads = 0
  stores.open = async (...args) => {
    const read = async () => {
      reads++
      throw new StarlingError('storage', 'The file is gone.')
    }
    return Object.assign(await open(...args), { read })
  }
  const node = await leecher({}, stores)
  const first = seed(node)
  await node.until(infoHash, ({ done }) => done)
  first.channel.close()
  const peer = stranger(node)
  await peer.met.promise
  peer.wire.interested()
  await peer.hears(/^unchoke/)
  peer.wire.request(0, 0, block)
  await peer.closed.promise
  expect((await node.node.states())[0]).toMatchObject({ status: 'failed', error: { code: 'storage' }, peers: [] })
  expect(reads).toBe(1)
})

test.each([true, false])('what could not be read is looked through when it is added again (removed before: %s)', async (removed) => {
  const stores = memoryStores()
  const open = stores.open.bind(stores)
  /** Where a piece begins that was damaged on disk, and one that cannot be read; until they are written anew. */
  const bad = new Map<number, 'wrong' | 'gone'>()
  const written: number[] = []
  stores.open = async (...args) => {
    const store = await open(...args)
    const [read, write] = [store.read.bind(store), store.write.bind(store)]
    return Object.assign(store, {
      read: async (start: number, end: number) => {
        const bytes = await read(start, end)
        for (const [at, how] of bad) {
          if (at + pieceLength <= start || at >= end) continue
          if (how === 'gone') throw new StarlingError('storage', 'The file is gone.')
          bytes[Math.max(0, at - start)]! ^= 1
        }
        return bytes
      },
      write: (start: number, bytes: Bytes) => {
        written.push(start / pieceLength)
        bad.delete(start)
        return write(start, bytes)
      },
    })
  }
  const node = await leecher({}, stores)
  seed(node)
  await node.until(infoHash, ({ done }) => done)
  bad.set(2 * pieceLength, 'wrong').set(5 * pieceLength, 'gone')
  written.length = 0
  await expect(node.node.read(infoHash, 0, 0, data.length, 'reader')).rejects.toMatchObject({ code: 'storage' })
  await node.until(infoHash, ({ status }) => status === 'failed')
  await vi.waitFor(async () => expect(await stores.registry.get(infoHash)).toMatchObject({ doubted: true }))
  // Or the page is loaded again.
  const later = removed ? node : testNode({}, stores)
  if (removed) await later.node.remove(infoHash, {})
  const state = await later.node.add(infoHash, {})
  expect(state).toMatchObject({ ready: true, done: false, downloaded: data.length - 2 * pieceLength })
  expect(state.error).toBeUndefined()
  seed(later)
  await later.until(infoHash, ({ done }) => done)
  expect(written.sort()).toEqual([2, 5])
  expect(Buffer.compare(new Uint8Array(await (await later.node.blob(infoHash, 0)).arrayBuffer()), data)).toBe(0)
  await later.node.remove(infoHash, {})
  expect(await stores.registry.get(infoHash)).not.toHaveProperty('doubted')
})

test('a private torrent of which even the header is gone is fetched anew where it is added again', async () => {
  const sender = testNode()
  const { link, infoHash } = await sender.node.seed([new File([data], 'data.bin')], { private: true })
  const stores = memoryStores()
  const first = testNode({}, stores)
  await first.node.add(link, {})
  join(first, sender, infoHash)
  await first.until(infoHash, ({ done }) => done)
  await stores.destroy(infoHash)
  const node = testNode({}, stores)
  await node.node.add(link, {})
  expect(await node.until(infoHash, ({ error }) => !!error)).toMatchObject({ error: { code: 'storage' } })
  expect(await node.node.add(link, {})).toMatchObject({ ready: false, downloaded: 0 })
  join(node, sender, infoHash)
  await node.until(infoHash, ({ done }) => done)
  expect(Buffer.compare(new Uint8Array(await (await node.node.blob(infoHash, 0)).arrayBuffer()), data)).toBe(0)
})

test('a torrent that failed as it could not be read begins anew where it is added again', async () => {
  const stores = memoryStores()
  const open = stores.open.bind(stores)
  let broken = true
  stores.open = async (...args) => {
    const store = await open(...args)
    const read = store.read.bind(store)
    return Object.assign(store, {
      read: async (start: number, end: number) => {
        if (broken) throw new StarlingError('storage', 'Not now.', { cause: { name: 'NoModificationAllowedError' } })
        return read(start, end)
      },
    })
  }
  const node = await leecher({}, stores)
  seed(node)
  await node.until(infoHash, ({ done }) => done)
  await expect(node.node.read(infoHash, 0, 0, 9, 'reader')).rejects.toMatchObject({ code: 'storage' })
  // Somebody else holds it: nothing is known of what is there, and so nothing is given up.
  expect(await node.node.add(infoHash, {})).toMatchObject({ status: 'failed', error: { code: 'storage' } })
  broken = false
  expect(await node.node.add(infoHash, {})).toMatchObject({ status: 'seeding', done: true })
})

test('a card is sent once, however often somebody says what it speaks', async () => {
  const node = testNode()
  const { infoHash } = await node.node.seed([new File([data], 'data.bin')], { card: { title: 'one' } })
  const peer = new Stranger(node, infoHash)
  await peer.met.promise
  for (let i = 0; i < 100; i++) peer.wire.extendedHandshake({ version: 'test', reqq: 500 })
  peer.wire.interested()
  await peer.hears(/^unchoke/)
  expect(peer.heard.filter((heard) => heard === 'extended sl_card')).toHaveLength(1)
})

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
    info = utf8.encode('l'.repeat(200_000))
    infoHash = await infoHashOf(info)
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

describe('serving', () => {
  test('only what was asked for, in the blocks asked for', async () => {
    const node = await seeder()
    const peer = new Stranger(node, infoHash)
    await peer.hears(/^have all/)
    const got = new Map<string, Bytes>()
    peer.piece = (index, begin, data) => got.set(`${index} ${begin} ${data.length}`, data.slice())
    peer.wire.request(0, 0, block)
    await peer.hears(/^reject 0 0 16384/)
    peer.wire.interested()
    await peer.hears(/^unchoke/)
    const asks = [[0, 0, block], [3, 5, 1000], [9, 0, 64000], [2, 0, 64 << 10], [4, 40_000, 20_000]] as const
    for (const [index, begin, length] of asks) peer.wire.request(index, begin, length)
    for (const [index, begin, length] of asks) await peer.hears(new RegExp(`^piece ${index} ${begin} ${length}$`))
    for (const [index, begin, length] of asks) {
      expect(Buffer.compare(got.get(`${index} ${begin} ${length}`)!, part(index, begin, length))).toBe(0)
    }
  })

  test('a queue has an end', async () => {
    const node = await seeder({ uploadLimit: 1 })
    const peer = new Stranger(node, infoHash)
    await peer.hears(/^have all/)
    peer.wire.interested()
    await peer.hears(/^unchoke/)
    for (let i = 0; i < 520; i++) peer.wire.request(i % 9, 0, 1000 + i)
    await peer.hears(/^reject/)
    peer.wire.cancel(8, 0, 1008)
    await peer.hears(/^reject 8 0 1008/)
  })

  test('two ends that have all part', async () => {
    const node = await seeder()
    const other = await seeder()
    const [channel] = join(node, other, infoHash)
    await node.until(infoHash, ({ peers }) => peers.length === 1)
    await node.until(infoHash, ({ peers }) => !peers.length)
    expect(channel.open).toBe(false)
  }, 10_000)

  test('a removed torrent lets go of its peers', async () => {
    const node = await seeder()
    const peer = new Stranger(node, infoHash)
    await peer.hears(/^have all/)
    await node.node.remove(infoHash, {})
    await peer.closed.promise
    expect(await node.node.states()).toEqual([])
    await expect(node.node.read(infoHash, 0, 0, 1, 'x')).rejects.toMatchObject({ code: 'removed' })
  })

  test('channels for torrents that are not there are closed', async () => {
    const node = await seeder()
    const [one, two] = channels('ab'.repeat(20), node.id)
    const closed = new Promise<void>((resolve) => (one.onclose = resolve))
    node.node.channel(two, 'cd'.repeat(20))
    await closed
  })
})

describe('limits', () => {
  test('a download limit holds', async () => {
    await make(6 * pieceLength)
    const node = await leecher({ downloadLimit: 200_000 })
    const started = performance.now()
    seed(node)
    await whole(node)
    // One second's worth at once, and one block of debt; the rest at the limit.
    expect(performance.now() - started).toBeGreaterThan(((data.length - 200_000 - pieceLength) / 200_000) * 1000 - 50)
  })
})

describe('private torrents', () => {
  test('a wrong key is told apart from missing data', async () => {
    const from = testNode()
    const { link, infoHash } = await from.node.seed([new File(['secret'], 'a.txt')], { private: true })
    const to = testNode()
    await to.node.add(link.replace(/\.[\w-]{22}/, `.${'A'.repeat(22)}`), {})
    expect((await to.node.states())[0]!.status).toBe('finding')
    join(to, from, infoHash)
    const state = await to.until(infoHash, ({ error }) => !!error)
    expect(state).toMatchObject({ status: 'failed', ready: false, error: { code: 'wrong-key' } })
    await expect(to.node.blob(infoHash, 0)).rejects.toMatchObject({ code: 'wrong-key' })
    // The right link puts it right, for who has another handle of it.
    const removed: string[] = []
    to.node.onremove = (infoHash) => removed.push(infoHash)
    await to.node.add(link, {})
    expect(removed).toEqual([infoHash])
    const fine = await to.until(infoHash, ({ done }) => done)
    expect(fine).toMatchObject({ name: 'a.txt', files: [{ name: 'a.txt', size: 6 }] })
    expect(await (await to.node.blob(infoHash, 0)).text()).toBe('secret')
    await expect(to.node.add(link.replace(/\.[\w-]{22}/, `.${'A'.repeat(22)}`), {})).rejects.toMatchObject({ code: 'wrong-key' })
  })

  test.each([true, false])('a link with a wrong key spoils no later one (private: %s)', async (sealed) => {
    const from = testNode()
    const { link, infoHash } = await from.node.seed([new File(['secret'], 'a.txt')], { private: sealed })
    const to = testNode()
    const fetched = async (link: string) => {
      await to.node.add(link, {})
      join(to, from, infoHash)
      return to.until(infoHash, ({ done, error }) => done || !!error)
    }
    const wrong = `${infoHash}.${'A'.repeat(22)}`
    if (sealed) {
      await fetched(link)
      await to.node.remove(infoHash, {})
    }
    for (const reloaded of [false, true]) {
      expect(await fetched(wrong)).toMatchObject({ error: { code: 'wrong-key' } })
      if (reloaded) await to.node.remove(infoHash, {})
      // The key of a private one is known here.
      expect(await fetched(infoHash)).toMatchObject({ name: 'a.txt', done: true, private: sealed })
      await to.node.remove(infoHash, { destroyStore: !sealed })
    }
  })

  test('a range is read before the rest is there', async () => {
    const from = testNode()
    const secret = noise(1 << 20)
    const { link, infoHash } = await from.node.seed([new File([secret], 'a.webm')], { private: true })
    const to = testNode()
    await to.node.add(link, { onDemand: true })
    join(to, from, infoHash)
    const read = await to.node.read(infoHash, 0, 900_000, 900_100, 'player')
    expect(Buffer.compare(read, secret.slice(900_000, 900_000 + read.length))).toBe(0)
    expect(read.length).toBe(100)
    expect(await (await to.node.blob(infoHash, 0)).arrayBuffer()).toEqual(secret.buffer)
  })
})

describe('cards', () => {
  test.each([true, false])('a card travels along, and so does the next (private: %s)', async (sealed) => {
    const from = testNode()
    const files = [new File([noise(200_000)], 'a.txt')]
    const { link, infoHash, card } = await from.node.seed(files, { private: sealed, card: { title: 'one' } })
    expect(card).toEqual({ title: 'one' })
    const [one, two] = [testNode(), testNode()]
    await one.node.add(link, {})
    await two.node.add(link, { onDemand: true })
    join(one, from, infoHash)
    await one.until(infoHash, ({ card }) => card?.title === 'one')
    join(two, one, infoHash)
    await two.until(infoHash, ({ card }) => card?.title === 'one')
    await one.until(infoHash, ({ done }) => done)
    await from.node.setCard(infoHash, { title: 'two' })
    expect(from.forgotten).toEqual([infoHash])
    expect([...from.node.lacking()]).toEqual([infoHash])
    join(from, one, infoHash)
    await one.until(infoHash, ({ card }) => card?.title === 'two')
    await two.until(infoHash, ({ card }) => card?.title === 'two')
    expect((await two.stores.registry.get(infoHash))!.card!.value).toEqual({ title: 'two' })
    await expect(one.node.setCard(infoHash, {})).rejects.toMatchObject({ code: 'unsupported' })
  })
})

test('a card from a clock that was far ahead, which nobody takes, is followed by one that is taken', async () => {
  const files = [new File([noise(200_000)], 'a.txt')]
  const shared = async (from: TestNode) => {
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 7 * 86_400_000)
    const state = await from.node.seed(files, { card: { title: 'one' } })
    now.mockRestore()
    return state
  }
  const again: [string, (from: TestNode, infoHash: string) => Promise<unknown>][] = [
    ['one', (from, known) => from.node.seed(files, { known, card: { title: 'one' } })],
    ['two', (from, infoHash) => from.node.setCard(infoHash, { title: 'two' })],
  ]
  for (const [title, write] of again) {
    const [from, to] = [testNode(), testNode()]
    const { link, infoHash } = await shared(from)
    await write(from, infoHash)
    await to.node.add(link, {})
    join(to, from, infoHash)
    await to.until(infoHash, ({ card }) => card?.title === title)
  }
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
