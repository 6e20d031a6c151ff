import { concat, type Bytes } from '../bytes.ts'
import { Bucket } from '../link/bucket.ts'
import { highWater, type Channel } from '../link/channel.ts'
import type { Asker, Pace } from '../link/pace.ts'
import type { Entry } from '../store/store.ts'
import type { Info } from '../torrent/metainfo.ts'
import type { MetadataExchange } from '../wire/metadata.ts'
import { Wire, type ExtendedHandshake, type Extension, type Handshake, type WireHandler } from '../wire/wire.ts'
import { Bitfield, fits } from '../wire/bitfield.ts'
import type { Chokable } from './choker.ts'
import type { PeerNode, Source, Wanted, Ways } from './host.ts'
import { unit, type Ask, type Picker } from './picker.ts'
import { Speed } from '../speed.ts'

export const version = '0.1'

const handshakeTime = 15_000
const silence = 240_000
const keepAlive = 110_000
/** What is no news to a peer goes along with the next requests, or after this time. */
const newsWait = 5_000
/**
 * Of whoever owes a block for longer others are asked, as memory of unfinished pieces is shared: where it sends nothing, or
 * sends what was asked for later. A slow line alone is waited for.
 */
const snubAfter = 30_000
/** Requests a peer may have with us. */
const reqq = 512
/** Bytes nobody asked for before a peer is closed. */
const patience = 1 << 20
const maxHaves = 1 << 16
/** How often a peer may change its mind on choking and interest, at once and per second: 5 bytes of it make much work. */
const moods = 2_000
const moodsRefill = 200

/** What a peer asks of the torrent it belongs to. */
export interface PeerHost {
  readonly infoHash: string
  readonly entry: Pick<Entry, 'card'>
  readonly info: Info | undefined
  readonly had: Bitfield
  readonly picker: Picker<Source> | undefined
  readonly metadata: Pick<MetadataExchange, 'info' | 'add'>
  /** All data is here. */
  readonly done: boolean
  /** Somebody waits for data of it. */
  readonly urgent?: boolean
  /** Its handshake came. False where it is not welcome. */
  joined(peer: Peer): boolean
  /** It told what it calls itself, if it ever does. */
  met(peer: Peer): void
  gone(peer: Peer): void
  /** Whether something it has is wanted. */
  wants(peer: Peer): boolean
  /** It became interested, or no longer is. */
  choke(): void
  /** What it owed may be asked of others. */
  refill(): void
  /** Verified bytes to send; undefined while they are read, then resume() is called. */
  block(peer: Peer, ask: Wanted): Bytes | undefined
  /** It says something in an extension. */
  extended?(peer: Peer, name: Extension, payload: Bytes): void
  received(bytes: number): void
  sent(bytes: number): void
}

/**
 * One peer of one torrent: what it has, wants and owes, over one wire on one channel. A channel that the other side
 * opened learns from the handshake for which torrent it is.
 */
export class Peer implements WireHandler, Source, Chokable, Asker {
  readonly channel: Channel
  readonly wire: Wire
  readonly pace: Pace
  /** 40 hex digits; '' until the handshake. */
  id = ''
  /** As it calls itself, if it does. */
  client: Bytes | undefined
  have = new Bitfield(0)
  readonly asks = new Map<number, Ask>()
  useful = 0
  dry = -1
  interested = false
  choking = true
  /** Where it has any. */
  ways: Ways | undefined
  readonly downloaded = new Speed()
  readonly uploaded = new Speed()
  readonly #find: (infoHash: string) => PeerHost | undefined
  #host: PeerHost | undefined
  #closed = false
  readonly #node: PeerNode
  #born: number | undefined
  #heard = 0
  #sent = 0

  #extended = false
  #greeted = false
  #choked = true
  #wanting = false
  readonly #allowed = new Set<number>()
  #block = unit
  #reqq = 250
  #snubbed = false
  /** When the latest of the blocks that came was asked for. */
  #latest = 0
  #unasked = 0
  readonly #moods = new Bucket(moods, moodsRefill)
  #queue: Wanted[] = []
  /** What this turn has to say goes as one message, or few long ones, as each costs the browser much. */
  #unsent: Bytes[] = []
  #unsentBytes = 0
  /** Where such messages are put together, one at a time. */
  static readonly #message = new Uint8Array(256 << 10)
  /** Pieces that came and that it has as well, and since when it might have heard of them. */
  #news: number[] = []
  #newsSince = 0

  /** What it said it has before that could be understood. */
  #told: Bytes | boolean | undefined
  #haves: number[] = []

  /** find: the torrent of an infohash. infoHash: where this side knows it, and so handshakes first. */
  constructor(channel: Channel, node: PeerNode, find: (infoHash: string) => PeerHost | undefined, infoHash?: string) {
    const now = (): number => node.now()
    this.channel = channel
    this.pace = channel.link.pace
    this.#node = node
    this.#find = find
    node.strangers.add(this)
    this.#heard = this.#sent = now()
    this.wire = new Wire(
      {
        send: (data) => {
          this.#sent = now()
          if (this.#unsentBytes + data.length > channel.maxMessage) this.#flush()
          if (!this.#unsent.length) queueMicrotask(this.#flush)
          this.#unsent.push(data)
          this.#unsentBytes += data.length
        },
        get bufferedAmount() {
          return channel.bufferedAmount
        },
      },
      this,
    )
    channel.onclose = () => this.close()
    channel.ondrain = this.resume
    channel.onmessage = (data) => {
      this.#heard = now()
      this.wire.receive(data)
    }
    const start = (): void => {
      this.#born = now()
      this.#host = infoHash ? find(infoHash) : undefined
      if (this.#host) this.wire.handshake(infoHash!, this.#node.peerId)
      else if (infoHash) this.close()
    }
    if (channel.open) start()
    else channel.onopen = start
  }

  readonly #flush = (): void => {
    const parts = this.#unsent.splice(0)
    this.#unsentBytes = 0
    try {
      if (parts.length) this.channel.send(parts.length > 1 ? concat(parts, Peer.#message) : parts[0]!)
    } catch {
      this.close()
    }
  }

  /** Its handshake came and was welcome. */
  get ready(): boolean {
    return !!this.id
  }

  get urgent(): boolean {
    return !!this.#host?.urgent
  }

  /** Bytes that wait to be sent. */
  get backlog(): number {
    return this.channel.bufferedAmount + this.#unsentBytes
  }

  can(index: number): boolean {
    return this.have.has(index) && (!this.#choked || this.#allowed.has(index))
  }

  cancel({ piece, begin, length }: Ask): void {
    this.#unasked -= length
    this.wire.cancel(piece, begin, length)
  }

  score(now: number): number {
    return this.#host?.done ? this.uploaded.at(now) : this.downloaded.at(now)
  }

  ban(): void {
    this.channel.link.close({ ban: true })
    this.close()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#wanting = false
    this.#flush()
    this.wire.close()
    this.ways?.close()
    const { channel } = this
    channel.onopen = channel.onmessage = channel.ondrain = channel.onclose = undefined
    channel.close()
    this.#queue = []
    this.#node.thirsty.delete(this)
    this.#node.strangers.delete(this)
    this.#host?.gone(this)
  }

  /** Tells what this side speaks; again when it has the metadata, which the peer may be waiting for. */
  greet(): void {
    if (this.#extended) this.wire.extendedHandshake({ version, reqq, metadataSize: this.#host!.metadata.info?.length })
  }

  /** The metadata is known. */
  learn(): void {
    const { info, picker } = this.#host!
    if (!info || !picker) return
    this.wire.info = info
    const told = this.#told
    const bits = told instanceof Uint8Array ? told : undefined
    if (bits && !fits(bits, info.pieces)) return this.ban()
    this.have = new Bitfield(info.pieces, bits)
    if (told === true) this.have.fill()
    for (const index of this.#haves) if (index < info.pieces) this.have.set(index)
    this.#haves = []
    picker.join(this)
    this.update()
  }

  /** This piece is here now. */
  gained(index: number): void {
    if (this.#news.push(index) === 1) this.#newsSince = this.#node.now()
    if (!this.have.has(index)) this.#tell()
  }

  /** All data is here: it is told, and a peer that has all as well is of no use. */
  completed(): void {
    this.#tell()
    if (this.have.full) return this.close()
    this.update()
  }

  /** What is wanted of it may have changed. */
  update(): void {
    const host = this.#host!
    const want = host.wants(this)
    if (want !== this.#wanting) {
      this.#wanting = want
      if (want) this.wire.interested()
      else this.wire.notInterested()
    }
    this.request()
  }

  /** Asks for as much as keeps it busy, in its turn. */
  request(): void {
    if (this.#host?.picker) this.pace.request(this, this.#node.now())
  }

  ask(room: number, now: number): boolean {
    const picker = this.#host!.picker!
    while (room > 0) {
      if (!this.#wanting || this.asks.size >= (this.#snubbed ? 1 : this.#reqq) || !this.#node.down.take(this.#block, now)) return false
      const ask = picker.pick(this, this.#block, now)
      this.#node.down.give(this.#block - (ask?.length ?? 0))
      if (!ask) return false
      this.#tell()
      this.wire.request(ask.piece, ask.begin, ask.length)
      room -= ask.length
    }
    return true
  }

  /** What it asked for was read. */
  readonly resume = (): void => void this.serve()

  /** Sends what it asked for while there is room; at most so many blocks. */
  serve(blocks = Infinity): boolean {
    const host = this.#host
    let sent = false
    if (!host) return sent
    while (blocks-- > 0 && this.#queue.length && (this.ways?.room ?? this.channel.bufferedAmount < highWater) && !this.#closed) {
      const next = this.#queue[0]!
      // What comes about a mebibyte later is read meanwhile.
      const later = Math.min(this.#queue.length - 1, Math.ceil((1 << 20) / next.length))
      const data = host.block(this, next)
      if (later) host.block(this, this.#queue[later]!)
      if (!data) return sent
      const now = this.#node.now()
      if (!this.#node.up.take(data.length, now)) {
        this.#node.thirsty.add(this)
        return sent
      }
      this.#queue.shift()
      if (!this.ways?.send(next.piece, next.begin, data)) this.wire.piece(next.piece, next.begin, data)
      this.uploaded.add(data.length, now)
      host.sent(data.length)
      sent = true
    }
    return sent
  }

  choke(on: boolean): void {
    this.choking = on
    if (!on) return this.wire.unchoke()
    this.wire.choke()
    for (const { piece, begin, length } of this.#queue.splice(0)) this.wire.reject(piece, begin, length)
  }

  /** Several times a second, if the browser likes. */
  tick(now: number): void {
    if (this.#born === undefined) return
    if (!this.ready) return now - this.#born > handshakeTime ? this.close() : undefined
    if (now - this.#heard > silence) return this.close()
    if (now - this.#sent > keepAlive) this.wire.keepAlive()
    if (now - this.#newsSince > newsWait) this.#tell()
    const host = this.#host!
    // A little later than at once, so that cards have passed.
    if (now - this.#born > 3000 && host.done && this.have.full) return this.close()
    const late = ({ at, lost }: Ask) =>
      !lost && now - at > snubAfter && (!this.downloaded.at(now) || at < this.#latest)
    if (!this.#snubbed && [...this.asks.values()].some(late)) {
      this.#snubbed = true
      host.picker?.lose(this)
      host.refill()
    }
    this.request()
  }

  onhandshake(handshake: Handshake): void {
    const host = this.#host ?? this.#find(handshake.infoHash)
    const { infoHash, peerId } = handshake
    if (!host || infoHash !== host.infoHash || peerId === this.#node.peerId) return this.close()
    const first = !this.#host
    this.#host = host
    this.id = peerId
    if (!host.joined(this)) return this.close()
    this.#node.strangers.delete(this)
    if (first) this.wire.handshake(infoHash, this.#node.peerId)
    const { info, had } = host
    this.#extended = handshake.extended
    if (this.#extended) this.greet()
    else host.met(this)
    this.wire.bitfield(had.bytes, had.count, info?.pieces ?? 0)
    this.learn()
  }

  onextendedhandshake({ client, metadataSize, block, reqq }: ExtendedHandshake): void {
    const host = this.#host!
    const first = !this.#greeted
    this.#greeted = true
    this.client = client
    this.#block = block
    this.#reqq = reqq
    host.metadata.add(this.wire, metadataSize)
    if (this.wire.supports('sl_link')) this.channel.link.extended()
    if (!first) return
    const { card } = host.entry
    if (card) this.wire.extended('sl_card', card.packed)
    host.met(this)
  }

  onextended(name: Extension, payload: Bytes): void {
    this.#host!.extended?.(this, name, payload)
  }

  onchoke(): void {
    if (this.#moody()) return
    this.#choked = true
    // With BEP 6 each request is answered; without, they are forgotten.
    if (this.wire.fast) return
    for (const ask of this.asks.values()) this.#unasked -= ask.length
    this.#host!.picker?.release(this)
    this.#host!.refill()
  }

  onunchoke(): void {
    if (this.#moody()) return
    this.#choked = false
    this.dry = -1
    this.request()
  }

  oninterested(): void {
    if (this.#moody()) return
    this.interested = true
    this.#host!.choke()
  }

  onnotinterested(): void {
    if (this.#moody()) return
    this.interested = false
    this.#host!.choke()
  }

  onhave(index: number): void {
    const { picker } = this.#host!
    if (picker) {
      const { full } = this.have
      if (!picker.gained(this, index)) return
      if (this.have.full && !full) this.#host!.met(this)
      if (this.useful) this.update()
    } else if (this.#haves.length < maxHaves) this.#haves.push(index)
  }

  onbitfield(bits: Bytes): void {
    this.#has(bits)
  }

  onhaveall(): void {
    this.#has(true)
  }

  onhavenone(): void {
    this.#has(false)
  }

  onrequest(piece: number, begin: number, length: number): void {
    if (this.choking || this.#queue.length >= reqq || !this.#host!.had.has(piece)) {
      // Who asks on without reading what it gets is not worth the memory.
      if (this.channel.bufferedAmount > 2 * highWater) return this.close()
      return this.wire.reject(piece, begin, length)
    }
    this.#queue.push({ piece, begin, length })
    this.serve()
  }

  oncancel(piece: number, begin: number, length: number): void {
    const at = this.#queue.findIndex((one) => one.piece === piece && one.begin === begin && one.length === length)
    if (at < 0) return
    this.#queue.splice(at, 1)
    this.wire.reject(piece, begin, length)
  }

  onpiece(piece: number, begin: number, data: Bytes): void {
    const host = this.#host!
    const now = this.#node.now()
    const ask = host.picker?.receive(this, piece, begin, data, now)
    if (!ask) {
      if ((this.#unasked += data.length) > patience) this.ban()
      return
    }
    if (this.#snubbed) host.picker!.find(this, ask.at, now)
    this.#snubbed = false
    this.#latest = Math.max(this.#latest, ask.at)
    this.pace.came(ask, now)
    this.downloaded.add(data.length, now)
    host.received(data.length)
    this.request()
  }

  onreject(piece: number, begin: number, length: number): void {
    for (const ask of this.asks.values()) {
      if (ask.piece !== piece || ask.begin !== begin || ask.length !== length) continue
      this.#node.down.give(length)
      return this.#host!.picker?.drop(this, ask)
    }
  }

  onallowedfast(index: number): void {
    if (this.#allowed.size >= 64 || this.#allowed.has(index)) return
    this.#allowed.add(index)
    this.dry = -1
    this.request()
  }

  onviolation(): void {
    this.ban()
  }

  /** Whether it is banned now, for changing its mind too often. */
  #moody(): boolean {
    if (this.#moods.take(1)) return false
    this.ban()
    return true
  }

  #tell(): void {
    for (const index of this.#news.splice(0)) this.wire.have(index)
  }

  #has(told: Bytes | boolean): void {
    if (this.#told !== undefined) return
    this.#told = told
    const { picker } = this.#host!
    if (!picker) return
    picker.leave(this)
    this.learn()
  }
}
