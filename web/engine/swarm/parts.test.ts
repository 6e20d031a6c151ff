import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat, equal, type Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import { StarlingError } from '../errors.ts'
import { makeInfo } from '../torrent/making.ts'
import { parseInfo } from '../torrent/metainfo.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { Blame } from './blame.ts'
import { Choker, type Chokable } from './choker.ts'
import { readable, typeOf, type Content } from './content.ts'
import { Extents } from './extents.ts'
import { hashPieces } from './hash.ts'
import { Budget, Limit } from './limit.ts'
import { Outgoing, type OutgoingOptions } from './outgoing.ts'
import { unit, type Piece } from './picker.ts'
import { Readers } from './readers.ts'
import { Shelf } from './shelf.ts'
import { Speed } from '../speed.ts'
import { noise } from './testing.ts'

describe('bitfield', () => {
  test('counts, and refuses what BEP 3 forbids', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(39)), (size, sets) => {
        const bits = new Bitfield(size)
        const wanted = new Set(sets.filter((i) => i < size))
        for (const i of wanted) expect(bits.set(i)).toBe(true)
        for (const i of wanted) expect(bits.set(i)).toBe(false)
        const copy = new Bitfield(size, bits.bytes)
        expect(copy.count).toBe(wanted.size)
        for (let i = 0; i < size; i++) expect(copy.has(i)).toBe(wanted.has(i))
        copy.fill()
        expect(copy.full).toBe(true)
        expect(new Bitfield(size, copy.bytes).count).toBe(size)
        copy.unset(size - 1)
        expect(copy.count).toBe(size - 1)
      }),
    )
    expect(() => new Bitfield(9, new Uint8Array(1))).toThrow(RangeError)
    expect(() => new Bitfield(9, new Uint8Array([0, 1]))).toThrow(RangeError)
  })
})

describe('limit', () => {
  test('holds over any time, by a clock that is not its own', () => {
    const limit = new Limit(1000)
    let sent = 0
    for (let now = 0; now <= 10_000; now += 50) while (limit.take(300, now)) sent += 300
    // A second's worth to begin with, and one block of debt at most.
    expect(sent).toBeGreaterThanOrEqual(10_000)
    expect(sent).toBeLessThanOrEqual(1000 + 10_000 + 300)
  })

  test('what did not come about is given back, and no limit is none', () => {
    const limit = new Limit(100)
    expect(limit.take(200, 0)).toBe(true)
    expect(limit.take(1, 0)).toBe(false)
    limit.give(200)
    expect(limit.take(1, 0)).toBe(true)
    const none = new Limit()
    for (let i = 0; i < 100; i++) expect(none.take(1e9, 0)).toBe(true)
  })

  test('one piece that is larger than all memory passes alone', () => {
    const budget = new Budget(10)
    expect(budget.take(100)).toBe(true)
    expect(budget.take(1)).toBe(false)
    expect(budget.take(1, true)).toBe(true)
    budget.give(101)
    expect(budget.full).toBe(false)
    expect(budget.take(10)).toBe(true)
  })

  test('memory is taken up to its bound, and is full when half of it is', () => {
    const budget = new Budget(10)
    expect([budget.take(5), budget.full]).toEqual([true, false])
    expect([budget.take(6), budget.take(5), budget.take(1), budget.full]).toEqual([false, true, false, true])
    budget.give(4)
    expect([budget.full, budget.take(5), budget.take(4)]).toEqual([true, false, true])
  })
})

test('speed follows what comes, and fades', () => {
  const speed = new Speed()
  expect(speed.at(0)).toBe(0)
  for (let now = 0; now <= 2000; now += 10) speed.add(1000, now)
  expect(speed.at(2000)).toBeGreaterThan(90_000)
  expect(speed.at(2000)).toBeLessThan(110_000)
  expect(speed.at(60_000)).toBe(0)
})

describe('choker', () => {
  class Peer implements Chokable {
    interested = true
    choking = true
    worth: number

    constructor(worth: number) {
      this.worth = worth
    }
    choke(on: boolean): void {
      expect(on).not.toBe(this.choking)
      this.choking = on
    }
    score(): number {
      return this.worth
    }
  }
  const served = (peers: Peer[]): number[] => peers.filter((peer) => !peer.choking).map((peer) => peer.worth)

  test('whoever comes is served while slots are free', () => {
    const choker = new Choker<Peer>()
    const peers = Array.from({ length: 12 }, (_, i) => new Peer(i))
    peers[0]!.interested = false
    choker.fill(peers)
    expect(served(peers)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    peers[1]!.interested = false
    peers[1]!.choke(true)
    choker.fill(peers)
    expect(served(peers)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  test('the best are served, and everybody gets a chance', () => {
    const choker = new Choker<Peer>()
    const peers = Array.from({ length: 12 }, (_, i) => new Peer(i))
    const lucky = new Set<number>()
    for (let round = 0; round < 300; round++) {
      choker.round(peers, 0)
      const now = served(peers)
      expect(now).toHaveLength(9)
      expect(now.slice(1)).toEqual([4, 5, 6, 7, 8, 9, 10, 11])
      lucky.add(now[0]!)
    }
    expect([...lucky].sort()).toEqual([0, 1, 2, 3])
  })

  test('who got a chance keeps it for three rounds, or until it leaves', () => {
    const choker = new Choker<Peer>()
    const peers = Array.from({ length: 40 }, (_, i) => new Peer(i))
    const chances = Array.from({ length: 60 }, () => (choker.round(peers, 0), served(peers)[0]!))
    for (let i = 0; i < chances.length; i += 3) expect(new Set(chances.slice(i, i + 3)).size).toBe(1)
    expect(new Set(chances).size).toBeGreaterThan(5)
    choker.round(peers, 0)
    const rest = peers.filter((peer) => peer.worth !== served(peers)[0])
    choker.round(rest, 0)
    expect(served(rest)).toHaveLength(9)
    const few = rest.slice(-3)
    choker.round(few, 0)
    expect(served(few)).toEqual([37, 38, 39])
  })
})

describe('blame', () => {
  const good = noise(3 * unit)
  const bad = good.map((byte) => byte ^ 1)
  /** A piece whose units came from these; those in capitals sent something else. */
  const piece = (from: string, index = 0): Piece<string> => ({
    index, from: [...from.toLowerCase()],
    data: concat([...from].map((who, u) => (who === who.toLowerCase() ? good : bad).subarray(u * unit, (u + 1) * unit))),
  }) as Piece<string>

  test('who sent all of a wrong piece is, at once', async () => {
    expect(await new Blame<string>().wrong(piece('AAA'))).toEqual(['a'])
    expect(await new Blame<string>().wrong(piece('AAb'))).toEqual([])
  })

  test('of several only who sent what was wrong, when the right piece is here, and once', async () => {
    const blame = new Blame<string>()
    expect(await blame.wrong(piece('aBc'))).toEqual([])
    expect(await blame.wrong(piece('Dbc'))).toEqual([])
    expect(await blame.right(piece('ccc', 1))).toEqual([])
    expect(await blame.right(piece('ccc'))).toEqual(['b', 'd'])
    expect(await blame.right(piece('ccc'))).toEqual([])
  })

  test('for so many pieces and failures at most, and for others when those are right', async () => {
    const blame = new Blame<string>()
    for (let i = 0; i < 6; i++) await blame.wrong(piece('aBc'))
    expect(await blame.right(piece('ccc'))).toHaveLength(4)
    for (let index = 0; index < 65; index++) await blame.wrong(piece('aBc', index))
    expect(await blame.right(piece('ccc', 64))).toEqual([])
    expect(await blame.right(piece('ccc', 63))).toEqual(['b'])
    await blame.wrong(piece('abE', 64))
    expect(await blame.right(piece('ccc', 64))).toEqual(['e'])
  })
})

describe('shelf', () => {
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  test('loads once, tells all who wait, and forgets what was used longest ago', async () => {
    const shelf = new Shelf(20)
    const loads: string[] = []
    let told = 0
    const get = (name: string) =>
      shelf.get(name, async () => (loads.push(name), new Uint8Array(10)), () => told++)
    expect(get('a')).toBeUndefined()
    expect(shelf.get('a', async () => new Uint8Array(), () => told++)).toBeUndefined()
    await tick()
    expect([loads, told]).toEqual([['a'], 2])
    expect(get('a')).toHaveLength(10)
    get('b')
    await tick()
    get('a')
    get('c')
    await tick()
    expect([get('a'), get('c')].map((data) => data?.length)).toEqual([10, 10])
    get('b')
    await tick()
    expect(loads).toEqual(['a', 'b', 'c', 'b'])
  })

  test('what could not be read is tried again', async () => {
    const shelf = new Shelf(20)
    let told = 0
    shelf.get('a', () => Promise.reject(new Error('no')), () => told++)
    await tick()
    expect(told).toBe(1)
    shelf.get('a', async () => new Uint8Array(1))
    await tick()
    expect(shelf.get('a', () => Promise.reject(new Error('no')))).toHaveLength(1)
  })
})

describe('outgoing', () => {
  async function outgoing(pieceLength: number, options: Partial<OutgoingOptions> = {}) {
    const data = noise(2 * pieceLength + 3_000_000)
    const length = data.length
    const pieces = Array.from({ length: Math.ceil(length / pieceLength) }, async (_, i) => {
      const piece = data.subarray(i * pieceLength, (i + 1) * pieceLength)
      return new Uint8Array(await crypto.subtle.digest('SHA-1', piece))
    })
    const hashes = concat(await Promise.all(pieces))
    const info = parseInfo(makeInfo({ name: 'a', files: [{ path: 'a', size: length }], pieceLength, hashes }))
    const reads: [number, number][] = []
    const had = new Bitfield(info.pieces).fill()
    const read = async (start: number, end: number): Promise<Bytes> => (reads.push([start, end]), data.slice(start, end))
    const failed = (error: unknown): void => void failures.push(error)
    const failures: unknown[] = []
    const out = new Outgoing({ info, had, shelf: new Shelf(16 << 20), name: 'a', read, failed, ...options })
    const block = async (piece: number, begin: number, length: number): Promise<Bytes | undefined> => {
      for (;;) {
        const ready = new Deferred()
        const block = out.block({ piece, begin, length }, () => ready.resolve())
        if (block || failures.length) return block
        await ready.promise
      }
    }
    return { data, info, had, reads, failures, block }
  }

  test.each([48, 128, 1024, 3 << 10, 4 << 10].map((size) => size << 10))('any block of any piece of %d bytes, in few reads', async (pieceLength) => {
    const { data, info, reads, block } = await outgoing(pieceLength)
    for (let piece = 0; piece < info.pieces; piece++) {
      const size = Math.min(pieceLength, data.length - piece * pieceLength)
      for (let begin = 0; begin < size; begin += 50_001) {
        const start = piece * pieceLength + begin
        const length = Math.min(65_536, size - begin)
        expect(equal((await block(piece, begin, length))!, data.subarray(start, start + length))).toBe(true)
      }
    }
    expect(reads.length).toBe(Math.ceil(data.length / (pieceLength === 48 << 10 ? 21 * pieceLength : 1 << 20)))
  })

  test('pieces that are not there are not read with those that are', async () => {
    const { had, reads, block } = await outgoing(1 << 18)
    had.unset(2)
    expect(await block(1, 0, 10)).toHaveLength(10)
    had.set(2)
    expect(await block(2, 0, 10)).toHaveLength(10)
    expect(reads).toEqual([[1 << 18, 2 << 18], [0, 4 << 18]])
  })

  test('what was hashed long ago is verified once before it is sent', async () => {
    const { reads, block } = await outgoing(4 << 20, { unproven: true })
    expect(await block(0, 0, 10)).toHaveLength(10)
    expect(await block(0, 2 << 20, 10)).toHaveLength(10)
    expect(reads).toEqual([[0, 4 << 20], [0, 1 << 20], [2 << 20, 3 << 20]])
    const changed = await outgoing(1 << 18, { unproven: true, read: async (start, end) => new Uint8Array(end - start) })
    expect(await changed.block(0, 0, 10)).toBeUndefined()
    expect(changed.failures[0]).toMatchObject({ code: 'unreadable' })
  })
})

describe('readers', () => {
  test('windows follow whoever read last, and waits end when all is here', async () => {
    const had = new Bitfield(1000)
    const readers = new Readers(1 << 20, had)
    readers.place('one', 5 << 20, 500 << 20)
    readers.place('two', 990 << 20, 1000 << 20)
    expect(readers.windows).toEqual([{ from: 990, to: 998 }, { from: 5, to: 13 }])
    const waiting = readers.wait('one', 5 << 20, (6 << 20) + 1)
    had.set(5)
    readers.check()
    expect(readers.reach(5 << 20, 500 << 20)).toBe(6 << 20)
    had.set(6)
    readers.check()
    await waiting
    expect(readers.reach(5 << 20, (6 << 20) + 9)).toBe((6 << 20) + 9)
    const lost = readers.wait('one', 0, 1)
    readers.release('one')
    await expect(lost).rejects.toMatchObject({ code: 'aborted' })
    expect(readers.windows).toHaveLength(1)
    readers.place('three', 0, 1 << 20)
    readers.place('two', 0, 1 << 20)
    readers.place('three', 7 << 20, 8 << 20)
    expect(readers.windows).toEqual([{ from: 7, to: 8 }, { from: 0, to: 1 }])
    readers.place('two', 0, 1 << 20)
    expect(readers.windows).toEqual([{ from: 0, to: 1 }, { from: 7, to: 8 }])
  })

  const outcome = (promise: Promise<void>): { is: string } => {
    const state = { is: 'waiting' }
    promise.then(() => (state.is = 'here'), (error: { code: string }) => (state.is = error.code))
    return state
  }
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  test('who stops leaves the others waiting, and all of them hear why nothing more comes', async () => {
    const had = new Bitfield(10)
    const readers = new Readers(100, had)
    for (const name of ['one', 'two', 'three']) readers.place(name, 0, 1000)
    const waits = ['one', 'two', 'three'].map((name, i) => outcome(readers.wait(name, i * 100, i * 100 + 1)))
    readers.release('one')
    had.set(1)
    readers.check()
    await settle()
    expect(waits.map(({ is }) => is)).toEqual(['aborted', 'here', 'waiting'])
    expect([0, 1, 2, 3].map((index) => readers.waits(index))).toEqual([false, false, true, false])
    readers.fail(new StarlingError('storage', 'gone'))
    expect([readers.any, readers.waits(2)]).toEqual([false, false])
    await expect(readers.wait('four', 900, 901)).rejects.toMatchObject({ code: 'storage' })
    await readers.wait('four', 100, 101)
    expect(waits.map(({ is }) => is)).toEqual(['aborted', 'here', 'storage'])
  })

  test('what can be read may not be in the store yet', async () => {
    const had = new Bitfield(10)
    const fresh = new Bitfield(10)
    const readers = new Readers(100, had, fresh)
    const [read, stored] = [outcome(readers.wait('one', 100, 300)), outcome(readers.wait('two', 300, 400, true))]
    expect([0, 1, 2, 3].map((index) => readers.waits(index))).toEqual([false, true, true, false])
    for (const index of [1, 2, 3]) fresh.set(index)
    readers.check()
    await settle()
    expect([read.is, stored.is]).toEqual(['here', 'waiting'])
    expect([readers.reach(100, 1000), readers.reach(100, 350), readers.reach(0, 1000)]).toEqual([400, 350, 0])
    had.set(3)
    readers.check()
    await settle()
    expect(stored.is).toBe('here')
  })

  test('of many that never say that they are done the oldest are forgotten, but none that waits', () => {
    const readers = new Readers(100, new Bitfield(1000))
    readers.place('waits', 0, 100)
    void readers.wait('waits', 0, 100)
    for (let i = 1; i < 200; i++) readers.place(`${i}`, i * 100, i * 100 + 100)
    const from = readers.windows.map((window) => window.from)
    expect(from).toEqual([...Array.from({ length: 63 }, (_, i) => 199 - i), 0])
  })
})

describe('content', () => {
  test('as much is read as is here, in whole records', () => {
    const content = { covering: (start: number, end: number) => [start, Math.ceil(end / 100) * 110] } as unknown as Content
    expect(readable(content, 50, 1000, 330)).toBe(300)
    expect(readable(content, 50, 250, 330)).toBe(250)
    expect(readable(content, 50, 1000, 111)).toBe(100)
  })

  test('types of names', () => {
    expect(['a.webm', 'b.MP3', 'c', 'd.tar.gz', 'constructor'].map(typeOf)).toEqual(['video/webm', 'audio/mpeg', '', '', ''])
  })

  test('how much of each file is here', () => {
    const files = [5, 0, 10, 3].map((size, i, all) => {
      const offset = all.slice(0, i).reduce((sum, one) => sum + one, 0)
      return { name: `${i}`, path: `${i}`, type: '', size, offset }
    })
    const extents = new Extents(files, (start, end) => [start, end])
    extents.add(4, 8)
    expect(extents.states.map(({ progress }) => progress)).toEqual([1 / 5, 1, 3 / 10, 0])
    extents.add(0, 4)
    extents.add(8, 18)
    expect(extents.states.map(({ progress }) => progress)).toEqual([1, 1, 1, 1])
  })
})

test('pieces are hashed in order, whatever the size', async () => {
  for (const [length, pieceLength] of [[0, 16384], [1, 16384], [100_000, 16384], [9 << 20, 1 << 20], [(5 << 20) + 1, 8 << 20]] as const) {
    const data = noise(length)
    const told: number[] = []
    const hashes = await hashPieces(async (start, end) => data.slice(start, end), length, pieceLength, (bytes) => told.push(bytes))
    expect(hashes.length).toBe(20 * Math.ceil(length / pieceLength))
    for (let i = 0; i * pieceLength < length; i++) {
      const hash = await crypto.subtle.digest('SHA-1', data.subarray(i * pieceLength, (i + 1) * pieceLength))
      expect(hashes.slice(20 * i, 20 * i + 20)).toEqual(new Uint8Array(hash))
    }
    expect(told.at(-1) ?? 0).toBe(length)
  }
})
