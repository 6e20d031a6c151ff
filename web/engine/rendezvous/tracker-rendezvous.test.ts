import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { fromHex, toBinary } from '../bytes.ts'
import type { Offer, OfferDesk } from '../link/host.ts'
import { TrackerRendezvous } from './tracker-rendezvous.ts'
import type { Socket } from './tracker.ts'
import type { Announcing } from './types.ts'

const me = '2d'.repeat(20)
const other = 'ff00c3'.padEnd(40, '7')
const hash = (n: number) => n.toString(16).padStart(40, '0')
const bin = (hex: string) => toBinary(fromHex(hex)!)

interface Announced {
  info_hash: string
  peer_id: string
  left: number | null
  numwant: number
  event?: string
  offers: { offer_id: string; offer: { type: string; sdp: string } }[]
  answer?: object
  to_peer_id?: string
  offer_id?: string
}

class FakeSocket {
  static all: FakeSocket[] = []
  readyState = 0
  sent: Announced[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: (() => void) | null = null
  readonly url: string

  constructor(url: string) {
    this.url = url
    FakeSocket.all.push(this)
  }

  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }

  close(): void {
    if (this.readyState === 3) return
    this.readyState = 3
    queueMicrotask(() => this.onclose?.())
  }

  open(): this {
    this.readyState = 1
    this.onopen?.()
    return this
  }

  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify({ action: 'announce', ...message }) })
  }

  reply(infoHash: string, complete: number, incomplete: number, interval = 120): void {
    this.say({ info_hash: bin(infoHash), complete, incomplete, interval })
  }
}

class Desk implements OfferDesk {
  budget = 5
  made = 0
  readonly released: string[] = []
  /** Of these, those that others may have had. */
  readonly spoiled: string[] = []
  readonly heard: unknown[] = []
  readonly asked: unknown[] = []
  answer: () => Promise<string | undefined> = async () => 'our answer'

  async offers(_infoHash: string, count: number, others?: number): Promise<Offer[]> {
    this.asked.push([count, others])
    const granted = Math.min(count, this.budget)
    this.budget -= granted
    return Array.from({ length: granted }, () => ({ id: `offer ${this.made++}`, sdp: 'our offer' }))
  }

  release(ids: readonly string[], spoiled?: boolean): void {
    this.released.push(...ids)
    if (spoiled) this.spoiled.push(...ids)
    this.budget += ids.length
  }

  answered(...call: unknown[]): void {
    this.heard.push(['answered', ...call])
  }

  async offered(...call: unknown[]): Promise<string | undefined> {
    this.heard.push(['offered', ...call])
    return this.answer()
  }
}

let desk: Desk
let rendezvous: TrackerRendezvous

const newRendezvous = (): TrackerRendezvous =>
  new TrackerRendezvous({ peerId: fromHex(me)!, desk, socket: (url) => new FakeSocket(url) as unknown as Socket })

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  FakeSocket.all = []
  desk = new Desk()
  rendezvous = newRendezvous()
})

afterEach(async () => {
  await rendezvous.destroy()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const after = (ms: number) => vi.advanceTimersByTimeAsync(ms)
/** Until the tracker is called again, at the next of its times. */
const again = async () => {
  const before = FakeSocket.all.length
  for (let waited = 0; waited < 130_000 && FakeSocket.all.length === before; waited += 1000) await after(1000)
  expect(FakeSocket.all.length).toBe(before + 1)
}
const seeder = (n: number, more: Partial<Announcing> = {}): Announcing => ({
  infoHash: hash(n),
  trackers: ['wss://one.example'],
  uploaded: 0,
  downloaded: 0,
  left: 0,
  wanted: 0,
  stalled: false,
  ...more,
})
const leecher = (n: number, more: Partial<Announcing> = {}): Announcing =>
  seeder(n, { left: undefined, wanted: 30, stalled: true, ...more })

/** Adds torrents and opens the one socket. */
async function start(...torrents: Announcing[]): Promise<FakeSocket> {
  for (const torrent of torrents) rendezvous.add(torrent)
  const socket = FakeSocket.all[0]!.open()
  await after(1)
  return socket
}

const events = (socket: FakeSocket) => socket.sent.map(({ event }) => event)

describe('announces', () => {
  it('go to one socket per tracker, in binary strings', async () => {
    const socket = await start(seeder(1), seeder(2, { trackers: ['udp://no.example', 'wss://one.example'] }))
    expect(FakeSocket.all).toHaveLength(1)
    expect(socket.sent.map(({ info_hash }) => info_hash)).toEqual([bin(hash(1)), bin(hash(2))])
    expect(socket.sent[0]).toEqual({
      action: 'announce',
      info_hash: bin(hash(1)),
      peer_id: bin(me),
      key: expect.stringMatching(/^[0-9a-f]{40}$/),
      uploaded: 0,
      downloaded: 0,
      left: 0,
      event: 'started',
      numwant: 0,
      offers: [],
    })
    expect(rendezvous.trackers(hash(1))).toEqual([{ url: 'wss://one.example', status: 'connecting' }])
  })

  it('of who lacks data carry offers, and left is null without metadata', async () => {
    const socket = await start(leecher(1))
    expect(socket.sent[0]).toMatchObject({ left: null, numwant: 2, event: 'started' })
    expect(socket.sent[0]!.offers[0]).toEqual({ offer: { type: 'offer', sdp: 'our offer' }, offer_id: 'offer 0' })
  })

  it('go on when somebody sets the clock back', async () => {
    const socket = await start(seeder(1))
    socket.reply(hash(1), 1, 1)
    vi.setSystemTime(Date.now() - 24 * 60 * 60_000)
    await again()
    FakeSocket.all[1]!.open()
    await after(1)
    FakeSocket.all[1]!.reply(hash(1), 1, 1)
    await after(130_000)
    expect(events(FakeSocket.all[1]!)).toEqual(['started', undefined])
  })

  it('go to a few of the trackers where a torrent names many', async () => {
    rendezvous.add(seeder(1, { trackers: Array.from({ length: 100 }, (_, n) => `wss://${n}.example`) }))
    expect(FakeSocket.all).toHaveLength(8)
  })

  it('share the first offers among the trackers of a torrent', async () => {
    const trackers = ['wss://one.example', 'wss://two.example', 'https://no.example']
    rendezvous.add(leecher(1, { trackers }))
    for (const socket of FakeSocket.all) socket.open()
    await after(1)
    expect(FakeSocket.all.map(({ sent }) => sent[0]!.numwant)).toEqual([1, 1])
  })

  it('give back the offers that nobody can have got', async () => {
    const socket = await start(leecher(1))
    socket.reply(hash(1), 1, 1)
    expect(desk.released).toEqual(['offer 1'])
    expect(desk.spoiled).toEqual([])
    expect(rendezvous.trackers(hash(1))).toMatchObject([{ status: 'working', seeders: 1, leechers: 1 }])
  })

  it('come again soon while a torrent is stalled, each with an offer, and by the interval else', async () => {
    const torrent = { ...leecher(1), stalled: true }
    const socket = await start(torrent)
    const at: number[] = []
    let last = 0
    for (let ms = 0; ms < 80_000; ms += 500) {
      if (socket.sent.length > last) {
        last = socket.sent.length
        at.push(ms)
        if (last > 1) expect(socket.sent.at(-1)!.offers).toHaveLength(1)
        socket.reply(hash(1), 0, 1)
      }
      await after(500)
    }
    expect(at.slice(1).map((ms, i) => Math.round((ms - at[i]!) / 1000))).toEqual([2, 5, 10, 15, 15, 15, 15])
    torrent.stalled = false
    await after(90_000)
    expect(socket.sent.length - last).toBe(0)
    await after(30_000)
    expect(socket.sent.length - last).toBe(1)
    expect(socket.sent.at(-1)!.offers).toEqual([])
  })

  it('wait for the socket and for their offers, and have those made once', async () => {
    rendezvous.add(leecher(1))
    await after(5_000)
    rendezvous.wake(hash(1))
    await after(1)
    const socket = FakeSocket.all[0]!.open()
    await after(1)
    expect([desk.asked.length, socket.sent.length, desk.released]).toEqual([1, 1, []])
  })

  it('of a stalled torrent carry an offer also where the tracker does not count who asks', async () => {
    const socket = await start(leecher(1))
    socket.reply(hash(1), 0, 0)
    await after(2_100)
    expect(socket.sent.map(({ offers }) => offers.length)).toEqual([2, 1])
  })

  it('of a stalled torrent wait for an offer to make', async () => {
    desk.budget = 0
    const socket = await start(leecher(1))
    socket.reply(hash(1), 0, 1)
    await after(20_000)
    expect(socket.sent).toHaveLength(1)
    desk.budget = 1
    await after(3_000)
    expect(socket.sent).toHaveLength(2)
  })

  it('keep to the interval, within bounds, and to the minimum', async () => {
    const socket = await start(seeder(1), seeder(2), leecher(3))
    socket.reply(hash(1), 1, 0, 0)
    socket.reply(hash(2), 1, 0, 1e12)
    socket.say({ info_hash: bin(hash(3)), complete: 0, incomplete: 1, interval: 30, 'min interval': 25 })
    await after(12_000)
    expect(socket.sent).toHaveLength(3)
    await after(4_000)
    expect(socket.sent.map(({ info_hash }) => info_hash).slice(3)).toEqual([bin(hash(1))])
    socket.reply(hash(1), 1, 0, 3600)
    await after(15_000)
    expect(socket.sent.map(({ info_hash }) => info_hash).slice(4)).toEqual([bin(hash(3))])
    socket.reply(hash(3), 0, 1, 3600)
    rendezvous.remove(hash(3))
    await after(23 * 60_000)
    expect(socket.sent).toHaveLength(6)
    for (let second = 0; second < 8 * 60; second++) {
      await after(1_000)
      for (const { info_hash } of socket.sent.slice(6)) socket.say({ info_hash, interval: 3600 })
    }
    expect(socket.sent.map(({ info_hash }) => info_hash).slice(6).sort()).toEqual([bin(hash(1)), bin(hash(2))])
  })

  it('of a torrent that is removed leave no offers behind', async () => {
    await start(leecher(1))
    expect([desk.made, desk.released]).toEqual([2, []])
    rendezvous.remove(hash(1))
    expect(desk.released).toEqual(['offer 0', 'offer 1'])
  })

  it('of a torrent that is removed while its offers are made do not come', async () => {
    let made!: (offers: Offer[]) => void
    desk.offers = () => new Promise((resolve) => (made = resolve))
    const socket = await start(leecher(1))
    rendezvous.add(seeder(2))
    rendezvous.remove(hash(1))
    made([{ id: 'late', sdp: 'our offer' }])
    await after(1000)
    expect(socket.sent.map(({ info_hash }) => info_hash)).toEqual([bin(hash(2))])
    expect(desk.released).toEqual(['late'])
  })

  it('tell the desk how many others there are only where one tracker knows them all', async () => {
    const both = ['wss://one.example', 'wss://two.example']
    rendezvous.add(leecher(1))
    rendezvous.add(leecher(2, { trackers: both }))
    for (const socket of FakeSocket.all) socket.open()
    await after(1)
    desk.asked.length = 0
    for (const socket of FakeSocket.all) for (const n of [1, 2]) socket.reply(hash(n), 3, 1)
    await after(2000)
    expect(desk.asked).toEqual([[3, 3], [3, undefined], [3, undefined]])
  })

  it('of a torrent that was stalled before come as soon as of one that never was', async () => {
    const torrent = { ...leecher(1), stalled: true }
    const socket = await start(torrent)
    desk.budget = 100
    for (let seconds = 0; seconds < 60; seconds++) {
      socket.reply(hash(1), 1, 1)
      await after(1000)
    }
    torrent.stalled = false
    rendezvous.wake(hash(1))
    await after(2000)
    const before = socket.sent.length
    torrent.stalled = true
    rendezvous.wake(hash(1))
    await after(2000)
    await after(2000)
    expect(socket.sent.length).toBe(before + 2)
  })

  it('say completed once, and stopped', async () => {
    const socket = await start(leecher(1), seeder(2))
    socket.reply(hash(1), 1, 1)
    rendezvous.completed(hash(1))
    rendezvous.completed(hash(1))
    await after(1)
    expect(events(socket)).toEqual(['started', 'started', 'completed'])
    expect(socket.sent[2]!.offers).toEqual([])
    rendezvous.remove(hash(1))
    expect(events(socket).at(-1)).toBe('stopped')
    rendezvous.remove(hash(2))
    await after(1)
    expect(events(socket).slice(3)).toEqual(['stopped', 'stopped'])
    expect(socket.readyState).toBe(3)
    rendezvous.add(seeder(1))
    expect(FakeSocket.all).toHaveLength(2)
  })

  it('say completed also when it happened before the tracker was there', async () => {
    rendezvous.add(leecher(1))
    rendezvous.completed(hash(1))
    const socket = FakeSocket.all[0]!.open()
    await after(1)
    expect(events(socket)).toEqual(['started', 'completed'])
  })

  it('come soon after wake, but not at once again', async () => {
    const torrent = leecher(1, { stalled: false })
    const socket = await start(torrent)
    socket.reply(hash(1), 2, 1)
    for (let i = 0; i < 10; i++) rendezvous.wake(hash(1))
    await after(1_900)
    expect(socket.sent).toHaveLength(1)
    await after(200)
    expect(socket.sent).toHaveLength(2)
    expect(socket.sent[1]!.offers).toHaveLength(2)
    expect(desk.asked).toEqual([
      [2, undefined],
      [2, 2],
    ])
    expect(socket.sent[1]!.event).toBeUndefined()
  })

  it('keep to the minimum that a tracker asks for also after wake, and a torrent added twice is one', async () => {
    const torrent = leecher(1, { stalled: false })
    const socket = await start(torrent)
    socket.say({ info_hash: bin(hash(1)), complete: 2, incomplete: 1, interval: 120, 'min interval': 60 })
    rendezvous.add(torrent)
    rendezvous.wake(hash(1))
    await after(58_000)
    expect(events(socket)).toEqual(['started'])
    await after(3_000)
    expect(events(socket)).toEqual(['started', undefined])
  })

  it('come soon once more where there turn out to be more peers than first offers', async () => {
    const socket = await start(leecher(1, { stalled: false }))
    socket.reply(hash(1), 3, 1)
    await after(2_100)
    expect(socket.sent.map(({ offers }) => offers.length)).toEqual([2, 3])
    socket.reply(hash(1), 30, 1)
    await after(10_000)
    expect(socket.sent).toHaveLength(2)
  })

  it('of thousands of torrents are spread', async () => {
    const socket = await start(...Array.from({ length: 1000 }, (_, n) => seeder(n)))
    expect(socket.sent).toHaveLength(100)
    await after(10_000)
    expect(socket.sent.length).toBeGreaterThan(590)
    expect(socket.sent.length).toBeLessThan(610)
    await after(10_000)
    expect(new Set(socket.sent.map(({ info_hash }) => info_hash)).size).toBe(1000)
  })

  it('of thousands of stalled torrents are paced, and every one has its turn', async () => {
    desk.budget = 5
    const torrents = Array.from({ length: 300 }, (_, n) => leecher(n))
    const socket = await start(...torrents)
    let seen = 0
    const turns = new Set<string>()
    for (let i = 0; i < 600; i++) {
      await after(100)
      for (const { info_hash, event } of socket.sent.slice(seen)) {
        if (!event) turns.add(info_hash)
        socket.say({ info_hash, complete: 0, incomplete: 1 })
      }
      seen = socket.sent.length
    }
    expect(turns.size).toBe(300)
    expect(socket.sent.length).toBeLessThan(300 + 10 * 60 + 20)
  })
})

describe('a tracker that is gone', () => {
  it('is called again at once, then ever more slowly, and told everything anew', async () => {
    const socket = await start(seeder(1), leecher(2))
    const dice = vi.spyOn(Math, 'random').mockReturnValue(0.999)
    socket.close()
    await after(0)
    expect(rendezvous.trackers(hash(1))).toMatchObject([{ status: 'failed' }])
    expect(desk.released).toHaveLength(2)
    const waits = async (): Promise<number> => {
      const { length } = FakeSocket.all
      const lost = Date.now()
      while (FakeSocket.all.length === length) await after(100)
      return Date.now() - lost
    }
    for (let tries = 0; tries < 12; tries++) {
      const longest = Math.min(30_000, 1_000 * 2 ** tries)
      const waited = await waits()
      expect(waited).toBeGreaterThanOrEqual(longest * 0.999)
      expect(waited).toBeLessThanOrEqual(longest + 100)
      FakeSocket.all.at(-1)!.close()
      await after(0)
    }
    while (FakeSocket.all.at(-1)!.readyState === 3) await after(100)
    const last = FakeSocket.all.at(-1)!.open()
    await after(1)
    expect(events(last)).toEqual(['started', 'started'])
    last.reply(hash(1), 1, 1)
    expect(rendezvous.trackers(hash(1))).toMatchObject([{ status: 'working' }])
    // It was well meanwhile: what was before does not count.
    last.close()
    await after(0)
    expect(await waits()).toBeLessThanOrEqual(1_100)
    const next = FakeSocket.all.at(-1)!.open()
    await after(1)
    expect(events(next)).toEqual(['started', 'started'])
    dice.mockReturnValue(0)
    FakeSocket.all.at(-1)!.close()
    await after(0)
    expect(await waits()).toBeGreaterThanOrEqual(500)
    dice.mockRestore()
  })

  it('has handed on offers, or may have, which are no good for others then', async () => {
    const socket = await start(leecher(1), leecher(2))
    socket.reply(hash(1), 1, 1)
    expect([desk.released.splice(0), desk.spoiled]).toEqual([['offer 1'], []])
    socket.close()
    await after(0)
    expect(desk.released).toEqual(['offer 0', 'offer 2', 'offer 3'])
    expect(desk.spoiled).toEqual(['offer 0', 'offer 2', 'offer 3'])
    await after(1_100)
    FakeSocket.all[1]!.open()
    await after(1)
    FakeSocket.all[1]!.say({ info_hash: bin(hash(1)), 'failure reason': 'not here' })
    rendezvous.remove(hash(2))
    expect(desk.released.slice(3)).toEqual(['offer 4', 'offer 5', 'offer 6'])
    expect(desk.spoiled.slice(3)).toEqual(['offer 5', 'offer 6'])
  })

  it('may be gone before the first offers are made', async () => {
    let make: (() => void) | undefined
    const offers = desk.offers.bind(desk)
    desk.offers = async (...args) => {
      if (!make) await new Promise<void>((resolve) => (make = resolve))
      return offers(...args)
    }
    rendezvous.add(leecher(1))
    await after(1)
    FakeSocket.all[0]!.close()
    await after(1_100)
    FakeSocket.all[1]!.open()
    make!()
    await after(1)
    expect(FakeSocket.all[1]!.sent).toHaveLength(1)
    expect(FakeSocket.all[1]!.sent[0]!.offers).toHaveLength(2)
  })

  it('is noticed when it neither opens nor answers', async () => {
    rendezvous.add(seeder(1))
    await after(17_000)
    expect(FakeSocket.all.map(({ readyState }) => readyState)).toEqual([3, 0])
    FakeSocket.all[1]!.open()
    await after(32_000)
    expect(FakeSocket.all.map(({ readyState }) => readyState)).toEqual([3, 3, 0])
  })

  it('is called at once when the network comes back', async () => {
    const target = new EventTarget()
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target))
    vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target))
    const ours = newRendezvous()
    ours.add(seeder(1))
    FakeSocket.all[0]!.close()
    await after(0)
    target.dispatchEvent(new Event('online'))
    expect(FakeSocket.all).toHaveLength(2)
    // A socket that stands still is of the network before: nothing comes by it any more, and nobody says so.
    FakeSocket.all[1]!.open()
    await after(1)
    target.dispatchEvent(new Event('online'))
    expect(FakeSocket.all.map(({ readyState }) => readyState)).toEqual([3, 3, 0])
    FakeSocket.all[2]!.open()
    await after(1)
    expect(events(FakeSocket.all[2]!)).toEqual(['started'])
    await ours.destroy()
    target.dispatchEvent(new Event('online'))
    expect(FakeSocket.all).toHaveLength(3)
    vi.unstubAllGlobals()
  })

  it('is called at once when the page is shown again, and not while it is hidden', async () => {
    const page = Object.assign(new EventTarget(), { hidden: true })
    vi.stubGlobal('document', page)
    const ours = newRendezvous()
    ours.add(seeder(1))
    FakeSocket.all[0]!.close()
    await after(0)
    page.dispatchEvent(new Event('visibilitychange'))
    expect(FakeSocket.all).toHaveLength(1)
    page.hidden = false
    page.dispatchEvent(new Event('visibilitychange'))
    expect(FakeSocket.all).toHaveLength(2)
    await ours.destroy()
    vi.unstubAllGlobals()
  })

  it('is called at once when the network is there again, also while the page is hidden', async () => {
    const target = new EventTarget()
    vi.stubGlobal('document', Object.assign(new EventTarget(), { hidden: true }))
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target))
    const ours = newRendezvous()
    ours.add(seeder(1))
    FakeSocket.all[0]!.close()
    await after(0)
    target.dispatchEvent(new Event('online'))
    expect(FakeSocket.all).toHaveLength(2)
    await ours.destroy()
    vi.unstubAllGlobals()
  })

  it('is called anew after the machine slept, and not where timers are only late', async () => {
    const socket = await start(seeder(1))
    socket.reply(hash(1), 1, 1)
    await after(1)
    vi.setSystemTime(Date.now() + 60_000)
    await after(130_000)
    expect(FakeSocket.all).toHaveLength(1)
    socket.reply(hash(1), 1, 1)
    await after(1)
    vi.setSystemTime(Date.now() + 8 * 60 * 60_000)
    await again()
    FakeSocket.all[1]!.open()
    await after(1)
    expect(events(FakeSocket.all[1]!)).toEqual(['started'])
  })

  it('is no longer listened to', async () => {
    const socket = await start(seeder(1))
    socket.onclose!()
    await after(1_100)
    FakeSocket.all[1]!.open()
    await after(1)
    socket.reply(hash(1), 5, 5)
    socket.onclose!()
    expect(rendezvous.trackers(hash(1))).toMatchObject([{ status: 'failed' }])
    FakeSocket.all[1]!.reply(hash(1), 1, 0)
    expect(rendezvous.trackers(hash(1))).toMatchObject([{ status: 'working', seeders: 1 }])
    await after(40_000)
    expect(FakeSocket.all).toHaveLength(2)
  })

  it('is noticed also while ever more is announced to it', async () => {
    const socket = await start(seeder(0))
    for (let n = 1; n < 7; n++) {
      await after(5_000)
      rendezvous.add(seeder(n))
    }
    await after(1_000)
    expect(socket.readyState).toBe(3)
  })

  it('does not matter where another one works', async () => {
    rendezvous.add(seeder(1, { trackers: ['wss://one.example', 'wss://two.example'] }))
    FakeSocket.all[0]!.close()
    FakeSocket.all[1]!.open()
    await after(1)
    FakeSocket.all[1]!.reply(hash(1), 1, 0)
    expect(rendezvous.trackers(hash(1)).map(({ status }) => status)).toEqual(['failed', 'working'])
  })

  it('may be an address that the browser refuses', async () => {
    const ours = new TrackerRendezvous({
      peerId: fromHex(me)!,
      desk,
      socket: () => {
        throw new DOMException('no', 'SecurityError')
      },
    })
    ours.add(seeder(1))
    expect(ours.trackers(hash(1))).toMatchObject([{ status: 'failed' }])
    await ours.destroy()
  })
})

describe('what a tracker says', () => {
  const offer = { info_hash: bin(hash(1)), peer_id: bin(other), offer_id: 'x', offer: { type: 'offer', sdp: 'sdp' } }
  const answer = { info_hash: bin(hash(1)), peer_id: bin(other), offer_id: 'x', answer: { type: 'answer', sdp: 'sdp' } }

  it('are offers, which are answered, and answers', async () => {
    const socket = await start(seeder(1))
    socket.say(offer)
    socket.say(answer)
    await after(1)
    expect(desk.heard).toEqual([
      ['offered', hash(1), other, 'sdp'],
      ['answered', hash(1), other, 'x', 'sdp'],
    ])
    expect(socket.sent.at(-1)).toEqual({
      action: 'announce',
      info_hash: bin(hash(1)),
      peer_id: bin(me),
      to_peer_id: bin(other),
      offer_id: 'x',
      answer: { type: 'answer', sdp: 'our answer' },
    })
  })

  it('is ignored where it makes no sense', async () => {
    const socket = await start(seeder(1))
    const changed: string[] = []
    rendezvous.onchange = (infoHash) => changed.push(infoHash)
    for (const nonsense of [
      { ...offer, info_hash: bin(hash(9)) },
      { ...offer, info_hash: bin(hash(1)).slice(1) },
      { ...offer, info_hash: '\u0100'.repeat(20) },
      { ...offer, peer_id: bin(me) },
      { ...offer, peer_id: 7 },
      { ...offer, offer_id: 'x'.repeat(65) },
      { ...offer, offer: { type: 'answer', sdp: 'sdp' } },
      { ...offer, offer: { type: 'offer', sdp: {} } },
      { ...offer, offer: 'sdp' },
      { ...offer, action: 'scrape' },
      { ...offer, offer: { type: 'offer', sdp: 'x'.repeat(128 << 10) } },
      { 'failure reason': 'no torrent named' },
      { info_hash: bin(hash(1)), 'failure reason': 'not about an announce that waits' },
    ]) {
      if (changed.length === 0 && 'failure reason' in nonsense) socket.reply(hash(1), 1, 0)
      socket.say(nonsense)
    }
    for (const data of ['', '{', '7', 'null', '[]', new ArrayBuffer(8)]) socket.onmessage!({ data })
    await after(1)
    expect(desk.heard).toEqual([])
    expect(changed).toEqual([hash(1)])
    expect(rendezvous.trackers(hash(1))).toMatchObject([{ status: 'working', seeders: 1, leechers: 0 }])
  })

  it('may be a refusal, which is told and not argued with', async () => {
    const socket = await start(leecher(1))
    socket.say({ info_hash: bin(hash(1)), 'failure reason': 'not here' })
    expect(rendezvous.trackers(hash(1))).toMatchObject([{ status: 'failed', refusal: 'not here' }])
    expect(desk.released).toHaveLength(2)
    await after(30_000)
    rendezvous.wake(hash(1))
    await after(29_000)
    expect(socket.sent).toHaveLength(1)
    await after(2_000)
    socket.reply(hash(1), 1, 1)
    expect(rendezvous.trackers(hash(1))).toMatchObject([{ status: 'working' }])
  })

  it('may be a flood of offers, of which some are looked at', async () => {
    const socket = await start(...Array.from({ length: 10 }, (_, n) => seeder(n)))
    const pending: (() => void)[] = []
    desk.answer = () => new Promise((resolve) => pending.push(() => resolve(undefined)))
    for (let i = 0; i < 100; i++) socket.say(offer)
    expect(desk.heard).toHaveLength(16)
    for (let n = 0; n < 10; n++) for (let i = 0; i < 100; i++) socket.say({ ...offer, info_hash: bin(hash(n)) })
    expect(desk.heard).toHaveLength(64)
    for (const done of pending) done()
    await after(1)
    socket.say(offer)
    expect(desk.heard).toHaveLength(65)
  })

  it('comes too late for a torrent that was removed', async () => {
    const socket = await start(seeder(1), seeder(2))
    socket.say(offer)
    rendezvous.remove(hash(1))
    await after(1)
    expect(socket.sent.at(-1)!.event).toBe('stopped')
  })
})

it('says stopped for all when it is destroyed', async () => {
  const socket = await start(seeder(1), seeder(2))
  await rendezvous.destroy()
  expect(events(socket)).toEqual(['started', 'started', 'stopped', 'stopped'])
})
