import { toHex, type Bytes } from '../bytes.ts'
import { clock } from '../clock.ts'
import { Bucket } from './bucket.ts'
import type { LinkInfo } from './channel.ts'
import { Exchange } from './exchange.ts'
import type { LinkHost } from './host.ts'
import { Pace } from './pace.ts'
import { Timers } from './timers.ts'
import { WireChannel } from './wire-channel.ts'

/** What a link asks of the one that keeps all links. */
export interface LinkOwner {
  readonly host: LinkHost
  /** Its first channel is open, and about to go to the host. */
  opened(link: Link): void
  /** The peer named the extension, or answered hello. */
  extended(link: Link): void
  ended(link: Link): void
  ban(link: Link): void
  /** Another link to the same peer has a channel for this torrent. */
  carried(link: Link, infoHash: string): boolean
  /** The paces of links that something comes by. */
  readonly working: Set<Pace>
  /** How its bytes go, where anybody asks. */
  readonly route: ((pc: RTCPeerConnection) => Promise<LinkInfo['kind']>) | undefined
}

/** Wire channels on one link: opened by this side, and in all. */
const maxOutgoing = 32
const maxWires = 64
/** RFC 8841: what every browser takes where none says more, and what we send at most. */
const safeMessage = 64 << 10
const longestMessage = 256 << 10
/** Who takes crumbs only, of a byte each, say, would have this side send them for minutes. */
const leastMessage = 16 << 10

/** A link opens, and its first channel hears the other side once it is open, within this time; further channels in less. */
const openWithin = 30_000
const meetWithin = 10_000
const extendedWithin = 10_000
const helloWithin = 10_000
const recoversWithin = 10_000
const idleFor = 60_000
/** A link over which nothing goes, or that has not come about, may make room for another one after this time. */
const spareAfter = 10_000
const lostAfter = 5_000
/**
 * A torrent whose channel closed is tried again on this link after this time, then twice this time, and so on. Only
 * where nothing came over the channel, the first try is soon: browsers lose one now and then. At once it would meet
 * what the peer opened meanwhile.
 */
const retryAfter = 10_000
const retrySoon = 1_000
const maxTries = 4
/** Control messages that wait on a peer which does not read, bytes. */
const maxUnsent = 4 << 20

/** What the other side may cost at once, and per second: bytes of control messages, a bit for each, and channels. */
const allowance = 2 << 20
const refill = 512 << 10
const messageCost = 256
const channelCost = 256

/** One RTCPeerConnection whose other end is known: from the answer on. */
export class Link implements LinkInfo {
  readonly peerId: string
  readonly initiator: boolean
  /** The torrent it was made for. */
  readonly infoHash: string
  readonly since = clock()
  kind: LinkInfo['kind'] = 'unknown'
  readonly pace: Pace
  open = false
  ended = false
  dismissed = false
  /** The peer named the extension, and did not prove to lack it. */
  named = false
  /** The extension is at work. */
  ready = false
  /** Resolves when it is plain whether the peer names the extension: it did, it had its time to, or the link ended. */
  readonly settled: Promise<void>
  unsettled = true
  readonly #pc: RTCPeerConnection
  readonly #owner: LinkOwner
  readonly #timers = new Timers()
  readonly #wires = new Set<WireChannel>()
  /** Wires by torrent, where it is known: of those opened here, and of those whose handshake came. */
  readonly #carries = new Map<string, WireChannel>()
  /** Torrents whose channel closed though they lack data still. */
  readonly #tried = new Map<string, { tries: number; after: number }>()
  /** Data channels opened here whose ids the browser holds; it has 1,024 at most. */
  #ids = 0
  /** When its last wire closed. */
  #idleSince = Infinity
  #control: RTCDataChannel | undefined
  #exchange: Exchange | undefined
  #lied = false
  #begun = false
  /** A hello that came before the handshake that names the extension. */
  #early: unknown
  #settle!: () => void
  readonly #bucket = new Bucket(allowance, refill)

  /** first: this side's data channel, where it made the offer. */
  constructor(pc: RTCPeerConnection, owner: LinkOwner, peerId: string, infoHash: string, first?: RTCDataChannel) {
    this.#pc = pc
    this.#owner = owner
    this.pace = new Pace(owner.working)
    this.peerId = peerId
    this.infoHash = infoHash
    this.initiator = !!first
    this.settled = new Promise((resolve) => {
      this.#settle = () => {
        this.unsettled = false
        resolve()
      }
    })
    pc.onconnectionstatechange = () => this.#watch()
    pc.ondatachannel = ({ channel }) => this.#incoming(channel)
    this.#timers.set('open', openWithin, () => this.close())
    this.#timers.set('settle', extendedWithin, this.#settle)
    if (first) this.#adopt(first, true, infoHash)
  }

  /** It carries nothing, or most likely never will, and may go where another one is needed. */
  get spare(): boolean {
    return clock() >= (this.open ? this.#idleSince + spareAfter : this.since + lostAfter)
  }

  /** Under way for a while, or open and not in doubt. One whose addresses are dead, say, is in nobody's way. */
  get healthy(): boolean {
    return !this.ended && !this.#timers.has('recover') && (this.open || !this.spare)
  }

  get channels(): number {
    return this.#wires.size
  }

  carries(infoHash: string): boolean {
    return this.#carries.has(infoHash)
  }

  /** The peer told that it has this torrent. */
  has(infoHash: string): boolean {
    return this.#exchange?.has(infoHash) ?? false
  }

  /** As has, and the channel for it waits for its turn. */
  promises(infoHash: string): boolean {
    return this.has(infoHash) && !this.carries(infoHash) && this.#retryAt(infoHash) < Infinity
  }

  extended(): void {
    if (this.ended || this.named || this.#lied) return
    this.named = true
    this.#settle()
    this.#timers.set('hello', helloWithin, () => this.#plain())
    // After the request for metadata, for which somebody waits.
    if (this.initiator) queueMicrotask(() => this.#invite())
    else this.#talk()
    this.#owner.extended(this)
  }

  /** What the host knows or lacks has changed. */
  refresh(): void {
    this.#exchange?.refresh()
    for (const infoHash of this.#tried.keys()) if (!this.has(infoHash)) this.#tried.delete(infoHash)
    this.fill()
  }

  /** What came of its channels before no longer counts. */
  forget(infoHash: string): void {
    this.#tried.delete(infoHash)
  }

  /** Opens channels for what this side lacks and the peer has. */
  fill(): void {
    if (!this.ready || this.ended) return
    let next = Infinity
    for (const infoHash of this.#owner.host.lacking()) {
      if (this.#ids >= maxOutgoing || this.#wires.size >= maxWires) return
      if (!this.promises(infoHash) || this.#owner.carried(this, infoHash)) continue
      const after = this.#retryAt(infoHash)
      if (after > clock()) next = Math.min(next, after)
      else this.#adopt(this.#pc.createDataChannel('wire', { protocol: 'starling.wire.1' }), true, infoHash)
    }
    if (next < Infinity) this.#timers.set('retry', next - clock(), () => this.fill())
  }

  close(options: { ban?: boolean } = {}): void {
    if (options.ban) this.#owner.ban(this)
    if (this.ended) return
    this.ended = true
    this.#timers.close()
    this.#exchange?.close()
    this.#settle()
    this.#pc.close()
    for (const channel of this.#wires) channel.end()
    this.#owner.ended(this)
  }

  /** As close, but nothing failed: the link is not needed, or was never one. */
  dismiss(): void {
    this.dismissed = true
    this.close()
  }

  #retryAt(infoHash: string): number {
    return this.#tried.get(infoHash)?.after ?? 0
  }

  #watch(): void {
    const state = this.#pc.connectionState
    if (state === 'failed' || state === 'closed') this.close()
    else if (state !== 'disconnected') this.#timers.clear('recover')
    else if (this.healthy) this.#timers.set('recover', recoversWithin, () => this.close())
  }

  #incoming(dc: RTCDataChannel): void {
    if (!this.initiator && !this.#begun) return this.#adopt(dc, false, this.infoHash)
    if (!this.#bucket.take(channelCost)) return this.close({ ban: true })
    if (dc.protocol === 'starling.link.1' && !this.initiator && !this.#control && !this.#lied) this.#listen(dc)
    else if (dc.protocol === 'starling.wire.1' && this.ready && this.#wires.size < maxWires) this.#adopt(dc, false)
    else dc.close()
  }

  /** Makes a wire of a data channel, for the host once it is open. */
  #adopt(dc: RTCDataChannel, outgoing: boolean, infoHash?: string): void {
    this.#begun = true
    const channel = new WireChannel(dc, this, outgoing, {
      first: (message) => {
        this.#timers.clear(channel)
        if (!outgoing && !infoHash) this.#meet(channel, message)
      },
      over: () => this.#over(channel),
    })
    this.#wires.add(channel)
    const within = this.open ? meetWithin : openWithin
    const hurry = () => channel.heard || this.#timers.set(channel, within, () => channel.end())
    hurry()
    if (infoHash) this.#carries.set(infoHash, channel)
    if (outgoing) this.#ids++
    this.#timers.clear('idle')
    this.#idleSince = Infinity
    const opened = () => {
      if (!channel.open) return
      if (!this.open) this.#opened()
      hurry()
      const most = this.#pc.sctp?.maxMessageSize || safeMessage
      if (most < leastMessage) return this.close()
      channel.maxMessage = Math.min(most, longestMessage)
      this.#owner.host.channel(channel, outgoing ? infoHash : undefined)
    }
    dc.onclose = () => {
      if (outgoing) this.#ids--
      channel.end()
      this.fill()
    }
    if (channel.open) opened()
    else dc.onopen = opened
  }

  #opened(): void {
    this.open = true
    this.#timers.clear('open')
    this.#owner.opened(this)
    // Tells that the other end is gone well before ICE does.
    const transport = this.#pc.sctp?.transport
    if (transport) transport.onstatechange = () => /closed|failed/.test(transport.state) && this.close()
    void this.#owner.route?.(this.#pc).then((kind) => (this.kind = kind))
  }

  /** The first message of a wire that the peer opened names its torrent: BEP 3, 1 + 19 + 8 bytes in. */
  #meet(channel: WireChannel, message: Bytes): void {
    if (message.length < 48) return
    const infoHash = toHex(message.subarray(28, 48))
    const other = this.#carries.get(infoHash)
    // Glare: that of the side that made the offer stays.
    if (other && (this.initiator || !other.outgoing)) return channel.end()
    other?.end()
    this.#carries.set(infoHash, channel)
  }

  #over(channel: WireChannel): void {
    this.#wires.delete(channel)
    this.#timers.clear(channel)
    for (const [infoHash, carrier] of this.#carries) {
      if (carrier !== channel) continue
      this.#carries.delete(infoHash)
      const tries = (this.#tried.get(infoHash)?.tries ?? 0) + 1
      const wait = tries === 1 && !channel.heard ? retrySoon : tries < maxTries ? retryAfter * tries : Infinity
      this.#tried.set(infoHash, { tries, after: clock() + wait })
    }
    if (this.ended) return
    // Without the extension the channel is the link.
    if (!this.named) this.close()
    else if (!this.#wires.size) {
      this.#idleSince = clock()
      this.#timers.set('idle', idleFor, () => this.close())
    }
  }

  #invite(): void {
    if (!this.ended) this.#listen(this.#pc.createDataChannel('starling', { protocol: 'starling.link.1' }))
  }

  #listen(dc: RTCDataChannel): void {
    this.#control = dc
    dc.binaryType = 'arraybuffer'
    // It may overtake the handshake that names the extension; more than hello cannot.
    dc.onmessage = ({ data }) => (this.#early = data)
    dc.onopen = () => this.#talk()
    dc.onclose = () => (this.ready ? this.close() : this.#plain())
    this.#talk()
  }

  #talk(): void {
    const dc = this.#control
    if (!this.named || this.#exchange || dc?.readyState !== 'open') return
    const exchange = new Exchange({
      initiator: this.initiator,
      host: this.#owner.host,
      send: (message) => {
        // As to connecting, see WireChannel.
        if (dc.bufferedAmount > maxUnsent || dc.readyState === 'connecting') this.close()
        else if (dc.readyState === 'open') dc.send(message)
      },
      ready: () => {
        this.ready = true
        this.#timers.clear('hello')
        this.#owner.extended(this)
      },
      more: () => this.fill(),
      broken: () => this.close({ ban: true }),
    })
    this.#exchange = exchange
    dc.onmessage = ({ data }) => {
      const length = data instanceof ArrayBuffer ? data.byteLength : 0
      if (this.#bucket.take(messageCost + length)) exchange.receive(data)
      else this.close({ ban: true })
    }
    if (this.#early) exchange.receive(this.#early)
  }

  /** The peer named the extension and does not speak it: as if it had not named it. */
  #plain(): void {
    if (this.ended) return
    this.named = false
    this.#lied = true
    this.#exchange?.close()
    this.#control?.close()
    if (!this.#wires.size) this.close()
  }
}
