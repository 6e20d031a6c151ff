import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { concat, fromHex, toHex, type Bytes } from '../bytes.ts'
import type { Channel } from './channel.ts'
import { FakeConnection, fakeConnection, fakeSdp, type FakeOptions, type Fault } from './fake-rtc.ts'
import type { LinkHost } from './host.ts'
import { Links } from './links.ts'
import { route } from './route.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** Turns of the event loop, WebCrypto's included, and a little time, until it is so. */
async function until(condition: () => boolean, turns = 20_000): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > turns) throw new Error('it never came to be')
    vi.advanceTimersByTime(5)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Until all that is under way without a timer has happened. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const day = 24 * 60 * 60_000
const clocks: [string, number][] = [
  ['goes right', 0],
  ['is set back', -day],
  ['is set forward', day],
]

const hash = (n: number) => n.toString(16).padStart(40, '0')

interface Habits extends FakeOptions {
  /** An error: nobody tells them. */
  iceServers?: RTCIceServer[] | Error
  extension?: boolean
  maxLinks?: number
  /** What happens on a channel once both ends have shaken hands. */
  met?: (node: Node, infoHash: string, channel: Channel) => void
}

/** A host that shakes hands as a wire would, and keeps what happened. */
class Node implements LinkHost {
  readonly links: Links
  readonly id: string
  readonly torrents = new Set<string>()
  readonly lacks = new Set<string>()
  /** Channels whose handshake came, by infohash. */
  readonly met = new Map<string, Channel[]>()
  readonly closed: string[] = []
  readonly all: Channel[] = []
  readonly failures: string[] = []
  readonly made: FakeConnection[] = []
  readonly #habits: Habits

  constructor(digit: string, habits: Habits = {}) {
    this.#habits = { extension: true, ...habits }
    this.id = (this.#habits.extension ? '2d534c' : '2d5757') + digit.repeat(34)
    this.links = new Links({
      route,
      peerId: fromHex(this.id)!,
      host: this,
      iceServers: async () => {
        if (habits.iceServers instanceof Error) throw habits.iceServers
        return habits.iceServers ?? []
      },
      maxLinks: habits.maxLinks ?? 55,
      connection: () => {
        const pc = fakeConnection(habits)()
        this.made.push(pc as unknown as FakeConnection)
        return pc
      },
    })
  }

  seed(...infoHashes: string[]): this {
    for (const infoHash of infoHashes) this.torrents.add(infoHash)
    this.links.refresh()
    return this
  }

  want(...infoHashes: string[]): this {
    for (const infoHash of infoHashes) this.torrents.add(infoHash) && this.lacks.add(infoHash)
    this.links.refresh()
    return this
  }

  complete(infoHash: string): void {
    this.lacks.delete(infoHash)
    this.links.refresh()
  }

  known = () => this.torrents
  lacking = () => this.lacks

  failed(infoHash: string): void {
    this.failures.push(infoHash)
  }

  channel(channel: Channel, infoHash?: string): void {
    expect(channel.open).toBe(true)
    this.all.push(channel)
    if (infoHash) channel.send(this.#handshake(infoHash))
    let name = infoHash
    channel.onclose = () => this.closed.push(name ?? '')
    channel.onmessage = (data) => {
      if (data.length !== 68) return
      const said = toHex(data.subarray(28, 48))
      if (!this.torrents.has(said)) return channel.close()
      if (!infoHash) channel.send(this.#handshake((name = said)))
      this.met.set(said, [...(this.met.get(said) ?? []), channel])
      if (data[27] && this.#habits.extension) channel.link.extended()
      this.#habits.met?.(this, said, channel)
    }
  }

  /** As long as BEP 3's; its last reserved byte stands for what BEP 10 would tell. */
  #handshake(infoHash: string): Bytes {
    const extension = Uint8Array.of(this.#habits.extension ? 1 : 0)
    return concat([new Uint8Array(27), extension, fromHex(infoHash)!, new Uint8Array(20)])
  }
}

/** What a tracker does: offers of one for the other, and the answers back. Returns how many were answered. */
async function introduce(from: Node, to: Node, infoHash: string, count = 1): Promise<number> {
  const offers = await from.links.offers(infoHash, count)
  const answers = offers.map(async ({ id, sdp }) => {
    const answer = await to.links.offered(infoHash, from.id, sdp)
    if (answer) from.links.answered(infoHash, to.id, id, answer)
    return answer
  })
  return (await Promise.all(answers)).filter((answer) => answer).length
}

const ready = (...nodes: Node[]) => until(() => nodes.every((node) => node.links.stats().links > 0 && node.met.size > 0))

describe('a link', () => {
  it('is exactly a WebTorrent connection towards strangers, and ends with its channel', async () => {
    const ours = new Node('1').want(hash(1), hash(2))
    const theirs = new Node('2', { extension: false }).seed(hash(1), hash(2))
    await introduce(ours, theirs, hash(1))
    await ready(ours, theirs)
    await settle()
    const pc = ours.made[0]!
    expect(pc.channels.map(({ label, protocol }) => [/^[0-9a-f]{40}$/.test(label), protocol])).toEqual([[true, '']])
    expect(ours.all[0]!.link).toMatchObject({ peerId: theirs.id, initiator: true, kind: 'direct' })
    expect(theirs.all[0]).toMatchObject({ outgoing: false, open: true })
    theirs.all[0]!.close()
    await settle()
    expect([ours.closed, theirs.closed]).toEqual([[hash(1)], [hash(1)]])
    expect([ours.links.stats().links, theirs.links.stats().links]).toEqual([0, 0])
    expect(ours.failures).toEqual([])
  })

  it('carries all torrents the two share, and only those', async () => {
    const a = new Node('1').want(hash(1), hash(2), hash(3), hash(9))
    const b = new Node('2').seed(hash(1), hash(2), hash(3), hash(8)).want(hash(4))
    a.seed(hash(4))
    await introduce(a, b, hash(1))
    await until(() => a.met.size === 4 && b.met.size === 4)
    expect([...a.met.keys()].sort()).toEqual([1, 2, 3, 4].map(hash))
    b.seed(hash(9))
    await until(() => a.met.has(hash(9)))
    expect(a.links.stats()).toEqual({ links: 1, channels: 5, connectionsMade: 1, banned: 0 })
    expect(b.links.stats()).toEqual({ links: 1, channels: 5, connectionsMade: 1, banned: 0 })
    const wires = a.made[0]!.channels.filter(({ protocol }) => protocol === 'starling.wire.1')
    expect(wires.every(({ label }) => label === 'wire')).toBe(true)
    expect(a.made[0]!.channels[1]).toMatchObject({ label: 'starling', protocol: 'starling.link.1' })
  })

  it('carries more torrents than it has channel ids, thirty-two at a time', async () => {
    let most = 0
    const a = new Node('1', {
      met: (node, infoHash, channel) => {
        most = Math.max(most, node.links.stats().channels)
        setImmediate(() => {
          node.complete(infoHash)
          channel.close()
        })
      },
    })
    const b = new Node('2')
    for (let n = 0; n < 1200; n++) {
      a.want(hash(n))
      b.seed(hash(n))
    }
    // As rendezvous would: many torrents ask for offers before the first link is up.
    const introductions = Array.from({ length: 20 }, (_, n) => introduce(a, b, hash(n), 5))
    await until(() => a.lacks.size === 0)
    await vi.advanceTimersByTimeAsync(20_000)
    await Promise.all(introductions)
    expect(a.met.size).toBe(1200)
    expect(most).toBeLessThanOrEqual(32)
    expect(a.links.stats()).toMatchObject({ links: 1, channels: 0 })
    expect(a.links.stats().connectionsMade).toBe(5)
    expect(b.links.stats().connectionsMade).toBe(1)
    await vi.advanceTimersByTimeAsync(60_000)
    expect([a.links.stats().links, b.links.stats().links]).toEqual([0, 0])
  })

  it('lets the channel of the side that made the offer stay when both open one', async () => {
    const a = new Node('1').want(hash(1))
    const b = new Node('2').want(hash(1))
    await introduce(a, b, hash(1))
    await ready(a, b)
    a.want(hash(2), hash(3))
    b.want(hash(3), hash(2))
    await until(() => a.met.size === 3 && b.met.size === 3)
    await settle()
    for (const infoHash of [hash(2), hash(3)]) {
      expect(a.met.get(infoHash)!.filter(({ open }) => open)).toMatchObject([{ outgoing: true }])
      expect(b.met.get(infoHash)!.filter(({ open }) => open)).toMatchObject([{ outgoing: false }])
    }
    expect([a.links.stats().channels, b.links.stats().channels]).toEqual([3, 3])
  })

  it.each(['failed', 'closed', 'disconnected'] as const)('that dies (%s) closes its ten channels once each', async (how) => {
    const hashes = Array.from({ length: 10 }, (_, n) => hash(n))
    const a = new Node('1').want(...hashes)
    const b = new Node('2').seed(...hashes)
    await introduce(a, b, hash(0))
    await until(() => a.met.size === 10)
    a.made[0]!.lost(how)
    if (how === 'disconnected') {
      expect(a.closed).toEqual([])
      await vi.advanceTimersByTimeAsync(10_000)
    }
    await settle()
    expect([...a.closed].sort()).toEqual(hashes)
    expect([...b.closed].sort()).toEqual(hashes)
    expect(a.links.stats()).toMatchObject({ links: 0, channels: 0 })
    expect(b.links.stats()).toMatchObject({ links: 0, channels: 0 })
    expect(a.failures).toEqual([])
  })

  it('recovers from a short disconnection', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    a.made[0]!.lost('disconnected')
    a.made[0]!.lost('connected')
    await vi.advanceTimersByTimeAsync(30_000)
    expect(a.links.stats().links).toBe(1)
  })

  it('is none where the peer takes messages of a few bytes only', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2', { maxMessage: 1 }).seed(hash(1))]
    await introduce(a, b, hash(1))
    await until(() => b.made[0]!.connectionState === 'closed')
    expect(b.all).toEqual([])
  })

  it.each([
    [1 << 30, 256 << 10],
    [0, 64 << 10],
  ])('to a peer that takes %i bytes at once has messages of %i at most', async (maxMessage, most) => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2', { maxMessage }).seed(hash(1))]
    await introduce(a, b, hash(1))
    await until(() => b.all.length > 0)
    expect(b.all[0]!.maxMessage).toBe(most)
  })

  it('in doubt makes way for a new one to the same peer, and for no other', async () => {
    const a = new Node('1').want(hash(1))
    const [b, c] = ['2', '3'].map((digit) => new Node(digit).seed(hash(1)))
    for (const node of [b!, c!]) await introduce(a, node, hash(1))
    await ready(a, b!, c!)
    for (const pc of [...a.made, ...b!.made, ...c!.made]) pc.lost('disconnected')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await introduce(a, b!, hash(1))).toBe(1)
    await until(() => a.made[0]!.connectionState === 'closed' && b!.made[0]!.connectionState === 'closed')
    for (const pc of [a.made[1]!, ...c!.made]) pc.lost('connected')
    await vi.advanceTimersByTimeAsync(20_000)
    expect([a, b!, c!].map((node) => node.links.stats().links)).toEqual([2, 1, 1])
  })

  it('that has something to carry again is neither idle nor spare', async () => {
    const a = new Node('1').want(hash(1))
    const b = new Node('2', { maxLinks: 1 }).seed(hash(1), hash(2))
    await introduce(a, b, hash(1))
    await ready(a, b)
    a.complete(hash(1))
    a.all[0]!.close()
    await settle()
    await vi.advanceTimersByTimeAsync(30_000)
    a.want(hash(2))
    await until(() => a.met.has(hash(2)))
    await vi.advanceTimersByTimeAsync(40_000)
    expect(await introduce(new Node('3').want(hash(1)), b, hash(1))).toBe(0)
    expect([a.links.stats().links, b.links.stats().links]).toEqual([1, 1])
  })

  it('carries more also where hello overtakes the handshake that names the extension', async () => {
    const [a, b] = ['1', '2'].map((digit) => new Node(digit, { extension: false }))
    a!.want(hash(1), hash(2))
    b!.seed(hash(1), hash(2))
    await introduce(a!, b!, hash(1))
    await ready(a!, b!)
    a!.all[0]!.link.extended()
    await settle()
    b!.all[0]!.link.extended()
    await until(() => a!.met.has(hash(2)))
  })

  it('that does not open is in nobody’s way', async () => {
    const habits = { extension: false, reachable: false }
    const a = new Node('1', habits).want(hash(1))
    const b = new Node('2', { extension: false }).seed(hash(1))
    expect(await introduce(a, b, hash(1))).toBe(1)
    habits.reachable = true
    expect(await introduce(a, b, hash(1))).toBe(0)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await introduce(a, b, hash(1))).toBe(1)
    await ready(a, b)
    expect([a, b].map(({ made }) => made[0]!.connectionState)).toEqual(['closed', 'closed'])
    expect([a.failures, b.failures]).toEqual([[], []])
  })

  it('fails after a bounded time when nothing connects', async () => {
    const a = new Node('1', { reachable: false }).want(hash(1))
    const b = new Node('2', { reachable: false }).seed(hash(1))
    await introduce(a, b, hash(1))
    await vi.advanceTimersByTimeAsync(29_000)
    expect(a.failures).toEqual([])
    await vi.advanceTimersByTimeAsync(1_000)
    expect([a.failures, b.failures]).toEqual([[hash(1)], [hash(1)]])
    expect(a.made[0]!.connectionState).toBe('closed')
  })

  it.each(clocks)('opens a channel again that the peer closed, later and not for ever, with a clock that %s', async (_, by) => {
    const opened: number[] = []
    const a = new Node('1').want(hash(1), hash(2))
    const b = new Node('2', {
      met: (_, infoHash, channel) => {
        if (infoHash !== hash(2)) return
        opened.push(performance.now())
        channel.close()
      },
    }).seed(hash(1), hash(2))
    await introduce(a, b, hash(1))
    await until(() => opened.length === 1)
    expect(await a.links.offers(hash(2), 1)).toEqual([])
    vi.setSystemTime(Date.now() + by)
    for (let i = 0; i < 30; i++) {
      await vi.advanceTimersByTimeAsync(10_000)
      await settle()
    }
    expect(opened.map((at) => at - opened[0]!)).toEqual([0, 10_000, 30_000, 60_000])
    // Then others are looked for.
    expect(await a.links.offers(hash(2), 1)).toHaveLength(1)
  })
})

it.each<[Fault, number]>([
  ['confused', 1],
  ['unopened', 11],
  ['unheard', 11],
])('in the place of a channel that a browser leaves %s another one is opened after %i s', async (fault, seconds) => {
  const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1), hash(2))]
  await introduce(a, b, hash(1))
  await ready(a, b)
  const pc = a.made[0]!
  await until(() => pc.channels.length === 2)
  pc.faults.push(fault)
  a.want(hash(2))
  await until(() => pc.channels.length === 3)
  await vi.advanceTimersByTimeAsync(seconds * 1_000 - 1)
  expect(pc.channels).toHaveLength(3)
  await vi.advanceTimersByTimeAsync(1)
  await settle()
  expect([a.met.get(hash(2)), b.met.get(hash(2))]).toMatchObject([[{ open: true }], [{ open: true }]])
  await vi.advanceTimersByTimeAsync(40_000)
  for (const node of [a, b]) expect(node.links.stats()).toMatchObject({ links: 1, channels: 2, connectionsMade: 1 })
})

it('a first connection is made before anybody calls, as that takes a browser its time', async () => {
  const iceServers = [{ urls: 'stun:stun.example' }]
  const [a, b] = [new Node('1').want(hash(1)), new Node('2', { iceServers }).seed(hash(1))]
  await vi.advanceTimersByTimeAsync(0)
  expect([a.made.length, b.made.length]).toEqual([0, 1])
  await introduce(a, b, hash(1))
  await ready(a, b)
  expect(b.made).toMatchObject([{ configuration: { iceServers } }])
  const c = new Node('3').seed(hash(1))
  await vi.advanceTimersByTimeAsync(0)
  c.links.destroy()
  expect(c.made).toMatchObject([{ connectionState: 'closed' }])
  const d = new Node('4').want(hash(1))
  expect(await introduce(d, b, hash(1))).toBe(1)
  await ready(d)
})

it('whose control channel a browser leaves confused is made anew', async () => {
  const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
  const [offer] = await a.links.offers(hash(1), 1)
  a.made[0]!.faults.push(undefined, 'confused')
  a.links.answered(hash(1), b.id, offer!.id, (await b.links.offered(hash(1), a.id, offer!.sdp))!)
  await ready(a, b)
  await settle()
  a.seed(hash(2))
  b.want(hash(2))
  await until(() => !a.links.stats().links && !b.links.stats().links)
  await introduce(b, a, hash(2))
  await until(() => b.met.has(hash(2)))
})

it('a torrent that was taken away here and comes again gets its channel at once', async () => {
  const a = new Node('1').want(hash(1), hash(2))
  const b = new Node('2').seed(hash(1), hash(2))
  await introduce(a, b, hash(1))
  await until(() => !!b.met.get(hash(2)))
  a.met.get(hash(2))?.[0]?.close()
  await settle()
  a.links.forget(hash(2))
  a.links.refresh()
  await until(() => b.met.get(hash(2))!.length === 2)
})

it('a torrent that was asked for in vain, until it was asked for no more, gets its channel when the other side asks', async () => {
  const a = new Node('1').want(hash(1), hash(2))
  const b = new Node('2').seed(hash(1), hash(2))
  await introduce(a, b, hash(1))
  await until(() => !!b.met.get(hash(2)))
  b.torrents.delete(hash(2))
  b.links.refresh()
  b.met.get(hash(2))![0]!.close()
  await vi.advanceTimersByTimeAsync(300_000)
  const tried = b.all.length
  b.seed(hash(2))
  await vi.advanceTimersByTimeAsync(300_000)
  expect(b.all.length).toBe(tried)
  b.want(hash(2))
  await until(() => b.met.get(hash(2))!.length === 2)
})

describe('a peer that lies about the extension', () => {
  /** b names the extension; what it says on the control channel is up to the test. */
  async function liar(say: (channel: FakeConnection['channels'][number]) => void): Promise<{ a: Node; b: Node }> {
    const a = new Node('1').want(hash(1), hash(2))
    const b = new Node('2', { extension: false }).seed(hash(1), hash(2))
    await introduce(a, b, hash(1))
    await ready(a, b)
    a.all[0]!.link.extended()
    await settle()
    const channel = b.made[0]!.channels.find(({ protocol }) => protocol === 'starling.link.1')!
    channel.readyState = 'open'
    say(channel)
    await settle()
    return { a, b }
  }

  const hello = new Uint8Array(17)

  it('by saying nothing is a stranger after ten seconds', async () => {
    const { a } = await liar(() => undefined)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(a.links.stats()).toMatchObject({ links: 1, channels: 1, banned: 0 })
    a.all[0]!.link.extended()
    expect(a.links.stats().channels).toBe(1)
    a.all[0]!.close()
    await settle()
    expect(a.links.stats().links).toBe(0)
  })

  it.each<[string, (channel: FakeConnection['channels'][number]) => void]>([
    ['garbage', (channel) => channel.send(new Uint8Array(50))],
    ['text', (channel) => channel.send('hello')],
    ['no hello first', (channel) => channel.send(Uint8Array.of(1, ...new Uint8Array(16)))],
    ['hello twice', (channel) => [hello, hello].forEach((message) => channel.send(message))],
    ['an unknown message', (channel) => [hello, new Uint8Array(17).fill(9)].forEach((message) => channel.send(message))],
    ['oversize', (channel) => [hello, new Uint8Array(1 + 16 * 4096).fill(1)].forEach((message) => channel.send(message))],
    ['too many wants', (channel) => (channel.send(hello), wants(channel))],
    ['a flood', (channel) => (channel.send(hello), flood(channel))],
  ])('by %s is banned', async (_, say) => {
    const { a, b } = await liar(say)
    expect(a.links.stats()).toMatchObject({ links: 0, banned: 1 })
    expect(a.closed).toEqual([hash(1)])
    expect(await introduce(b, a, hash(1))).toBe(0)
    const [offer] = await a.links.offers(hash(1), 1)
    const answer = await b.links.offered(hash(1), a.id, offer!.sdp)
    a.links.answered(hash(1), b.id, offer!.id, answer!)
    await settle()
    expect(a.links.stats().links).toBe(0)
  })

  it('by opening what nobody may has it closed', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2', { extension: false }).seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    const opened = ['', 'starling.link.1', 'starling.wire.1'].map((protocol) =>
      b.made[0]!.createDataChannel('', { protocol }),
    )
    await settle()
    expect(opened.map(({ readyState }) => readyState)).toEqual(['closed', 'closed', 'closed'])
    expect(a.links.stats()).toMatchObject({ links: 1, channels: 1 })
  })

  it('by opening ever more has them closed, and is banned', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    const pc = b.made[0]!
    const open = (count: number) =>
      Array.from({ length: count }, () => pc.createDataChannel('wire', { protocol: 'starling.wire.1' }))
    await until(() => pc.channels.length === 2)
    await settle()
    const opened = open(100)
    await settle()
    expect(opened.filter(({ readyState }) => readyState === 'open')).toHaveLength(63)
    expect(a.links.stats()).toMatchObject({ channels: 64, banned: 0 })
    for (let round = 0; round < 9; round++) {
      if (!a.links.stats().banned) open(900)
      await settle()
    }
    expect(a.links.stats()).toMatchObject({ links: 0, banned: 1 })
  })

  it('by a second channel for a torrent has that closed', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1), hash(2))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    await until(() => a.made[0]!.channels.length === 2)
    await settle()
    const message = concat([new Uint8Array(28), fromHex(hash(2))!, new Uint8Array(20)])
    const opened = [1, 2].map(() => a.made[0]!.createDataChannel('wire', { protocol: 'starling.wire.1' }))
    await settle()
    for (const channel of opened) channel.send(message)
    await settle()
    expect(opened.map(({ readyState }) => readyState)).toEqual(['open', 'closed'])
    expect(b.links.stats().channels).toBe(2)
  })

  it('and reads nothing of what it is told is left', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    await until(() => a.made[0]!.channels.length === 2)
    await settle()
    a.made[0]!.channels[1]!.bufferedAmount = 5 << 20
    a.want(hash(2))
    await until(() => !a.links.stats().links)
  })

  it('is banned also where that turns out once its link has ended', async () => {
    const [a, b] = [new Node('1').seed(hash(1)), new Node('2').want(hash(1))]
    await introduce(b, a, hash(1))
    await ready(a, b)
    const { link } = a.all[0]!
    link.close()
    link.close({ ban: true })
    await settle()
    expect(a.links.stats()).toMatchObject({ links: 0, banned: 1 })
    expect(await introduce(b, a, hash(1))).toBe(0)
  })

  /** As a tracker has them that tells a by the id of b. */
  const under = (b: Node, a: Node) => ({ links: a.links, id: b.id }) as Node

  it('does not have another banned whose peer_id it took', async () => {
    const [a, honest] = [new Node('1').seed(hash(1), hash(2)), new Node('2').want(hash(1))]
    const liar = new Node('3').want(hash(2))
    await introduce(under(honest, liar), a, hash(2))
    await ready(a, liar)
    a.all[0]!.link.close({ ban: true })
    await settle()
    expect(await introduce(under(honest, liar), a, hash(2))).toBe(0)
    expect(await introduce(honest, a, hash(1))).toBe(1)
    await ready(a, honest)
  })

  it('does not end a link of another whose peer_id it took', async () => {
    const a = new Node('1').seed(hash(1), hash(2))
    const [honest, liar] = [1, 2].map((n) => new Node('2', { extension: false }).want(hash(n)))
    await introduce(honest!, a, hash(1))
    await introduce(liar!, a, hash(2))
    await ready(honest!, liar!)
    a.met.get(hash(2))![0]!.link.close({ ban: true })
    await settle()
    expect(a.links.stats()).toMatchObject({ links: 1, banned: 1 })
    expect(a.closed).toEqual([hash(2)])
  })

  it.each(clocks)('may come again after a while, for it may not have been the one that has the peer_id now, with a clock that %s', async (_, by) => {
    const [a, b] = [new Node('1').seed(hash(1)), new Node('2').want(hash(1))]
    await introduce(b, a, hash(1))
    await ready(a, b)
    a.all[0]!.link.close({ ban: true })
    vi.setSystemTime(Date.now() + by)
    await vi.advanceTimersByTimeAsync(9 * 60_000)
    expect(await introduce(b, a, hash(1))).toBe(0)
    await vi.advanceTimersByTimeAsync(2 * 60_000)
    expect(await introduce(b, a, hash(1))).toBe(1)
  })

  function wants(channel: FakeConnection['channels'][number]): void {
    for (let n = 0; n < 5; n++) {
      const message = crypto.getRandomValues(new Uint8Array(1 + 16 * 3400))
      message[0] = 1
      channel.send(message)
    }
  }

  function flood(channel: FakeConnection['channels'][number]): void {
    for (let n = 0; n < 9000; n++) channel.send(Uint8Array.of(3))
  }
})

describe('two sides that offer at once', () => {
  it('have one link, when the answers cross', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').want(hash(1))]
    await Promise.all([introduce(a, b, hash(1)), introduce(b, a, hash(1))])
    await ready(a, b)
    await vi.advanceTimersByTimeAsync(40_000)
    expect([a.links.stats().links, b.links.stats().links]).toEqual([1, 1])
    expect(a.all.filter(({ open }) => open)).toMatchObject([{ outgoing: true }])
    expect([...a.failures, ...b.failures]).toEqual([])
  })

  it('have one link for different torrents, which carries both', async () => {
    const a = new Node('1').want(hash(1)).seed(hash(2))
    const b = new Node('2').want(hash(2)).seed(hash(1))
    await Promise.all([introduce(a, b, hash(1)), introduce(b, a, hash(2))])
    await until(() => a.met.size === 2 && b.met.size === 2)
    await vi.advanceTimersByTimeAsync(40_000)
    expect([a.links.stats().links, b.links.stats().links]).toEqual([1, 1])
    expect([...a.failures, ...b.failures]).toEqual([])
  })

  it('close the younger of two open links, and its torrents go on over the elder', async () => {
    // Peers that do not look like ours are known by the extension only.
    const a = new Node('1').want(hash(1))
    const b = new Node('2').want(hash(2))
    for (const node of [a, b]) node.seed(hash(1), hash(2))
    const alias = (node: Node) => ({ links: node.links, id: node.id.replace('2d534c', '2d5757') }) as Node
    await introduce(alias(a), b, hash(1))
    await Promise.resolve()
    const [first, second] = await Promise.all([a.links.offers(hash(1), 1), b.links.offers(hash(2), 1)])
    const [toA, toB] = [
      await a.links.offered(hash(2), alias(b).id, second[0]!.sdp),
      await b.links.offered(hash(1), alias(a).id, first[0]!.sdp),
    ]
    a.links.answered(hash(1), alias(b).id, first[0]!.id, toB!)
    b.links.answered(hash(2), alias(a).id, second[0]!.id, toA!)
    await until(() => a.links.stats().links === 1 && b.links.stats().links === 1 && b.links.stats().channels === 2)
    expect(a.links.stats().channels).toBe(2)
  })

  it('need no second link to a peer that is known already', async () => {
    const [a, b] = [new Node('1').want(hash(1), hash(2)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    expect(await introduce(a, b, hash(2))).toBe(0)
    expect(b.links.stats().connectionsMade).toBe(1)
  })

  it('keep the link that is open when an answer comes late', async () => {
    const a = new Node('1', { extension: false }).want(hash(1))
    const b = new Node('2', { extension: false }).want(hash(1))
    const [offer] = await a.links.offers(hash(1), 1)
    expect(await introduce(b, a, hash(1))).toBe(1)
    await ready(a, b)
    a.links.answered(hash(1), b.id, offer!.id, fakeSdp('late'))
    await settle()
    expect([a.closed, b.closed]).toEqual([[], []])
    expect(a.links.stats().links).toBe(1)
  })

  it('make no other link where a peer that answers is known already, and the offer that it took is good for nobody else', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    const [offer] = await a.links.offers(hash(2), 1)
    a.links.answered(hash(2), b.id, offer!.id, fakeSdp('needless'))
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['connected', 'closed'])
    const [next] = await a.links.offers(hash(3), 1)
    expect(next!.sdp).not.toBe(offer!.sdp)
  })

  it('have the first of two links under way where a peer answers twice', async () => {
    const a = new Node('1', { extension: false }).want(hash(1))
    const twice = [new Node('2', { extension: false }).seed(hash(1)), new Node('2', { extension: false }).seed(hash(1))]
    const offers = await a.links.offers(hash(1), 2)
    const answers = await Promise.all(offers.map(({ sdp }, i) => twice[i]!.links.offered(hash(1), a.id, sdp)))
    for (const [i, { id }] of offers.entries()) a.links.answered(hash(1), twice[i]!.id, id, answers[i]!)
    await ready(a, twice[0]!)
    expect([twice[0]!.met.size, twice[1]!.met.size]).toEqual([1, 0])
  })

  it('know one peer under two trackers', async () => {
    const a = new Node('1', { extension: false }).want(hash(1))
    const b = new Node('2', { extension: false }).seed(hash(1))
    expect(await Promise.all([introduce(a, b, hash(1)), introduce(a, b, hash(1))])).toEqual([1, 0])
  })
})

describe('offers', () => {
  it('are made only as asked for, within the budget, and used again', async () => {
    const a = new Node('1')
    const first = await a.links.offers(hash(1), 3)
    expect(first).toHaveLength(3)
    expect(await a.links.offers(hash(2), 5)).toHaveLength(2)
    expect(await a.links.offers(hash(3), 5)).toEqual([])
    a.links.release(first.slice(1).map(({ id }) => id))
    const again = await a.links.offers(hash(3), 5)
    expect(again.map(({ sdp }) => sdp)).toEqual(first.slice(1).map(({ sdp }) => sdp))
    expect(again.map(({ id }) => id)).not.toEqual(first.slice(1).map(({ id }) => id))
    expect(again[0]!.id).toHaveLength(20)
    expect(a.links.stats().connectionsMade).toBe(5)
  })

  it('that others may have had, whose answers are lost, are used no more', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    const [had, free] = await a.links.offers(hash(1), 2)
    expect(await b.links.offered(hash(1), a.id, had!.sdp)).toBeDefined()
    a.links.release([had!.id], true)
    a.links.release([free!.id])
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'new'])
    expect(await a.links.offers(hash(2), 5)).toHaveLength(5)
    expect(a.links.stats().connectionsMade).toBe(6)
  })

  it('are not made where links reach everybody there is', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await a.links.offers(hash(1), 1, 1)).toEqual([])
    expect(await a.links.offers(hash(1), 2, 2)).toHaveLength(2)
  })

  it.each(clocks)('expire when nobody answers, and in the pool when they are old, with a clock that %s', async (_, by) => {
    const a = new Node('1')
    const [one, two] = await a.links.offers(hash(1), 2)
    vi.setSystemTime(Date.now() + by)
    a.links.release([two!.id])
    await vi.advanceTimersByTimeAsync(50_000)
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'new'])
    a.links.answered(hash(1), new Node('2').id, one!.id, one!.sdp)
    await vi.advanceTimersByTimeAsync(70_000)
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed'])
    expect(a.failures).toEqual([])
  })

  it('are made anew when the network comes back, as they name addresses of the one before', async () => {
    const page = new EventTarget()
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
    onTestFinished(() => void vi.unstubAllGlobals())
    const a = new Node('1')
    const [one, two] = await a.links.offers(hash(1), 2)
    a.links.release([two!.id])
    page.dispatchEvent(new Event('online'))
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed'])
    a.links.release([one!.id])
    const [other] = await a.links.offers(hash(1), 1)
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed', 'new'])
    expect([one!.id, two!.id]).not.toContain(other!.id)
  })

  it.each(clocks)('go to another torrent when they are not answered in good time, with a clock that %s', async (_, by) => {
    const a = new Node('1')
    for (let n = 0; n < 5; n++) expect(await a.links.offers(hash(n), 1)).toHaveLength(1)
    vi.setSystemTime(Date.now() + by)
    await vi.advanceTimersByTimeAsync(9_000)
    expect(await a.links.offers(hash(7), 5)).toEqual([])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await a.links.offers(hash(8), 2)).toHaveLength(2)
    expect(await a.links.offers(hash(9), 5)).toHaveLength(3)
    expect(a.links.stats().connectionsMade).toBe(5)
  })

  it('are made anew when their addresses are old', async () => {
    const a = new Node('1')
    await a.links.offers(hash(0), 5)
    for (let n = 1; n <= 10; n++) {
      await vi.advanceTimersByTimeAsync(11_000)
      expect(await a.links.offers(hash(n), 5)).toHaveLength(5)
    }
    await vi.advanceTimersByTimeAsync(11_000)
    expect(await a.links.offers(hash(11), 5)).toEqual([])
    await vi.advanceTimersByTimeAsync(40_000)
    expect(await a.links.offers(hash(12), 5)).toHaveLength(5)
    expect(a.links.stats().connectionsMade).toBe(10)
  })

  it('are not answered when the link has ended meanwhile', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2', { gather: 'manual' }).seed(hash(1))]
    const [offer] = await a.links.offers(hash(1), 1)
    const answer = b.links.offered(hash(1), a.id, offer!.sdp)
    await settle()
    await vi.advanceTimersByTimeAsync(100)
    b.links.destroy()
    b.made[0]!.finish()
    expect(await answer).toBeUndefined()
  })

  it('keep their place for a while when they are answered, as what is asked for may come over that link', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    expect(await a.links.offers(hash(2), 5)).toHaveLength(4)
    await ready(a, b)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await a.links.offers(hash(3), 5)).toHaveLength(1)
  })

  it('keep it also when the answer is of no use, though they are offered to nobody else', async () => {
    const a = new Node('1')
    const [useless, other] = await a.links.offers(hash(1), 2)
    a.links.answered(hash(1), new Node('2').id, useless!.id, 'no answer')
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'new'])
    expect(await a.links.offers(hash(2), 5)).toHaveLength(3)
    await vi.advanceTimersByTimeAsync(2_000)
    const again = await a.links.offers(hash(3), 5)
    expect(again).toHaveLength(1)
    expect([useless!.sdp, other!.sdp]).not.toContain(again[0]!.sdp)
  })

  it('count against the links there may be', async () => {
    const a = new Node('1', { maxLinks: 2 }).want(hash(1))
    expect(await a.links.offers(hash(1), 5)).toHaveLength(2)
    const b = new Node('2', { maxLinks: 1 }).seed(hash(1))
    expect(await introduce(new Node('3').want(hash(1)), b, hash(1))).toBe(1)
    expect(await introduce(new Node('4').want(hash(1)), b, hash(1))).toBe(0)
  })

  it.each(clocks)('are made, and answered, in place of links that carry nothing any more, with a clock that %s', async (_, by) => {
    const [a, b, c] = [new Node('1').want(hash(1)), new Node('2', { maxLinks: 1 }).seed(hash(1)), new Node('3').want(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    a.complete(hash(1))
    for (const channel of b.all) channel.close()
    await settle()
    vi.setSystemTime(Date.now() + by)
    await vi.advanceTimersByTimeAsync(9_000)
    expect(await introduce(c, b, hash(1))).toBe(0)
    expect(await b.links.offers(hash(2), 1)).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await b.links.offers(hash(2), 1)).toHaveLength(1)
    expect(await introduce(c, b, hash(1))).toBe(1)
    await ready(c, b)
    expect(b.links.stats().links).toBe(1)
  })

  it('that come to nothing do not hold their places against others for long', async () => {
    const a = new Node('1', { maxLinks: 2 }).seed(hash(1))
    const lost = ['2', '3'].map((digit) => new Node(digit, { reachable: false }).want(hash(1)))
    for (const node of lost) expect(await introduce(node, a, hash(1))).toBe(1)
    const late = new Node('4').want(hash(1))
    expect(await introduce(late, a, hash(1))).toBe(0)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await introduce(late, a, hash(1))).toBe(1)
    await ready(late, a)
    expect(a.failures).toEqual([hash(1)])
  })

  it('and answers that make no sense reach no RTCPeerConnection', async () => {
    const a = new Node('1').want(hash(1))
    const media = 'v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n'
    for (const sdp of ['', 'v=0\r\n', media, 'v=0\r\nm=application 9 UDP/DTLS/SCTP x\r\n' + 'a'.repeat(1 << 16)]) {
      expect(await a.links.offered(hash(1), '33'.repeat(20), sdp)).toBeUndefined()
    }
    expect(a.made).toEqual([])
    const [offer] = await a.links.offers(hash(1), 1)
    a.links.answered(hash(2), '33'.repeat(20), offer!.id, offer!.sdp)
    expect(a.made[0]!.other).toBeUndefined()
    a.links.answered(hash(1), '33'.repeat(20), offer!.id, media)
    expect(a.made[0]!.other).toBeUndefined()
    expect(await a.links.offered(hash(1), a.id, offer!.sdp)).toBeUndefined()
  })

  it('and answers that the browser refuses leave no connection behind', async () => {
    const a = new Node('1').want(hash(1))
    const [offer] = await a.links.offers(hash(1), 1)
    a.links.answered(hash(1), '33'.repeat(20), offer!.id, fakeSdp('nobody'))
    expect(await a.links.offered(hash(1), '44'.repeat(20), fakeSdp('nobody'))).toBeUndefined()
    await settle()
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed'])
    expect(a.failures).toEqual([])
  })

  it('that are answered when there is no room any more make no link', async () => {
    const [a, b, c] = [new Node('1', { maxLinks: 1 }).want(hash(1)), new Node('2').seed(hash(1)), new Node('3').want(hash(1))]
    const [offer] = await a.links.offers(hash(1), 1)
    const answer = await b.links.offered(hash(1), a.id, offer!.sdp)
    expect(await introduce(c, a, hash(1))).toBe(1)
    a.links.answered(hash(1), b.id, offer!.id, answer!)
    await ready(a, c)
    await settle()
    expect(a.links.stats().links).toBe(1)
    expect(a.made[0]!.other).toBeUndefined()
  })

  it('are made and answered also where nobody tells the servers', async () => {
    const iceServers = new Error('The service does not answer.')
    const [a, b] = [new Node('1', { iceServers }).want(hash(1)), new Node('2', { iceServers }).seed(hash(1))]
    expect(await introduce(a, b, hash(1))).toBe(1)
    await ready(a, b)
  })

  it('asked for at once are no more than the budget', async () => {
    const a = new Node('1')
    const offers = await Promise.all([1, 2, 3].map((n) => a.links.offers(hash(n), 5)))
    expect(offers.flat()).toHaveLength(5)
  })

  it('that were under way when all ended are closed', async () => {
    const a = new Node('1', { gather: 'manual' })
    const offers = a.links.offers(hash(1), 1)
    await settle()
    a.links.destroy()
    a.made[0]!.finish()
    expect(await offers).toEqual([])
    expect(a.made[0]!.connectionState).toBe('closed')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('of a peer whose link is under way are answered once that had its time', async () => {
    const a = new Node('1').seed(hash(1), hash(2), hash(3))
    const b = new Node('2', { reachable: false }).want(hash(1), hash(2), hash(3))
    expect(await introduce(b, a, hash(1))).toBe(1)
    const [offer] = await b.links.offers(hash(2), 1)
    let answered = false
    const answer = a.links.offered(hash(2), b.id, offer!.sdp).finally(() => (answered = true))
    await vi.advanceTimersByTimeAsync(9_000)
    await settle()
    expect(answered).toBe(false)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await answer).toBeDefined()
    // Or when it ended.
    const [last] = await b.links.offers(hash(3), 1)
    const more = a.links.offered(hash(3), b.id, last!.sdp)
    await settle()
    a.links.destroy()
    expect(await more).toBeUndefined()
  })

  it('go out when an address that strangers can reach is there, or after a bounded time', async () => {
    const a = new Node('1', { gather: 'manual' })
    let offers = a.links.offers(hash(1), 1)
    await settle()
    a.made[0]!.candidate('host')
    a.made[0]!.candidate('srflx')
    await vi.advanceTimersByTimeAsync(250)
    expect(await offers).toHaveLength(1)
    offers = a.links.offers(hash(1), 1)
    await settle()
    await vi.advanceTimersByTimeAsync(3_000)
    expect(await offers).toHaveLength(1)
  })

  it('without servers go out soon after the first address, also where timers are slow', async () => {
    const a = new Node('1', { gather: 'manual' })
    const offers = a.links.offers(hash(1), 1)
    await settle()
    a.made[0]!.candidate('host')
    vi.advanceTimersByTime(2)
    expect(await offers).toHaveLength(1)
  })

  const stun = { urls: 'stun:stun.example.org:3478' }
  const turn = { urls: ['turn:turn.example.org:3478'], username: 'me', credential: 'secret' }
  it('with servers wait for an address that those tell', async () => {
    const a = new Node('1', { gather: 'manual', iceServers: [stun, turn] })
    let gone = false
    const offers = a.links.offers(hash(1), 1).finally(() => (gone = true))
    await settle()
    a.made[0]!.candidate('host')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(gone).toBe(false)
    a.made[0]!.candidate('srflx')
    await vi.advanceTimersByTimeAsync(240)
    expect(gone).toBe(false)
    await vi.advanceTimersByTimeAsync(10)
    expect(await offers).toHaveLength(1)
  })

  it('wait for nothing more than a relay, also where timers are slow', async () => {
    const a = new Node('1', { gather: 'manual', iceServers: [stun, turn] })
    const offers = a.links.offers(hash(1), 1)
    await settle()
    a.made[0]!.candidate('host')
    a.made[0]!.candidate('srflx')
    a.made[0]!.candidate('relay')
    vi.advanceTimersByTime(2)
    expect(await offers).toHaveLength(1)
  })

  it.each(['turn:127.0.0.1:8080?transport=udp', 'stun:localhost:8080', 'turns:[::1]:8443'])('do not wait for %s', async (urls) => {
    const a = new Node('1', { gather: 'manual', iceServers: [{ urls }] })
    const offers = a.links.offers(hash(1), 1)
    await settle()
    a.made[0]!.candidate('host')
    vi.advanceTimersByTime(2)
    expect(await offers).toHaveLength(1)
  })

  it('end with the page, unless it may come back', async () => {
    const target = new EventTarget()
    vi.stubGlobal('addEventListener', target.addEventListener.bind(target))
    vi.stubGlobal('removeEventListener', target.removeEventListener.bind(target))
    const a = new Node('1')
    await a.links.offers(hash(1), 1)
    target.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true }))
    expect(a.made[0]!.connectionState).toBe('new')
    target.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }))
    expect(a.made[0]!.connectionState).toBe('closed')
    vi.unstubAllGlobals()
  })

  it('are closed with everything else', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    await a.links.offers(hash(2), 2)
    a.links.destroy()
    a.links.destroy()
    await settle()
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed', 'closed'])
    expect([a.closed, b.closed]).toEqual([[hash(1)], [hash(1)]])
    expect(await a.links.offers(hash(1), 1)).toEqual([])
    b.links.destroy()
    expect(vi.getTimerCount()).toBe(0)
  })
})
