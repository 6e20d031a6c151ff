import { describe, expect, it, vi } from 'vitest'
import { concat, fromHex } from '../bytes.ts'
import type { FakeConnection } from './fake-rtc.ts'
import { clocks, fakeTime, hash, introduce, Node, ready, settle, until } from './testing.ts'

fakeTime()

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
    await vi.advanceTimersByTimeAsync(9_999)
    expect(a.made[0]!.channels.map(({ readyState }) => readyState)).toEqual(['open', 'open'])
    await vi.advanceTimersByTimeAsync(1)
    expect(a.made[0]!.channels.map(({ readyState }) => readyState)).toEqual(['open', 'closed'])
    expect(a.links.stats()).toMatchObject({ links: 1, channels: 1, banned: 0 })
    a.all[0]!.link.extended()
    a.all[0]!.close()
    // At once, and not only where the other end does so.
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
