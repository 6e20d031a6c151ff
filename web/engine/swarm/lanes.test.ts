import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Bytes } from '../bytes.ts'
import { FakeConnection, fakeSdp, type FakeChannel, type FakeOptions } from '../link/fake-rtc.ts'
import { pieceHead } from '../wire/messages.ts'
import { concat, utf8 } from '../bytes.ts'
import { Lanes } from './lanes.ts'
import type { Peer } from './peer.ts'
import type { Ask } from './picker.ts'

let made: FakeConnection[] = []
/** What connections made from now on do, and how they open channels. */
let habits: FakeOptions & RTCDataChannelInit = {}

beforeEach(() => {
  vi.useFakeTimers()
  made = []
  habits = {}
  const connection = class extends FakeConnection {
    constructor(configuration: RTCConfiguration) {
      super(habits)
      this.configuration = configuration
      made.push(this)
    }
    override createDataChannel(label: string, init: RTCDataChannelInit): FakeChannel {
      return super.createDataChannel(label, { ...init, ...habits })
    }
  }
  vi.stubGlobal('RTCPeerConnection', connection)
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

/** One side: what its lanes ask of a peer and of the node, and what becomes of it. */
class Side {
  now = 0
  readonly asks = new Map<number, Ask>([[0, { piece: 0, begin: 0, length: 65_536, at: 0, lost: false }]])
  readonly pace = { ways: 1 }
  readonly came: Bytes[] = []
  readonly lanes: Lanes
  readonly load = { open: 0, made: 0 }
  backlog = 0
  resumed = 0
  lost: Ask[] = []
  other!: Side
  iceServers = async (): Promise<RTCIceServer[]> => [
    { urls: 'stun:stun.example' }, { urls: 'turn:turn.example', username: 'u', credential: 'c' },
  ]
  /** No peer is to learn its address. */
  hidden = false
  /** Bytes per second that come, and what came so far. */
  speed = 1e6
  readonly #downloaded = { total: 0 }

  constructor() {
    const peer = {
      asks: this.asks,
      pace: this.pace,
      downloaded: this.#downloaded,
      resume: () => this.resumed++,
      wire: {
        extended: (_: string, payload: Bytes) => queueMicrotask(() => this.other.lanes.receive(payload)),
        lane: (message: Bytes) => this.came.push(message),
      },
    }
    Object.defineProperty(peer, 'backlog', { get: () => this.backlog })
    const mayLane = () => !this.hidden
    this.lanes = new Lanes(peer as unknown as Peer, { lanes: this.load, iceServers: () => this.iceServers(), mayLane, now: () => this.now })
  }

  /** Lives through some seconds at its present speed. */
  async live(seconds: number, left = 1e9): Promise<void> {
    for (let i = 0; i < seconds * 4; i++) {
      this.now += 250
      this.#downloaded.total += this.speed / 4
      this.lanes.tick(this.now, left, (ask) => this.lost.push(ask))
      await vi.advanceTimersByTimeAsync(0)
    }
  }
}

function pair(): [Side, Side] {
  const [taker, giver] = [new Side(), new Side()]
  taker.other = giver
  giver.other = taker
  return [taker, giver]
}

it('there are more while each brings something, up to three', async () => {
  const [taker, giver] = pair()
  const seen = []
  for (let i = 0; i < 4; i++) {
    await taker.live(5)
    seen.push([taker.load.open, giver.load.open])
    taker.speed = 1e6 * (1 + taker.load.open)
  }
  expect(seen).toEqual([[1, 1], [3, 3], [3, 3], [3, 3]])
  // Nobody pays for more than one connection through a relay.
  expect(made.map(({ configuration }) => configuration)).toEqual(made.map(() => ({ iceServers: [{ urls: 'stun:stun.example' }] })))
  // They last, and whoever sends asks for no more by them.
  await vi.advanceTimersByTimeAsync(60_000)
  expect([taker.load, giver.load, taker.pace, giver.pace]).toMatchObject([{ open: 3 }, { open: 3 }, { ways: 4 }, { ways: 1 }])
  taker.lanes.close()
  await vi.advanceTimersByTimeAsync(0)
  expect([taker.load, giver.load]).toEqual([{ open: 0, made: 3 }, { open: 0, made: 3 }])
  expect([taker.pace, giver.pace]).toEqual([{ ways: 1 }, { ways: 1 }])
})

it('one that brings nothing is not followed by another for a while', async () => {
  const [taker] = pair()
  await taker.live(30)
  expect([taker.load.made, taker.pace.ways]).toEqual([1, 2])
  await taker.live(30)
  expect([taker.load.made, taker.pace.ways]).toEqual([3, 4])
})

it.each<[string, (taker: Side) => Promise<void>]>([
  ['it is fast as it is', (taker) => ((taker.speed = 7e6), taker.live(20))],
  ['it is soon over', (taker) => taker.live(20, 3e6)],
  ['nothing is asked for', (taker) => (taker.asks.clear(), taker.live(20))],
  ['there are many already', (taker) => ((taker.load.open = 12), taker.live(20))],
])('there are none where %s', async (_, live) => {
  const [taker] = pair()
  await live(taker)
  expect(made.length).toBe(0)
})

it('a block goes by the way with the least on it; the channel itself, where all are alike', async () => {
  const [taker, giver] = pair()
  await taker.live(5)
  const data = new Uint8Array(100).fill(7)
  expect(giver.resumed).toBe(1)
  expect([giver.lanes.room, giver.lanes.send(1, 2, data)]).toEqual([true, false])
  giver.backlog = 400_000
  expect([giver.lanes.room, giver.lanes.send(1, 2, data)]).toEqual([true, true])
  await vi.advanceTimersByTimeAsync(0)
  expect(taker.came).toEqual([concat([pieceHead(1, 2, 100), data])])
  const [lane] = made[1]!.channels
  lane!.bufferedAmount = 400_000
  expect(giver.lanes.room).toBe(false)
  lane!.bufferedAmount = 0
  lane!.onbufferedamountlow!()
  expect(giver.resumed).toBe(2)
  // While it is in doubt, nothing more goes there.
  made[1]!.connectionState = 'disconnected'
  expect([giver.lanes.room, giver.lanes.send(1, 2, data)]).toEqual([true, false])
})

it('of several lanes a block goes by the one with the least on it', async () => {
  const [taker, giver] = pair()
  await taker.live(5)
  taker.speed = 2e6
  await taker.live(5)
  giver.backlog = 400_000
  const lanes = made.flatMap(({ channels, sctp }) => (sctp && channels[0]!.onbufferedamountlow ? channels : []))
  for (const least of [0, 1, 2]) {
    for (const [i, lane] of lanes.entries()) lane.bufferedAmount = i === least ? 0 : 1000
    giver.lanes.send(1, 2, new Uint8Array(100))
  }
  expect(lanes.map(({ sent }) => sent)).toEqual([1, 1, 1])
})

it.each<[string, FakeOptions & RTCDataChannelInit, number]>([
  ['takes messages that are shorter than a block', { maxMessage: 64 << 10 }, 1],
  ['opens something else on it', { protocol: 'other' }, 1],
  ['opens several channels on it', {}, 2],
])('a lane is none where the other side %s', async (_, its, channels) => {
  const [taker, giver] = pair()
  habits = its
  await taker.live(5)
  for (let i = 1; i < channels; i++) made[0]!.createDataChannel('lane', { protocol: 'starling.lane.1' })
  await vi.advanceTimersByTimeAsync(0)
  expect([taker.load, giver.load]).toEqual([{ open: 0, made: 1 }, { open: 0, made: 1 }])
  expect(giver.lanes.room).toBe(true)
})

it('without servers there are lanes in the local network', async () => {
  const [taker, giver] = pair()
  taker.iceServers = giver.iceServers = () => Promise.reject(new Error('offline'))
  await taker.live(5)
  expect(giver.load.open).toBe(1)
})

it.each(['fetches', 'sends'])('who hides its address makes none: one that %s', async (does) => {
  const [taker, giver] = pair()
  ;(does === 'fetches' ? taker : giver).hidden = true
  await taker.live(30)
  expect((does === 'fetches' ? taker : giver).load.made).toBe(0)
})

it('what is overtaken, or owed while nothing comes, is asked for again once there are lanes', async () => {
  const [taker] = pair()
  const [ask] = taker.asks.values()
  await taker.live(4)
  expect(taker.lost).toEqual([])
  await taker.live(12)
  expect(taker.lost).toContain(ask)

  const [slow] = pair()
  await slow.live(5)
  slow.asks.set(1, { piece: 1, begin: 0, length: 1 << 20, at: 0, lost: false })
  slow.speed = 10_000
  await slow.live(12)
  slow.lost = []
  await slow.live(60)
  expect(slow.lost).toEqual([])
  slow.speed = 0
  await slow.live(40)
  expect(new Set(slow.lost)).toEqual(new Set(slow.asks.values()))
})

it('one that does not come about, is refused, lost or closed, is the last', async () => {
  const [taker, giver] = pair()
  giver.load.open = 12
  await taker.live(5)
  expect([taker.load.open, giver.load.made]).toEqual([1, 0])
  await vi.advanceTimersByTimeAsync(20_000)
  expect(taker.load.open).toBe(0)
  await taker.live(60)
  expect(taker.load.made).toBe(1)

  const [other] = pair()
  await other.live(5)
  made.at(-2)!.lost('failed')
  await other.live(60)
  expect(other.load).toEqual({ open: 0, made: 1 })
  expect(other.pace.ways).toBe(1)

  const [refused, busy] = pair()
  busy.load.open = 12
  await refused.live(5)
  refused.lanes.receive(concat([Uint8Array.of(1, 0), utf8.encode(fakeSdp('nobody'))]))
  const [third, closing] = pair()
  await third.live(5)
  closing.lanes.close()
  await vi.advanceTimersByTimeAsync(0)
  expect([refused.load, third.load]).toEqual([{ open: 0, made: 1 }, { open: 0, made: 1 }])
})

it('strangers get no more than three, whatever they say', async () => {
  const [, giver] = pair()
  for (const payload of [[], [0], [0, 1], [1, 0], [9, 9]]) giver.lanes.receive(Uint8Array.from(payload))
  const offer = (number: number) => concat([Uint8Array.of(0, number), utf8.encode(fakeSdp(new FakeConnection().name))])
  giver.lanes.receive(concat([Uint8Array.of(1, 0), offer(0).subarray(2)]))
  for (let i = 0; i < 9; i++) {
    giver.lanes.receive(offer(i))
    giver.lanes.receive(offer(i))
  }
  await vi.advanceTimersByTimeAsync(1000)
  expect(giver.load).toEqual({ open: 3, made: 3 })
  await vi.advanceTimersByTimeAsync(30_000)
  expect(giver.load.open).toBe(0)
  giver.lanes.close()
  giver.lanes.receive(offer(20))
  await vi.advanceTimersByTimeAsync(1000)
  expect(giver.load.made).toBe(3)
})

it('strangers who offer without end do not have a browser make connections without end', async () => {
  const [, giver] = pair()
  const refused = concat([Uint8Array.of(0, 0), utf8.encode(fakeSdp('nobody'))])
  vi.spyOn(FakeConnection.prototype, 'setRemoteDescription').mockRejectedValue(new Error('refused'))
  for (let i = 0; i < 200; i++) {
    giver.lanes.receive(refused)
    await vi.advanceTimersByTimeAsync(10)
  }
  expect(giver.load.open).toBe(0)
  expect(giver.load.made).toBeLessThan(30)
  vi.restoreAllMocks()
  // Others have lanes again soon.
  await vi.advanceTimersByTimeAsync(5_000)
  const { made } = giver.load
  giver.lanes.receive(refused)
  await vi.advanceTimersByTimeAsync(10)
  expect(giver.load.made).toBe(made + 1)
})
