import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bitfield } from '../wire/bitfield.ts'
import { Budget } from './limit.ts'
import { Picker, unit, type Ask, type Asked, type Piece } from './picker.ts'

class Peer implements Asked {
  readonly have: Bitfield
  readonly asks = new Map<number, Ask>()
  readonly cancelled: Ask[] = []
  readonly pace = { owed: 0 }
  useful = 0
  dry = 0

  constructor(have: Bitfield) {
    this.have = have
  }

  can(index: number): boolean {
    return this.have.has(index)
  }

  cancel(ask: Ask): void {
    this.cancelled.push(ask)
  }
}

function bits(size: number, ...set: number[]): Bitfield {
  const have = new Bitfield(size)
  set.forEach((i) => have.set(i))
  return have
}

function setUp(pieces: number, units = 4, budget = 1 << 30, length = pieces * units * unit) {
  const had = new Bitfield(pieces)
  const complete: Piece<Peer>[] = []
  const memory = new Budget(budget)
  const picker = new Picker<Peer>(length, units * unit, had, memory, (piece) => complete.push(piece))
  const join = (have: Bitfield): Peer => {
    const peer = new Peer(have)
    picker.join(peer)
    return peer
  }
  const send = (peer: Peer, ask: Ask, now = 0): boolean =>
    !!picker.receive(peer, ask.piece, ask.begin, new Uint8Array(ask.length).fill(1), now)
  return { had, complete, memory, picker, join, send }
}

function all(picker: Picker<Peer>, peer: Peer, max = 4 * unit, now = 0): Ask[] {
  const asks: Ask[] = []
  for (let ask; (ask = picker.pick(peer, max, now)); ) asks.push(ask)
  return asks
}

describe('picker', () => {
  test('the rarest pieces come first', () => {
    const { picker, join } = setUp(6, 1)
    const seed = join(new Bitfield(6).fill())
    join(bits(6, 0, 1, 2, 3))
    join(bits(6, 0, 1))
    // Who left is counted no more, nor twice.
    for (const gone of [bits(6, 4, 5), bits(6, 2, 4, 5), bits(6, 4, 5), new Bitfield(6).fill()].map(join)) {
      picker.leave(gone)
      picker.leave(gone)
    }
    const order = all(picker, seed).map((ask) => ask.piece)
    expect(order.slice(0, 2).sort()).toEqual([4, 5])
    expect(order.slice(2, 4).sort()).toEqual([2, 3])
    expect(order.slice(4).sort()).toEqual([0, 1])
  })

  test('ties are broken at random', () => {
    const firsts = new Set<number>()
    for (let i = 0; i < 200; i++) {
      const { picker, join } = setUp(4, 1)
      firsts.add(picker.pick(join(new Bitfield(4).fill()), unit, 0)!.piece)
    }
    expect(firsts.size).toBe(4)
  })

  test('a piece that is going is finished before another begins', () => {
    const { picker, join } = setUp(8, 4)
    const one = join(new Bitfield(8).fill())
    const two = join(new Bitfield(8).fill())
    const first = picker.pick(one, unit, 0)!
    expect(picker.pick(two, 4 * unit, 0)).toMatchObject({ piece: first.piece, begin: unit, length: 3 * unit })
    expect(picker.pick(two, unit, 0)!.piece).not.toBe(first.piece)
  })

  test('a window goes first, from its front to its back', () => {
    const { picker, join } = setUp(100, 2)
    const peer = join(new Bitfield(100).fill())
    picker.pick(peer, unit, 0)
    picker.windows = [{ from: 40, to: 44 }]
    const order = all(picker, peer, 2 * unit).map((ask) => ask.piece)
    expect(order.slice(0, 4)).toEqual([40, 41, 42, 43])
  })

  test('on demand, nothing but windows is asked for', () => {
    const { picker, join } = setUp(100, 2)
    const peer = join(new Bitfield(100).fill())
    picker.wantAll = false
    expect(picker.pick(peer, unit, 0)).toBeUndefined()
    picker.windows = [{ from: 3, to: 4 }]
    expect(all(picker, peer)).toMatchObject([{ piece: 3 }])
  })

  test('what is late near the front of a window is asked of a second peer, and cancelled at the first', () => {
    const { picker, join, send } = setUp(100, 4)
    const slow = join(new Bitfield(100).fill())
    picker.windows = [{ from: 10, to: 12 }]
    picker.wantAll = false
    all(picker, slow)
    const fast = join(new Bitfield(100).fill())
    expect(picker.pick(fast, 4 * unit, 1000)).toBeUndefined()
    const ask = picker.pick(fast, unit, 3000)!
    expect(ask).toMatchObject({ piece: 10, begin: 0, length: unit })
    const rest = all(picker, fast, 4 * unit, 3000)
    expect(rest[0]).toMatchObject({ piece: 10, begin: unit, length: 3 * unit })
    for (const one of [ask, rest[0]!]) expect(send(fast, one)).toBe(true)
    expect(slow.cancelled).toMatchObject([{ piece: 10 }])
  })

  test('in the end game others are asked for what one owes, and told when it came', () => {
    const { picker, join, send, complete } = setUp(2, 2)
    const one = join(new Bitfield(2).fill())
    const asks = all(picker, one, unit)
    expect(asks).toHaveLength(4)
    const two = join(new Bitfield(2).fill())
    const again = picker.pick(two, unit, 0)!
    expect(send(two, again)).toBe(true)
    expect(complete).toEqual([])
    expect(one.cancelled).toMatchObject([{ piece: again.piece, begin: again.begin }])
    expect(send(one, again)).toBe(false)
  })

  test('what comes twice leaves what came first, so that who sent what is known', () => {
    const { picker, join, complete } = setUp(1, 4)
    const [one, two] = [join(new Bitfield(1).fill()), join(new Bitfield(1).fill())]
    const first = picker.pick(one, unit, 0)!
    const rest = picker.pick(one, 4 * unit, 0)!
    const again = picker.pick(two, 4 * unit, 0)!
    expect([first.begin, rest.begin, again]).toMatchObject([0, unit, { begin: 0, length: 4 * unit }])
    picker.receive(one, 0, 0, new Uint8Array(unit).fill(1), 0)
    picker.receive(two, 0, 0, new Uint8Array(4 * unit).fill(2), 0)
    const [piece] = complete
    expect([0, 1, 2, 3].map((u) => [piece!.from[u] === one, piece!.data![u * unit]]))
      .toEqual([[true, 1], [false, 2], [false, 2], [false, 2]])
  })

  test('blocks nobody asked for are refused', () => {
    const { picker, join } = setUp(2, 2)
    const peer = join(new Bitfield(2).fill())
    const ask = picker.pick(peer, unit, 0)!
    for (const [begin, length] of [[ask.begin + 1, unit], [ask.begin, unit + 1], [ask.begin + unit, unit], [1 << 30, 1]]) {
      expect(picker.receive(peer, ask.piece, begin!, new Uint8Array(length!), 0)).toBeUndefined()
    }
    expect(picker.receive(peer, 7, 0, new Uint8Array(unit), 0)).toBeUndefined()
  })

  test('no more pieces are going than memory allows', () => {
    const { picker, join, complete, send } = setUp(10, 4, 3 * 4 * unit)
    const peer = join(new Bitfield(10).fill())
    const asks = all(picker, peer)
    expect(asks).toHaveLength(3)
    send(peer, asks[0]!)
    expect(picker.pick(peer, unit, 0)).toBeUndefined()
    picker.done(complete[0]!.index)
    expect(picker.pick(peer, unit, 0)).toBeDefined()
  })

  test('memory of a piece that is on disk serves a later one of the same length', () => {
    const { picker, join, complete } = setUp(4, 2, 1 << 30, 7 * unit)
    const peer = join(new Bitfield(4).fill())
    const next = (index: number): Piece<Peer> => {
      picker.whole(peer, index, 0)
      picker.receive(peer, index, 0, new Uint8Array(picker.size(index)).fill(1), 0)
      return complete.pop()!
    }
    const spare = new Uint8Array(2 * unit)
    picker.done(next(0).index, spare)
    const last = next(3)
    expect(last.data).toHaveLength(unit)
    picker.done(3, last.data)
    expect(next(1).data).toBe(spare)
    expect(spare.every((byte) => byte === 1)).toBe(true)
    picker.done(1)
    expect(next(2).data).toHaveLength(2 * unit)
  })

  test('what a quiet peer owes is asked of another, and taken from the quiet one when it comes after all', () => {
    const { picker, join, send, complete } = setUp(1, 1)
    const quiet = join(new Bitfield(1).fill())
    const ask = picker.pick(quiet, unit, 0)!
    picker.lose(quiet)
    expect(send(quiet, ask)).toBe(true)
    expect(complete).toHaveLength(1)
  })

  test('what a quiet peer owes is not asked of it again when it sends at last', () => {
    const { picker, join, send, complete } = setUp(3, 4)
    const slow = join(new Bitfield(3).fill())
    const owed = [picker.pick(slow, 4 * unit, 0)!, picker.pick(slow, 2 * unit, 0)!, picker.pick(slow, 2 * unit, 0)!]
    picker.lose(slow)
    picker.find(slow, 0, 1)
    expect(all(picker, slow).map(({ piece }) => piece)).toEqual([3 - owed[0]!.piece - owed[1]!.piece])
    for (const ask of owed) expect(send(slow, ask)).toBe(true)
    expect(complete).toHaveLength(2)
  })

  test('what it passed over is asked of others, and taken from it when it comes after all', () => {
    const { picker, join, send, complete } = setUp(1, 2)
    const slow = join(new Bitfield(1).fill())
    const old = picker.pick(slow, unit, 0)!
    const young = picker.pick(slow, unit, 20_000)!
    picker.lose(slow)
    picker.find(slow, 20_000, 31_000)
    expect([old.lost, young.lost, slow.pace.owed]).toEqual([true, true, unit])
    const other = join(new Bitfield(1).fill())
    expect(picker.pick(other, unit, 31_000)).toMatchObject({ begin: old.begin })
    for (const ask of [old, young]) expect(send(slow, ask, 40_000)).toBe(true)
    expect(complete).toHaveLength(1)
    expect(slow.pace.owed).toBe(0)
  })

  test('of a piece that failed nobody owes anything any more', () => {
    const { picker, join, send, complete } = setUp(1, 2)
    const slow = join(new Bitfield(1).fill())
    picker.pick(slow, unit, 0)
    picker.lose(slow)
    const other = join(new Bitfield(1).fill())
    send(other, picker.pick(other, unit, 1)!)
    picker.find(slow, 0, 2)
    send(other, picker.pick(other, unit, 2)!)
    picker.failed(complete[0]!, true)
    expect([slow.asks.size, slow.pace.owed, slow.cancelled.length]).toEqual([0, 0, 1])
    expect(all(picker, other, unit)).toMatchObject([{ begin: 0 }, { begin: unit }])
  })

  test('a piece that failed comes from one peer', () => {
    const { picker, join, send, complete } = setUp(1, 4)
    const one = join(new Bitfield(1).fill())
    const two = join(new Bitfield(1).fill())
    const asks = [picker.pick(one, 2 * unit, 0)!, picker.pick(two, 2 * unit, 0)!]
    send(one, asks[0]!)
    send(two, asks[1]!)
    picker.failed(complete[0]!, true)
    expect(picker.pick(two, unit, 0)).toBeDefined()
    expect(picker.pick(one, unit, 0)).toBeUndefined()
    expect(picker.whole(one, 0, 9_000, true)).toBe(false)
    picker.leave(two)
    expect(picker.pick(one, unit, 0)).toBeDefined()
  })

  test('nobody can keep such a piece from the others for long', () => {
    const { picker, join, send, complete } = setUp(1, 1)
    const [one, two] = [join(new Bitfield(1).fill()), join(new Bitfield(1).fill())]
    send(one, picker.pick(one, unit, 0)!)
    picker.failed(complete.pop()!, true)
    expect(picker.pick(two, unit, 0)).toBeDefined()
    expect(picker.pick(one, unit, 10_000)).toBeUndefined()
    expect(send(one, picker.pick(one, unit, 40_000)!, 40_000)).toBe(true)
    expect(complete).toHaveLength(1)
  })

  test('a web seed takes whole pieces that nobody else is asked for', () => {
    const { picker, join, complete } = setUp(10, 4)
    const web = join(new Bitfield(10).fill())
    const peer = join(bits(10, 4))
    picker.pick(peer, unit, 0)
    expect([4, 5, 5, 10].map((index) => picker.whole(web, index, 0))).toEqual([false, true, false, false])
    expect(picker.receive(web, 5, 0, new Uint8Array(4 * unit), 0)).toBeDefined()
    expect(complete.map((piece) => piece.index)).toEqual([5])
  })

  test('a web seed takes what a peer left unfinished', () => {
    const { picker, join, complete, send } = setUp(2, 4)
    const web = join(new Bitfield(2).fill())
    const peer = join(bits(2, 1))
    send(peer, picker.pick(peer, unit, 0)!, 1_500)
    picker.leave(peer)
    // Another peer may be about to go on with it.
    expect([3_000, 4_000, 7_000].map((now) => picker.whole(web, 1, now))).toEqual([false, true, false])
    expect(picker.receive(web, 1, 0, new Uint8Array(4 * unit), 7_000)).toBeDefined()
    const [piece] = complete
    // What was here is as it was, so that who sent what remains known.
    expect([0, 1, 2, 3].map((u) => [piece!.from[u] === peer, piece!.data![u * unit]]))
      .toEqual([[true, 1], [false, 0], [false, 0], [false, 0]])
  })

  test('a web seed takes what somebody waits for where a peer takes its time, and only then', () => {
    const { picker, join, complete, send } = setUp(2, 4)
    const web = join(new Bitfield(2).fill())
    const slow = join(bits(2, 1))
    const ask = picker.pick(slow, 2 * unit, 0)!
    const owed = picker.pick(slow, unit, 1_000)!
    send(slow, ask, 1_500)
    const takes = (now: number, urgent: boolean) => picker.whole(web, 1, now, urgent)
    expect([takes(2_500, true), takes(9_000, false), takes(3_500, true)]).toEqual([false, false, true])
    // Once, however slow it is itself.
    expect(takes(9_000, true)).toBe(false)
    expect(picker.receive(web, 1, 0, new Uint8Array(4 * unit), 9_000)).toBeDefined()
    expect(complete).toHaveLength(1)
    expect(slow.cancelled).toEqual([owed])
  })

  test('a web seed takes what somebody waits for although others hold all memory', () => {
    const { picker, join } = setUp(10, 4, 4 * unit)
    const web = join(new Bitfield(10).fill())
    picker.pick(join(bits(10, 4)), unit, 0)
    expect([picker.whole(web, 5, 0), picker.whole(web, 5, 0, true)]).toEqual([false, true])
  })

  test('a hundred thousand pieces and fifty peers cost little', () => {
    const pieces = 100_000
    const { picker, join, send, complete } = setUp(pieces, 1, 1 << 20)
    const peers = Array.from({ length: 50 }, (_, k) => {
      const have = new Bitfield(pieces)
      for (let i = k; i < pieces; i += 5) have.set(i)
      return join(have)
    })
    // Quadratic work would take minutes, and the test's own limit would end it.
    for (let left = pieces; left; ) {
      for (const peer of peers) {
        const ask = picker.pick(peer, 4 * unit, 0)
        if (!ask) continue
        send(peer, ask)
        picker.done(complete.pop()!.index)
        left--
      }
    }
    expect(picker.had.full).toBe(true)
  }, 60_000)

  test('whatever happens, all that somebody has is fetched, from those who have it', () => {
    const step = fc.record({
      do: fc.constantFrom(
        'pick', 'pick', 'pick', 'send', 'send', 'whole', 'drop', 'lose', 'find', 'leave', 'gain', 'fail', 'window', 'prune',
      ),
      peer: fc.nat(4),
      n: fc.nat(1000),
    })
    const peerHas = fc.array(fc.nat(11), { maxLength: 12 })
    fc.assert(
      fc.property(
        fc.array(peerHas, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 6 }), fc.array(step, { maxLength: 200 }),
        (haves, units, steps) => {
          const pieces = 12
          const { picker, join, send, complete, had, memory } = setUp(pieces, units, 8 * units * unit)
          let peers = haves.map((set, k) => join(k ? bits(pieces, ...set) : new Bitfield(pieces).fill()))
          const pick = (peer: Peer, max: number): Ask | undefined => {
            const ask = picker.pick(peer, max, 0)
            if (!ask) return undefined
            expect(peer.have.has(ask.piece)).toBe(true)
            expect(had.has(ask.piece)).toBe(false)
            expect(ask.length).toBeLessThanOrEqual(Math.max(max, unit))
            expect(ask.begin + ask.length).toBeLessThanOrEqual(picker.size(ask.piece))
            return ask
          }
          const settle = (wrong: boolean): void => {
            for (const piece of complete.splice(0)) {
              expect(piece.data!.every((byte) => byte === 1)).toBe(true)
              if (wrong) picker.failed(piece, true)
              else picker.done(piece.index)
            }
          }
          for (const { do: what, peer: k, n } of steps) {
            const peer = peers[k % peers.length]!
            const asks = [...peer.asks.values()]
            const ask = asks[n % (asks.length || 1)]
            if (what === 'pick') pick(peer, [unit, 2 * unit, 4 * unit][n % 3]!)
            else if (what === 'send' && ask) expect(send(peer, ask)).toBe(true)
            else if (what === 'whole') picker.whole(peers[0]!, n % pieces, 5_000, n % 2 > 0)
            else if (what === 'drop' && ask) picker.drop(peer, ask)
            else if (what === 'lose') picker.lose(peer)
            else if (what === 'find') picker.find(peer, 0, 0)
            else if (what === 'leave' && k && peers.length > 1 && peer !== peers[0]) {
              picker.leave(peer)
              peers = peers.filter((other) => other !== peer)
            } else if (what === 'gain') picker.gained(peer, n % pieces)
            else if (what === 'window') picker.windows = [{ from: n % pieces, to: Math.min(pieces, (n % pieces) + 3) }]
            else if (what === 'prune') picker.prune(1e6)
            settle(what === 'fail' || n % 7 === 0)
            for (const one of peers) {
              let lacking = 0
              for (let i = 0; i < pieces; i++) if (one.have.has(i) && !had.has(i)) lacking++
              expect(one.useful).toBe(lacking)
              // What is lost is not waited for.
              const owed = [...one.asks.values()].filter(({ lost }) => !lost)
              expect(one.pace.owed).toBe(owed.reduce((sum, { length }) => sum + length, 0))
            }
          }
          for (let turns = 0; !had.full && turns < 10_000; turns++) {
            for (const peer of peers) {
              pick(peer, 4 * unit)
              const ask = peer.asks.values().next().value
              if (ask) send(peer, ask)
              settle(false)
            }
          }
          expect(had.full).toBe(true)
          picker.close()
          expect(memory.full).toBe(false)
          expect(memory.take(8 * units * unit)).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
  }, 60_000)

  test('outside of the end game nothing is asked for twice', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3), { minLength: 20, maxLength: 120 }), fc.integer({ min: 1, max: 4 }), (turns, units) => {
        const { picker, join } = setUp(40, units)
        const peers = Array.from({ length: 4 }, () => join(new Bitfield(40).fill()))
        const seen = new Set<string>()
        for (const turn of turns) {
          const ask = picker.pick(peers[turn]!, unit, 0)
          if (!ask || seen.size === 40 * units) continue
          expect(seen.has(`${ask.piece} ${ask.begin}`)).toBe(false)
          seen.add(`${ask.piece} ${ask.begin}`)
        }
      }),
    )
  })
})
