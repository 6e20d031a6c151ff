/** For tests: sides of links whose connections are made in memory (fake-rtc.ts), and who introduces them. */
import { afterEach, beforeEach, expect, vi } from 'vitest'
import { concat, fromHex, toHex, type Bytes } from '../bytes.ts'
import type { Channel } from './channel.ts'
import { FakeConnection, fakeConnection, type FakeOptions } from './fake-rtc.ts'
import type { LinkHost } from './host.ts'
import { Links } from './links.ts'
import { route } from './route.ts'

/** Time passes in this file's tests as they say. */
export function fakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
}

/** Turns of the event loop, WebCrypto's included, and a little time, until it is so. */
export async function until(condition: () => boolean, turns = 20_000): Promise<void> {
  for (let turn = 0; !condition(); turn++) {
    if (turn > turns) throw new Error('it never came to be')
    vi.advanceTimersByTime(5)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Until all that is under way without a timer has happened. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const day = 24 * 60 * 60_000
/** What the clock on the wall does meanwhile, and by how many ms. */
export const clocks: [string, number][] = [
  ['goes right', 0],
  ['is set back', -day],
  ['is set forward', day],
]

export const hash = (n: number) => n.toString(16).padStart(40, '0')

export interface Habits extends FakeOptions {
  iceServers?: RTCIceServer[]
  extension?: boolean
  /** What its peer_id begins with, in hex. */
  prefix?: string
  maxLinks?: number
  /** What happens on a channel once both ends have shaken hands. */
  met?: (node: Node, infoHash: string, channel: Channel) => void
}

/** A host that shakes hands as a wire would, and keeps what happened. */
export class Node implements LinkHost {
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
    this.id = (habits.prefix ?? (this.#habits.extension ? '2d534c' : '2d5757')) + digit.repeat(34)
    this.links = new Links({
      route,
      peerId: fromHex(this.id)!,
      host: this,
      configuration: async () => ({ iceServers: habits.iceServers ?? [] }),
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
export async function introduce(from: Node, to: Node, infoHash: string, count = 1): Promise<number> {
  const offers = await from.links.offers(infoHash, count)
  const answers = offers.map(async ({ id, sdp }) => {
    const answer = await to.links.offered(infoHash, from.id, sdp)
    if (answer) from.links.answered(infoHash, to.id, id, answer)
    return answer
  })
  return (await Promise.all(answers)).filter((answer) => answer).length
}

export const ready = (...nodes: Node[]) => until(() => nodes.every((node) => node.links.stats().links > 0 && node.met.size > 0))
