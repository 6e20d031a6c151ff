import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { fromHex } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import { StarlingError } from '../errors.ts'
import { memoryStores } from '../store/memory.ts'
import type { Store } from '../store/store.ts'
import { parseInfo } from '../torrent/metainfo.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { noise, Stranger, testNode, type TestNode } from './testing.ts'
import { block, data, infoHash, leecher, make, part, pieceLength, seed, stranger, torrent, torrentOf, whole } from './sample.ts'

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
      else if (first.channel.open) {
        node.woken.length = 0
        first.channel.close()
      }
    }
    await first.closed.promise
    expect(node.woken).toEqual([infoHash])
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

  test('what was fetched, and seeded from a file since, is there still', async () => {
    const stores = memoryStores()
    const first = await leecher({}, stores)
    seed(first)
    await whole(first)
    await first.node.remove(infoHash, {})
    const second = testNode({}, stores)
    await second.node.seed([new File([data], 'data.bin')], {})
    await second.node.remove(infoHash, {})
    const third = testNode({}, stores)
    expect(await third.node.add(infoHash, {})).toMatchObject({ downloaded: data.length })
    await whole(third)
  })

  test('what is done is whole after a reload, however long the disk takes', async () => {
    const stores = memoryStores()
    const open = stores.open.bind(stores)
    const flushed = new Deferred()
    stores.open = async (...args) => Object.assign(await open(...args), { flush: () => flushed.promise })
    const first = await leecher({}, stores)
    seed(first)
    await first.until(infoHash, ({ done }) => done)
    const noted = await stores.registry.get(infoHash)
    flushed.resolve()
    expect(new Bitfield(10, noted?.pieces)).toMatchObject({ full: true })
    // It may not be all there after a power cut.
    expect(noted).toMatchObject({ doubted: true })
    await vi.waitFor(async () => expect(await stores.registry.get(infoHash)).not.toHaveProperty('doubted'))
  })

  /** Who has all but the last piece, on a disk that takes its time to write it down; rest has that come. */
  async function nearlyWhole() {
    const stores = memoryStores()
    const open = stores.open.bind(stores)
    const [flushing, flushed] = [new Deferred(), new Deferred()]
    const flush = () => (flushing.resolve(), flushed.promise)
    stores.open = async (...args) => Object.assign(await open(...args), { flush })
    const node = await leecher({}, stores)
    const peer = seed(node)
    const { request } = peer
    const held: Parameters<typeof request>[] = []
    peer.request = (...ask) => void (ask[0] === 9 ? held.push(ask) : request(...ask))
    await node.until(infoHash, ({ downloaded }) => downloaded >= 9 * pieceLength)
    const rest = () => {
      for (const ask of held) request(...ask)
      return node.until(infoHash, ({ downloaded }) => downloaded === data.length)
    }
    return { stores, node, flushing, flushed, rest }
  }

  test('what is flushed is looked through no more, however many saves waited for the disk', async () => {
    const { stores, node, flushing, flushed, rest } = await nearlyWhole()
    const saves = [node.node.pause(infoHash, false)]
    await flushing.promise
    saves.push(node.node.pause(infoHash, false))
    await rest()
    flushed.resolve()
    await Promise.all([...saves, node.until(infoHash, ({ done }) => done)])
    await vi.waitFor(async () => expect(await stores.registry.get(infoHash)).not.toHaveProperty('doubted'))
  })

  test('a page that is frozen before it noted that all is here writes nothing later', async () => {
    const { stores, node, flushing, flushed, rest } = await nearlyWhole()
    const saved = node.node.pause(infoHash, false)
    await flushing.promise
    await rest()
    await node.node.destroy(true)
    // Another page removes it meanwhile.
    await stores.registry.delete(infoHash)
    flushed.resolve()
    await saved
    await new Promise(setImmediate)
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
