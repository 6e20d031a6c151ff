import { describe, expect, test } from 'vitest'
import { random, toHex } from '../bytes.ts'
import type { Channel, LinkInfo } from '../link/channel.ts'
import { Pace } from '../link/pace.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { maxBlock, Wire, type WireHandler } from '../wire/wire.ts'
import type { PeerNode, Source } from './host.ts'
import { Budget, Limit } from './limit.ts'
import { Peer, type PeerHost } from './peer.ts'
import { Picker, unit } from './picker.ts'

const pieceLength = 4 * maxBlock

interface LineOptions {
  /** Milliseconds that a message is on its way, each way. */
  delay: number
  /** Bytes per second that it carries. */
  rate: number
}

/** A line to somebody who sends, and how much waits before it at most, in a time of its own: nothing here waits. */
class Line {
  now = 0
  waiting = 0
  readonly #options: LineOptions
  readonly #coming: { at: number; run: () => void }[] = []
  #free = 0

  constructor(options: LineOptions) {
    this.#options = options
  }

  /** What is asked for is small, and waits for nothing. */
  there(run: () => void): void {
    this.#at(this.now + this.#options.delay, run)
  }

  back(bytes: number, run: () => void): void {
    const { delay, rate } = this.#options
    this.#free = Math.max(this.#free, this.now)
    this.waiting = Math.max(this.waiting, ((this.#free - this.now) * rate) / 1000)
    this.#free += (bytes * 1000) / rate
    this.#at(this.#free + delay, run)
  }

  async runUntil(done: () => boolean): Promise<void> {
    while (!done()) {
      // What a turn has to say goes when it ends.
      await Promise.resolve()
      const next = this.#coming.shift()
      if (!next) throw new Error('nothing is on its way any more')
      this.now = next.at
      next.run()
    }
  }

  #at(at: number, run: () => void): void {
    const later = this.#coming.findIndex((one) => one.at > at)
    this.#coming.splice(later < 0 ? Infinity : later, 0, { at, run })
  }
}

/** A torrent that is fetched over the line by a link that has this pace. */
class Fetching {
  readonly had: Bitfield
  readonly picker: Picker<Source>
  readonly peer: Peer
  /** When all was there, ms. */
  doneAt = Infinity
  received = 0
  /** Somebody waits for it. */
  urgent = false

  constructor(line: Line, pace: Pace, bytes: number, block: number) {
    const infoHash = toHex(random(20))
    const pieces = Math.ceil(bytes / pieceLength)
    const info = { pieces, pieceLength: Math.min(pieceLength, bytes), length: bytes }
    const had = (this.had = new Bitfield(pieces))
    this.picker = new Picker<Source>(info.length, info.pieceLength, had, new Budget(1 << 30), ({ index }) => {
      this.picker.done(index)
      if (had.full) this.doneAt = line.now
    })

    const channel: Channel = {
      outgoing: true,
      open: true,
      bufferedAmount: 0,
      maxMessage: 256 << 10,
      link: { peerId: '22'.repeat(20), initiator: true, kind: 'direct', pace, close() {}, extended() {} } satisfies LinkInfo,
      onopen: undefined,
      onmessage: undefined,
      ondrain: undefined,
      onclose: undefined,
      send: (data) => {
        const copy = data.slice()
        line.there(() => sender.receive(copy))
      },
      close: () => expect.unreachable(),
    }
    const does: Partial<WireHandler> = {
      onhandshake: () => {
        sender.handshake(infoHash, '22'.repeat(20))
        if (block > unit) sender.extendedHandshake({ version: '', reqq: 2000 })
        sender.bitfield(new Uint8Array(), pieces, pieces)
        sender.unchoke()
      },
      onrequest: (piece, begin, length) => sender.piece(piece, begin, new Uint8Array(length)),
    }
    const sender = new Wire(
      {
        send: (data) => {
          const copy = data.slice()
          line.back(copy.length, () => channel.onmessage?.(copy))
        },
      },
      new Proxy(does, { get: (_, name) => does[name as keyof WireHandler] ?? (() => {}) }) as WireHandler,
    )
    sender.info = info as PeerHost['info']

    // As every torrent is fetched that nobody reads yet.
    this.picker.windows = [{ from: 0, to: 1 }]
    const { picker } = this
    const urgent = () => this.urgent
    const host = {
      infoHash, info, had, picker,
      entry: {},
      metadata: { info: undefined, add() {} },
      get done() {
        return had.full
      },
      get urgent() {
        return urgent()
      },
      joined: () => true,
      met() {},
      gone: () => expect.unreachable(),
      wants: () => !had.full,
      choke() {},
      refill() {},
      block: () => undefined,
      received: (bytes: number) => void (this.received += bytes),
      sent() {},
    } as unknown as PeerHost
    const node: PeerNode = { peerId: toHex(random(20)), up: new Limit(), down: new Limit(), strangers: new Set(), thirsty: new Set(), now: () => line.now }
    this.peer = new Peer(channel, node, () => host, infoHash)
  }
}

describe('how much is asked for', () => {
  interface Case {
    line: LineOptions
    /** Torrents that are fetched at once, 5 seconds' worth in all, and blocks that their sender sends. */
    torrents?: number
    block?: number
    /** Bytes that may wait before the line, and the part of it that is used. */
    waits: number
    used: number
  }

  test.each<[string, Case]>([
    ['a long line', { line: { delay: 50, rate: 6.25e6 }, waits: 450_000, used: 0.75 }],
    ['a long line to a peer of another make', { line: { delay: 50, rate: 6.25e6 }, block: unit, waits: 450_000, used: 0.75 }],
    ['a long line, by many torrents', { line: { delay: 50, rate: 6.25e6 }, torrents: 20, waits: 500_000, used: 0.75 }],
    ['a long line, by torrents of one block', { line: { delay: 50, rate: 6.25e6 }, torrents: 300, waits: 500_000, used: 0.75 }],
    ['a short line', { line: { delay: 10, rate: 2.5e6 }, waits: 400_000, used: 0.9 }],
    ['a slow line', { line: { delay: 30, rate: 125_000 }, waits: 400_000, used: 0.9 }],
    ['a slow line, by many torrents', { line: { delay: 30, rate: 125_000 }, torrents: 4, waits: 400_000, used: 0.9 }],
    ['a line to the other side of the world', { line: { delay: 150, rate: 2.5e6 }, waits: 400_000, used: 0.75 }],
    ['no line at all', { line: { delay: 1, rate: 100e6 }, waits: 8 << 20, used: 0.9 }],
  ])('%s is filled, and little waits before it', async (_, { line: options, torrents = 1, block = maxBlock, waits, used }) => {
    const line = new Line(options)
    const pace = new Pace(new Set())
    const bytes = Math.min(5 * options.rate, 40e6)
    const all = Array.from({ length: torrents }, () => new Fetching(line, pace, Math.floor(bytes / torrents), block))
    await line.runUntil(() => all.every(({ had }) => had.full))
    expect(line.waiting).toBeLessThan(waits)
    expect((bytes * 1000) / line.now / options.rate).toBeGreaterThan(used)
    expect(pace.owed).toBe(0)
  })

  test.each<[number, LineOptions]>([
    [4, { delay: 30, rate: 2.5e6 }],
    [10, { delay: 30, rate: 2.5e6 }],
    [10, { delay: 50, rate: 6.25e6 }],
  ])('%d links that share a line fill it, and not much more waits before it than with one', async (links, options) => {
    const line = new Line(options)
    const working = new Set<Pace>()
    const bytes = 10 * options.rate
    const all = Array.from({ length: links }, () => new Fetching(line, new Pace(working), bytes / links, maxBlock))
    await line.runUntil(() => all.every(({ had }) => had.full))
    expect(line.waiting).toBeLessThan(1_800_000)
    expect((bytes * 1000) / line.now / options.rate).toBeGreaterThan(0.9)
  })

  test('torrents of one link have equal parts of it', async () => {
    const line = new Line({ delay: 50, rate: 2.5e6 })
    const pace = new Pace(new Set())
    const film = new Fetching(line, pace, 50e6, maxBlock)
    await line.runUntil(() => film.received > 5e6)
    const before = line.now
    const memo = new Fetching(line, pace, 1e6, maxBlock)
    await line.runUntil(() => memo.had.full)
    expect(line.now - before).toBeLessThan(2 * 400 + 600)
    expect(film.had.full).toBe(false)
  })

  test('what somebody waits for comes before the rest', async () => {
    const line = new Line({ delay: 50, rate: 2.5e6 })
    const pace = new Pace(new Set())
    const rest = Array.from({ length: 40 }, () => new Fetching(line, pace, 1e6, maxBlock))
    await line.runUntil(() => rest.reduce((sum, { received }) => sum + received, 0) > 5e6)
    const played = rest.at(-1)!
    played.picker.windows = [{ from: 0, to: played.had.size }]
    played.urgent = true
    const before = line.now
    played.peer.update()
    await line.runUntil(() => played.had.full)
    expect(line.now - before).toBeLessThan(1500)
    expect(rest.filter(({ had }) => had.full).length).toBeLessThan(5)
  })
})
