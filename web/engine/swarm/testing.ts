/** For tests: nodes that are joined by channels in memory, without WebRTC and trackers; and peers that follow a script. */
import { Deferred } from '../deferred.ts'
import { random, toHex, type Bytes } from '../bytes.ts'
import { lowWater, type Channel, type LinkInfo } from '../link/channel.ts'
import { Pace } from '../link/pace.ts'
import { Node, type NodeOptions } from '../node.ts'
import type { Announcing, Rendezvous } from '../rendezvous/types.ts'
import { memoryStores } from '../store/memory.ts'
import type { Stores } from '../store/store.ts'
import type { TorrentState, TrackerState } from '../types.ts'
import { Wire, type ExtendedHandshake, type Extension, type Handshake, type WireHandler } from '../wire/wire.ts'

export class MemoryLink implements LinkInfo {
  readonly peerId: string
  readonly initiator: boolean
  readonly kind = 'direct'
  readonly pace = new Pace(new Set())
  readonly channels = new Set<MemoryChannel>()
  banned = false
  named = false

  constructor(peerId: string, initiator: boolean) {
    this.peerId = peerId
    this.initiator = initiator
  }

  close({ ban }: { ban?: boolean } = {}): void {
    this.banned ||= !!ban
    for (const channel of this.channels) channel.close()
  }

  extended(): void {
    this.named = true
  }
}

export class MemoryChannel implements Channel {
  readonly outgoing: boolean
  readonly link: MemoryLink
  readonly maxMessage = 256 << 10
  open = true
  bufferedAmount = 0
  other!: MemoryChannel
  onopen: (() => void) | undefined
  onmessage: ((data: Bytes) => void) | undefined
  ondrain: (() => void) | undefined
  onclose: (() => void) | undefined
  readonly #sent: (Bytes | undefined)[] = []
  #running = false

  constructor(link: MemoryLink, outgoing: boolean) {
    this.link = link
    this.outgoing = outgoing
    link.channels.add(this)
  }

  send(data: Bytes): void {
    if (!this.open) throw new Error('closed')
    this.bufferedAmount += data.length
    this.#push(data.slice())
  }

  /** What was sent before still arrives. */
  close(): void {
    if (!this.open) return
    this.open = false
    this.#push(undefined)
  }

  /** Bytes, or the end. */
  #push(message: Bytes | undefined): void {
    this.#sent.push(message)
    if (this.#running) return
    this.#running = true
    setImmediate(() => this.#run())
  }

  #run(): void {
    for (const message of this.#sent.splice(0, 16)) {
      if (!message) {
        this.other.open = false
        this.onclose?.()
        this.other.onclose?.()
        return
      }
      const full = this.bufferedAmount > lowWater
      this.bufferedAmount -= message.length
      if (this.other.open) this.other.onmessage?.(message)
      if (full && this.bufferedAmount <= lowWater && this.open) this.ondrain?.()
    }
    this.#running = this.#sent.length > 0
    if (this.#running) setImmediate(() => this.#run())
  }
}

/** Bytes that no two pieces have alike. */
export function noise(length: number): Bytes {
  const data = new Uint8Array(length)
  for (let at = 0; at < length; at += 1 << 16) crypto.getRandomValues(data.subarray(at, at + (1 << 16)))
  return data
}

/** The two ends of a link's channel; the first is the one that was opened. link: the other's end, where there is one. */
export function channels(from: string, to: string, link = new MemoryLink(from, false)): [MemoryChannel, MemoryChannel] {
  const one = new MemoryChannel(new MemoryLink(to, true), true)
  const two = new MemoryChannel(link, false)
  one.other = two
  two.other = one
  return [one, two]
}

export interface TestNode {
  node: Node
  /** 40 hex digits. */
  id: string
  stores: Stores
  announced: Map<string, Announcing>
  completed: string[]
  /** Torrents whose failed channels count no longer. */
  forgotten: string[]
  trackers: TrackerState[]
  /** Torrents whose trackers were asked for others at once. */
  woken: string[]
  /** The trackers of this torrent have changed. */
  changed(infoHash: string): void
  /** How often all offers were taken back. */
  withdrawn(): number
  /** Each time that all links were ended: whether those that follow go through a relay alone. */
  relinked: boolean[]
  /** A link for this torrent is being made. */
  tried(infoHash: string): void
  /** Resolves with the first state of the torrent of which it is true. */
  until(infoHash: string, when: (state: TorrentState) => boolean): Promise<TorrentState>
}

const nodes = new Set<Node>()

export function testNode(options: Partial<NodeOptions> = {}, stores = memoryStores()): TestNode {
  const announced = new Map<string, Announcing>()
  const completed: string[] = []
  const forgotten: string[] = []
  const trackers: TrackerState[] = []
  const woken: string[] = []
  let id = ''
  let withdrawn = 0
  const relinked: boolean[] = []
  const rendezvous: Rendezvous = {
    add: (torrent) => void announced.set(torrent.infoHash, torrent),
    completed: (infoHash) => void completed.push(infoHash),
    wake: (infoHash) => void woken.push(infoHash),
    remove: (infoHash) => void announced.delete(infoHash),
    trackers: () => trackers,
    onchange: undefined,
    destroy: async () => {},
  }
  let tried: (infoHash: string) => void
  const waits = new Set<{ infoHash: string; when: (state: TorrentState) => boolean; met: Deferred<TorrentState> }>()
  const node = new Node(
    { trackers: ['wss://tracker.test/'], iceServers: async () => [], linkBase: 'https://host.test/m', ...options },
    { stores: async () => stores, unknown: async () => false, close: (frozen) => stores.close(frozen) },
    (peerId, _host, _options, attempt) => {
      id = toHex(peerId)
      tried = attempt
      return {
        links: { refresh() {}, withdraw: () => void withdrawn++, forget: (infoHash) => void forgotten.push(infoHash), destroy() {}, stats: () => ({ links: 0, channels: 0, connectionsMade: 0, banned: 0 }) },
        rendezvous,
        relink: (relayOnly) => void relinked.push(relayOnly),
      }
    },
  )
  node.onstate = (state) => {
    for (const wait of waits) {
      if (wait.infoHash !== state.infoHash || !wait.when(state)) continue
      waits.delete(wait)
      wait.met.resolve(state)
    }
  }
  nodes.add(node)
  return {
    node, id, stores, announced, completed, forgotten, trackers, woken, relinked,
    changed: (infoHash) => rendezvous.onchange?.(infoHash),
    withdrawn: () => withdrawn,
    tried: (infoHash) => tried(infoHash),
    async until(infoHash, when) {
      const now = (await node.states()).find((state) => state.infoHash === infoHash)
      if (now && when(now)) return now
      const met = new Deferred<TorrentState>()
      waits.add({ infoHash, when, met })
      return met.promise
    },
  }
}

export async function destroyAll(): Promise<void> {
  await Promise.all([...nodes].map((node) => node.destroy()))
  nodes.clear()
}

/** Joins two nodes for a torrent; from opened the channel. */
export function join(from: TestNode, to: TestNode, infoHash: string): [MemoryChannel, MemoryChannel] {
  const [one, two] = channels(from.id, to.id)
  from.node.channel(one, infoHash)
  to.node.channel(two)
  return [one, two]
}

/** A peer that does what its handlers say; by default nothing but the handshake, and being wise to all that comes. */
export class Stranger implements WireHandler {
  readonly id: string
  readonly wire: Wire
  readonly channel: MemoryChannel
  readonly heard: string[] = []
  readonly closed = new Deferred()
  readonly met = new Deferred<Handshake>()
  handshake: Handshake | undefined
  extendedHandshake: ExtendedHandshake | undefined
  #seen: { test: (heard: string) => boolean; met: Deferred }[] = []
  request: (index: number, begin: number, length: number) => void = () => {}
  piece: (index: number, begin: number, data: Bytes) => void = () => {}
  extension: (name: Extension, payload: Bytes) => void = () => {}
  shake: (handshake: ExtendedHandshake) => void = () => {}

  /** It opens a channel to the node. */
  constructor(to: TestNode, infoHash: string, id = toHex(random(20)), link?: MemoryLink) {
    this.id = id
    const [one, two] = channels(id, to.id, link)
    this.channel = one
    this.wire = new Wire(one, this)
    one.onmessage = (data) => this.wire.receive(data)
    one.onclose = () => this.closed.resolve()
    to.node.channel(two)
    if (infoHash) this.wire.handshake(infoHash, id)
  }

  /** Whether the node banned it. */
  get banned(): boolean {
    return this.channel.other.link.banned
  }

  /** Resolves when such a message came, or has come. */
  async hears(test: RegExp): Promise<void> {
    if (this.heard.some((heard) => test.test(heard))) return
    const met = new Deferred()
    this.#seen.push({ test: (heard) => test.test(heard), met })
    return met.promise
  }

  #hear(heard: string): void {
    this.heard.push(heard)
    for (const one of this.#seen) if (one.test(heard)) one.met.resolve()
  }

  onhandshake(handshake: Handshake): void {
    this.handshake = handshake
    this.met.resolve(handshake)
  }
  onchoke(): void {
    this.#hear('choke')
  }
  onunchoke(): void {
    this.#hear('unchoke')
  }
  oninterested(): void {
    this.#hear('interested')
  }
  onnotinterested(): void {
    this.#hear('not interested')
  }
  onhave(index: number): void {
    this.#hear(`have ${index}`)
  }
  onbitfield(bits: Bytes): void {
    this.#hear(`bitfield ${toHex(bits)}`)
  }
  onhaveall(): void {
    this.#hear('have all')
  }
  onhavenone(): void {
    this.#hear('have none')
  }
  onrequest(index: number, begin: number, length: number): void {
    this.#hear(`request ${index} ${begin} ${length}`)
    this.request(index, begin, length)
  }
  onpiece(index: number, begin: number, data: Bytes): void {
    this.#hear(`piece ${index} ${begin} ${data.length}`)
    this.piece(index, begin, data)
  }
  oncancel(index: number, begin: number, length: number): void {
    this.#hear(`cancel ${index} ${begin} ${length}`)
  }
  onreject(index: number, begin: number, length: number): void {
    this.#hear(`reject ${index} ${begin} ${length}`)
  }
  onextendedhandshake(handshake: ExtendedHandshake): void {
    this.extendedHandshake = handshake
    this.#hear('extended handshake')
    this.shake(handshake)
  }
  onextended(name: Extension, payload: Bytes): void {
    this.#hear(`extended ${name}`)
    this.extension(name, payload)
  }
  onviolation(): void {
    this.#hear('violation')
  }
}
