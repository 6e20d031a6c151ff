/**
 * The peer wire protocol: bytes in, messages out, and the other way round. No timers, no swarm, no WebRTC.
 *
 *   channel's messages ─ receive ─▶ Wire ─ onrequest, onpiece, … ─▶ WireHandler (the swarm's peer)
 *   channel.send  ◀──────────────── Wire ◀─ request(), piece(), …
 *
 * BEP 3, with BEP 6 (fast) and BEP 10 (extensions):
 *
 *   handshake  +----+---------------------+--------------+---------------+--------------+
 *              | 13 | BitTorrent protocol | reserved (8) | infohash (20) | peer_id (20) |
 *              +----+---------------------+--------------+---------------+--------------+
 *   message    +------------+--------+--------------+   length counts id and payload; 0 is a keep-alive
 *              | length (4) | id (1) | payload …    |
 *              +------------+--------+--------------+
 *    0 choke   1 unchoke   2 interested   3 not interested   4 have: index   5 bitfield: bits, first piece highest
 *    6 request, 8 cancel, 16 reject: index, begin, length    7 piece: index, begin, data
 *   13 suggest, 17 allowed fast: index   14 have all   15 have none
 *   20 extended: id (1), payload; id 0 is a bencoded dictionary that gives ids to names
 *
 * A peer that breaks a rule is reported once, by onviolation, and nothing more of it is read.
 */
import { equal, toHex, toUint32, type Bytes } from '../bytes.ts'
import { bytesOf, dictOf, encode, parse, sizeOf } from '../torrent/bencode.ts'
import { blockSize, maxInfo, type Info } from '../torrent/metainfo.ts'
import { fits } from './bitfield.ts'
import * as msg from './messages.ts'

/** The longest block that we ask for or answer: sl_block in docs/protocol.md. */
export const maxBlock = 64 << 10
/** Longer than any message that we take: extensions' are the longest. */
const maxMessage = 128 << 10

/** Our ids for the extensions that we speak. */
const extensions = { ut_metadata: 1, sl_link: 2, sl_card: 3, sl_lane: 4 }
export type Extension = keyof typeof extensions
const names = Object.keys(extensions) as Extension[]

/** Where messages go out. */
export interface Sink {
  /** May keep the bytes. */
  send(data: Bytes): void
  /** Where it is known, a slow peer is served metadata no faster than it takes it. */
  readonly bufferedAmount?: number
}

/** What the first message says (BEP 3), and which extensions are named there. */
export interface Handshake {
  /** 40 hex digits, as is peerId. */
  infoHash: string
  peerId: string
  fast: boolean
  extended: boolean
}

/** What the peer says of itself by BEP 10. */
export interface ExtendedHandshake {
  /** What the peer calls itself, as it came, at most 256 bytes. */
  client: Bytes | undefined
  /** Bytes; 0 where the peer has no metadata, or more than anybody may. */
  metadataSize: number
  /** How many requests the peer takes at once. */
  reqq: number
  /** The longest block it answers a request for: 16 to 64 KiB. */
  block: number
}

/** Bytes handed over are views that stay valid and unchanged, but keep the whole received message in memory. */
export interface WireHandler {
  onhandshake(handshake: Handshake): void
  onchoke(): void
  onunchoke(): void
  oninterested(): void
  onnotinterested(): void
  onhave(index: number): void
  /** Of the right length and without spare bits where wire.info is set; else see fits(). */
  onbitfield(bits: Bytes): void
  onhaveall(): void
  onhavenone(): void
  /** Inside the torrent, 1 byte to maxBlock long. Requests that come before wire.info is set are dropped. */
  onrequest(index: number, begin: number, length: number): void
  /** Not longer than what was ever asked of this peer; whether it was asked for is for the handler to know. */
  onpiece(index: number, begin: number, data: Bytes): void
  oncancel(index: number, begin: number, length: number): void
  onreject(index: number, begin: number, length: number): void
  onallowedfast?(index: number): void
  /** May come again: then it tells what changed. */
  onextendedhandshake(handshake: ExtendedHandshake): void
  onextended(name: Extension, payload: Bytes): void
  /** The peer is in error: close the link. */
  onviolation(): void
}

/** One channel's wire: what comes goes into receive, what is said goes out to the sink. */
export class Wire {
  /** May be replaced, as when the handshake has told which torrent this is. */
  handler: WireHandler
  /** To be set as soon as it is known: from then on indices, requests and bitfields are checked. */
  info?: Info

  readonly #sink: Sink
  #fast = false
  readonly #theirs = new Map<Extension, number>()
  #closed = false
  #asked = 0

  // What is awaited next: so many bytes, for that reader. What came of them lies in #part.
  #need = msg.protocol.length
  #read: (bytes: Bytes) => void = this.#protocol
  #part: Bytes | undefined
  #filled = 0

  constructor(sink: Sink, handler: WireHandler) {
    this.#sink = sink
    this.handler = handler
  }

  /** Whether the peer speaks BEP 6: have all, have none and reject may be sent to it. */
  get fast(): boolean {
    return this.#fast
  }

  /** Bytes handed to the sink that are not on their way yet, where the sink knows. */
  get buffered(): number {
    return this.#sink.bufferedAmount ?? 0
  }

  /** Whether the peer named the extension in its BEP 10 handshake. */
  supports(name: Extension): boolean {
    return this.#theirs.has(name)
  }

  /** Reads and sends nothing more. */
  close(): void {
    this.#closed = true
    this.#part = undefined
  }

  /** Bytes in any portions. data is kept, so it must not be written to again. */
  receive(data: Bytes): void {
    let at = 0
    while (!this.#closed) {
      const left = data.length - at
      let whole: Bytes
      if (!this.#filled && left >= this.#need) {
        whole = data.subarray(at, (at += this.#need))
      } else {
        if (!left) return
        const some = data.subarray(at, at + this.#need - this.#filled)
        this.#part ??= new Uint8Array(this.#need)
        this.#part.set(some, this.#filled)
        at += some.length
        this.#filled += some.length
        if (this.#filled < this.#need) return
        whole = this.#part
        this.#part = undefined
        this.#filled = 0
      }
      this.#read(whole)
    }
  }

  /** A message that came by a lane, whole. Only pieces do. */
  lane(message: Bytes): void {
    if (this.#closed) return
    if (message[4] !== msg.piece || toUint32(message, 0) !== message.length - 4) return this.#violation()
    const [need, read] = [this.#need, this.#read]
    this.#message(message.subarray(4))
    this.#expect(need, read)
  }

  #expect(need: number, read: (bytes: Bytes) => void): void {
    this.#need = need
    this.#read = read
  }

  #protocol(bytes: Bytes): void {
    if (!equal(bytes, msg.protocol)) return this.#violation()
    this.#expect(48, this.#handshake)
  }

  #handshake(bytes: Bytes): void {
    this.#expect(4, this.#length)
    this.#fast = !!(bytes[7]! & 4)
    this.handler.onhandshake({
      infoHash: toHex(bytes.subarray(8, 28)), peerId: toHex(bytes.subarray(28)),
      fast: this.#fast, extended: !!(bytes[5]! & 0x10),
    })
  }

  #length(bytes: Bytes): void {
    const length = toUint32(bytes, 0)
    if (length > maxMessage) this.#violation()
    else if (length) this.#expect(length, this.#message)
  }

  #message(bytes: Bytes): void {
    this.#expect(4, this.#length)
    const { handler, info } = this
    const id = bytes[0]!
    const body = bytes.subarray(1)

    // Payload lengths by id; undefined is any.
    const size = [0, 0, 0, 0, 4, , 12, , 12, , , , , 4, 0, 0, 12, 4][id]
    if (size !== undefined && body.length !== size) return this.#violation()
    if (id === msg.piece && (body.length < 9 || body.length - 8 > this.#asked)) return this.#violation()
    const number = (at: number): number => (id === msg.piece || size! > at ? toUint32(body, at) : 0)
    const index = number(0)
    if (info && index && index >= info.pieces) return this.#violation()

    switch (id) {
      case msg.choke: return handler.onchoke()
      case msg.unchoke: return handler.onunchoke()
      case msg.interested: return handler.oninterested()
      case msg.notInterested: return handler.onnotinterested()
      case msg.have: return handler.onhave(index)
      case msg.bitfield:
        return info && !fits(body, info.pieces) ? this.#violation() : handler.onbitfield(body)
      case msg.request: {
        const length = number(8)
        if (!length || length > maxBlock) return this.#violation()
        if (!info) return
        if (number(4) + length > Math.min(info.pieceLength, info.length - index * info.pieceLength)) return this.#violation()
        return handler.onrequest(index, number(4), length)
      }
      case msg.piece:
        return handler.onpiece(index, number(4), body.subarray(8))
      case msg.cancel: return handler.oncancel(index, number(4), number(8))
      case msg.haveAll: return handler.onhaveall()
      case msg.haveNone: return handler.onhavenone()
      case msg.reject: return handler.onreject(index, number(4), number(8))
      case msg.allowedFast: return handler.onallowedfast?.(index)
      case msg.extended: return body.length ? this.#extended(body[0]!, body.subarray(1)) : this.#violation()
    }
  }

  #extended(id: number, payload: Bytes): void {
    if (id) {
      const name = names.find((name) => extensions[name] === id)
      return name && this.handler.onextended(name, payload)
    }
    const dict = dictOf(parse(payload))
    if (!dict) return this.#violation()
    const ids = dictOf(dict.get('m'))
    for (const name of names) {
      const theirs = sizeOf(ids?.get(name))
      if (theirs && theirs < 256) this.#theirs.set(name, theirs)
      else if (theirs === 0) this.#theirs.delete(name)
    }
    const size = sizeOf(dict.get('metadata_size')) ?? 0
    const block = sizeOf(dict.get('sl_block')) ?? 0
    this.handler.onextendedhandshake({
      client: bytesOf(dict.get('v'))?.slice(0, 256),
      metadataSize: size <= maxInfo ? size : 0,
      reqq: Math.min(Math.max(sizeOf(dict.get('reqq')) ?? 250, 1), 2000),
      block: block % blockSize || !block ? blockSize : Math.min(block, maxBlock),
    })
  }

  #violation(): void {
    this.close()
    this.handler.onviolation()
  }

  #send(bytes: Bytes): void {
    if (!this.#closed) this.#sink.send(bytes)
  }

  /** Both are 40 hex digits. */
  handshake(infoHash: string, peerId: string): void {
    this.#send(msg.handshake(infoHash, peerId))
  }

  /** To be sent right after the handshake to a peer that speaks BEP 10. reqq: how many requests we take at once. */
  extendedHandshake(options: { version: string; reqq: number; metadataSize?: number }): void {
    const { version, reqq, metadataSize } = options
    const dict = { m: extensions, metadata_size: metadataSize, reqq, sl_block: maxBlock, v: `Starling ${version}` }
    this.#send(msg.extension(0, encode(dict)))
  }

  /** False where the peer does not speak it. */
  extended(name: Extension, payload: Uint8Array): boolean {
    const id = this.#theirs.get(name)
    if (id) this.#send(msg.extension(id, payload))
    return !!id
  }

  keepAlive(): void {
    this.#send(new Uint8Array(4))
  }

  choke(): void {
    this.#send(msg.message(msg.choke))
  }

  unchoke(): void {
    this.#send(msg.message(msg.unchoke))
  }

  interested(): void {
    this.#send(msg.message(msg.interested))
  }

  notInterested(): void {
    this.#send(msg.message(msg.notInterested))
  }

  have(index: number): void {
    this.#send(msg.message(msg.have, [index]))
  }

  /** What we have when the wire begins, as short as the peer understands it. count: how many bits are set. */
  bitfield(bits: Uint8Array, count: number, pieces: number): void {
    if (this.#fast && count === pieces && pieces) this.#send(msg.message(msg.haveAll))
    else if (count) this.#send(msg.message(msg.bitfield, [], bits))
    else if (this.#fast) this.#send(msg.message(msg.haveNone))
  }

  request(index: number, begin: number, length: number): void {
    this.#asked = Math.max(this.#asked, length)
    this.#send(msg.message(msg.request, [index, begin, length]))
  }

  /** data is handed on as it is, without a copy. */
  piece(index: number, begin: number, data: Bytes): void {
    this.#send(msg.pieceHead(index, begin, data.length))
    this.#send(data)
  }

  cancel(index: number, begin: number, length: number): void {
    this.#send(msg.message(msg.cancel, [index, begin, length]))
  }

  /** Says nothing to a peer that does not speak BEP 6. */
  reject(index: number, begin: number, length: number): void {
    if (this.#fast) this.#send(msg.message(msg.reject, [index, begin, length]))
  }
}
