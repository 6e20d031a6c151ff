import { describe, expect, it, vi } from 'vitest'
import type { Fault } from './fake-rtc.ts'
import { clocks, fakeTime, hash, introduce, Node, ready, settle, until } from './testing.ts'

fakeTime()

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
    expect(a.links.stats()).toMatchObject({ links: 0, channels: 0, banned: 0 })
    expect(b.links.stats()).toMatchObject({ links: 0, channels: 0, banned: 0 })
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
