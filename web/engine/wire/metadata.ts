/**
 * BEP 9: the info dictionary from peers, and to them, in parts of 16 KiB over the extension ut_metadata.
 *
 *   request  d8:msg_typei0e5:piecei<n>ee
 *   data     d8:msg_typei1e5:piecei<n>e10:total_sizei<bytes>ee ‖ the part
 *   reject   d8:msg_typei2e5:piecei<n>ee
 *
 * Each of a few peers is asked for the whole, and the first that turns out right wins: metadata is small, and so who
 * sent something wrong is known for certain.
 */
import { concat, type Bytes } from '../bytes.ts'
import { dictOf, encode, parsePrefix, sizeOf } from '../torrent/bencode.ts'
import { infoHashOf } from '../torrent/metainfo.ts'
import type { Wire } from './wire.ts'

const partSize = 16 << 10
/** Peers asked at once, and parts asked of each. */
const racers = 3
const pipeline = 16
/** How often a peer may ask for the whole before it gets no answer. */
const servings = 4
/** How often a peer may send the whole, as it may be asked again when it is slow. */
const repeats = 8
/** Parts kept while none has sent the whole, of all peers together: more than what the racers send. */
const mostParts = 2048
/** Bytes waiting to be sent above which requests are rejected. */
const full = 1 << 20

/** Whose metadata it is. */
export interface MetadataHost {
  /** 40 hex digits. */
  readonly infoHash: string
  /** The verified info dictionary, once. */
  onmetadata(info: Bytes): void
  /** This wire's peer lied: close its link and ban it. */
  onliar(wire: Wire, reason: string): void
}

interface Peer {
  readonly wire: Wire
  /** As claimed, and the parts that came; both 0 and empty where the peer has no metadata. */
  size: number
  parts: (Bytes | undefined)[]
  /** Index of the next part to ask for; parts got. */
  next: number
  got: number
  asked: boolean
  /** Something came since the last rotate. */
  alive: boolean
  served: number
  /** Data messages that came. */
  taken: number
}

/** One torrent's, with all its peers. */
export class MetadataExchange {
  readonly #host: MetadataHost
  #info: Bytes | undefined
  /** In the order in which they are asked: the first few are. */
  readonly #peers = new Map<Wire, Peer>()

  /** With info where it is known already: then it is only served. */
  constructor(host: MetadataHost, info?: Bytes) {
    this.#host = host
    this.#info = info
  }

  get info(): Bytes | undefined {
    return this.#info
  }

  /** It came from elsewhere (verified): what is under way is forgotten. */
  set info(info: Bytes | undefined) {
    this.#info = info
    for (const peer of this.#peers.values()) peer.parts = []
  }

  /** The peer's extended handshake came. size: its metadataSize, 0 where it has none. */
  add(wire: Wire, size: number): void {
    const peer = this.#peers.get(wire)
    if (peer?.size) return
    this.#peers.set(wire, {
      wire, size, parts: [], next: 0, got: 0, asked: false, alive: false, taken: 0,
      served: peer?.served ?? 0,
    })
    this.#fill()
  }

  remove(wire: Wire): void {
    if (this.#peers.delete(wire)) this.#fill()
  }

  /** To be called every few seconds while info is undefined: peers that sent nothing meanwhile make way for others. */
  rotate(): void {
    for (const [wire, peer] of [...this.#peers]) {
      if (peer.asked && !peer.alive) {
        peer.asked = false
        peer.next = 0
        this.#peers.delete(wire)
        this.#peers.set(wire, peer)
      }
      peer.alive = false
    }
    this.#fill()
  }

  /** A ut_metadata message. */
  receive(wire: Wire, payload: Bytes): void {
    const peer = this.#peers.get(wire)
    if (!peer) return
    const [value, length] = parsePrefix(payload) ?? []
    const dict = dictOf(value)
    const type = sizeOf(dict?.get('msg_type'))
    const part = sizeOf(dict?.get('piece'))
    if (type === undefined || part === undefined) return this.#liar(peer, 'bad metadata message')
    if (type === 0) this.#serve(peer, part)
    else if (type === 1) this.#take(peer, part, payload.subarray(length), sizeOf(dict!.get('total_size')))
    else if (type === 2) peer.alive = false
  }

  #serve(peer: Peer, part: number): void {
    const info = this.#info
    const parts = info ? Math.ceil(info.length / partSize) : 0
    if (peer.served++ > servings * parts) return
    const ok = info && part < parts && peer.wire.buffered < full
    const head = encode({ msg_type: ok ? 1 : 2, piece: part, total_size: ok ? info.length : undefined })
    const body = ok ? info.subarray(part * partSize, (part + 1) * partSize) : new Uint8Array()
    peer.wire.extended('ut_metadata', concat([head, body]))
  }

  #fill(): void {
    if (this.#info) return
    let racing = 0
    for (const peer of this.#peers.values()) {
      if (!peer.size) continue
      if (++racing > racers) break
      if (!peer.asked) {
        peer.asked = true
        for (let i = 0; i < pipeline; i++) this.#ask(peer)
      }
    }
  }

  #ask(peer: Peer): void {
    while (peer.parts[peer.next]) peer.next++
    if (peer.next * partSize >= peer.size) return
    peer.wire.extended('ut_metadata', encode({ msg_type: 0, piece: peer.next++ }))
  }

  #take(peer: Peer, part: number, data: Bytes, total: number | undefined): void {
    const { size, parts } = peer
    if (++peer.taken > repeats * Math.ceil(size / partSize)) return this.#liar(peer, 'endless metadata')
    if (this.#info) return
    const left = size - part * partSize
    const fits = left > 0 && data.length === Math.min(partSize, left) && (total ?? size) === size
    if (!fits) return this.#liar(peer, 'metadata of another size')
    if (parts[part] || !this.#room(peer)) return
    peer.alive = true
    parts[part] = data.slice()
    if (++peer.got * partSize < size) return this.#ask(peer)
    void this.#verify(peer, concat(parts as Bytes[]))
  }

  /** Whoever was asked has room: what came of others goes, if it must. */
  #room(peer: Peer): boolean {
    const peers = [...this.#peers.values()]
    if (peers.reduce((sum, { got }) => sum + got, 0) < mostParts) return true
    if (!peer.asked) peer.next = 0
    else for (const other of peers) if (!other.asked) Object.assign(other, { parts: [], next: 0, got: 0 })
    return peer.asked
  }

  async #verify(peer: Peer, info: Bytes): Promise<void> {
    const hash = await infoHashOf(info)
    if (this.#info) return
    if (hash !== this.#host.infoHash) return this.#liar(peer, 'wrong metadata')
    this.info = info
    this.#host.onmetadata(info)
  }

  #liar(peer: Peer, reason: string): void {
    this.remove(peer.wire)
    this.#host.onliar(peer.wire, reason)
  }
}
