/**
 * Lanes: further RTCPeerConnections to a peer, which carry blocks and nothing else.
 *
 *   who fetches                                                      who sends
 *   tick: it could be faster ── offer ─┐                     ┌─ answer ── receive
 *                                      └── sl_lane messages ─┘
 *   Wire.lane ◀── piece messages, each whole and in any order ◀── lanes, least backlog first ◀── send ◀── Peer.serve
 *
 * SCTP halves its pace when a packet is lost and takes many round trips to regain it (RFC 9260, 7.2), so one connection
 * fills only a part of a long or lossy line; several, each with a pace of its own, fill more of it. docs/protocol.md,
 * "Lanes":
 *
 *   offer  00 number (1) SDP     answer  01 number (1) SDP
 */
import { concat, utf8, type Bytes } from '../bytes.ts'
import { Bucket } from '../link/bucket.ts'
import { highWater, lowWater } from '../link/channel.ts'
import { gathered, plausible } from '../link/sdp.ts'
import { pieceHead } from '../wire/messages.ts'
import { maxBlock } from '../wire/wire.ts'
import type { LaneHost, Ways } from './host.ts'
import type { Peer } from './peer.ts'
import type { Ask } from './picker.ts'

const [offer, answer] = [0, 1]
const protocol = 'starling.lane.1'
/** Of one peer, each way; and of all peers together. */
const maxLanes = 3
const maxOfAll = 12
/** Offers of all peers that are looked at, at once and per second: each has the browser make a connection, good or bad. */
const offers = 24
const offersRefill = 1
/** A number of lanes is judged by what comes over so long a time, once so long has passed, ms. */
const span = 3_000
const settle = 1_000
/** Another one is worth it where the last brought so many times the speed; else it is tried again after this time, ms. */
const worth = 1.15
const rest = 30_000
/** Seconds that the rest must take, and bytes per second from which on machines are slower than lines. */
const longEnough = 4
const fast = 6e6
const openWithin = 20_000
/** A block may have been on a lane that is gone when it is owed for so long, ms, and what was asked for later came; or nothing. */
const overtaken = 5_000
const silent = 15_000
/** A channel that carries less than this is given more. */
const full = lowWater + maxBlock

interface Lane {
  readonly pc: RTCPeerConnection
  /** What blocks go by. */
  dc?: RTCDataChannel
  timer?: ReturnType<typeof setTimeout>
}

/** One peer's lanes: those to it and those from it. */
export class Lanes implements Ways {
  static readonly #offers = new WeakMap<LaneHost, Bucket>()
  readonly #peer: Peer
  readonly #host: LaneHost
  /** By number: those that blocks come by, and those that they go by. */
  readonly #in = new Map<number, Lane>()
  readonly #out = new Map<number, Lane>()
  #next = 0
  #closed = false
  /** More would bring nothing. */
  #enough = false
  /** From when on it is measured, in bytes that had come by then. */
  #from: number
  #had = 0
  /** Bytes per second before the last lane. */
  #before = 0
  /** What was owed at the last look: when that was, and how much must come after it, all of it included. */
  #owed = new Set<Ask>()
  #owedAt = 0
  #until = 0
  #heard = 0
  #heardAt = 0

  constructor(peer: Peer, host: LaneHost) {
    this.#peer = peer
    this.#host = host
    this.#from = host.now() + settle
  }

  // Who fetches

  tick(now: number, left: number, lost: (ask: Ask) => void): void {
    const received = this.#peer.downloaded.total
    const count = this.#in.size
    if (this.#next) this.#look(now, received, lost)
    if (this.#enough || count >= maxLanes) return
    if (!this.#peer.asks.size) this.#from = now + settle
    if (now < this.#from) this.#had = received
    if (now < this.#from + span) return
    const speed = ((received - this.#had) * 1000) / (now - this.#from)
    const vain = speed < this.#before * worth
    this.#from = now + (vain ? rest : settle)
    if (vain) this.#before = 0
    if (vain || left < speed * longEnough || speed > fast) return
    this.#before = speed
    for (let more = Math.min(count + 1, maxLanes - count); more > 0; more--) void this.#offer(this.#next++)
  }

  /** What is owed since the last look, though it should have come, is not waited for. */
  #look(now: number, received: number, lost: (ask: Ask) => void): void {
    if (received > this.#heard) this.#heardAt = now
    this.#heard = received
    const since = now - this.#owedAt
    if (!(received >= this.#until && since > overtaken) && Math.min(since, now - this.#heardAt) < silent) return
    const { asks } = this.#peer
    for (const ask of asks.values()) if (this.#owed.has(ask)) lost(ask)
    this.#owed = new Set(asks.values())
    this.#owedAt = now
    this.#until = received
    for (const { length } of asks.values()) this.#until += length
  }

  async #offer(number: number): Promise<void> {
    const peer = this.#peer
    await this.#open(this.#in, number, async (lane, iceServers) => {
      const { pc } = lane
      const dc = pc.createDataChannel('lane', { protocol, ordered: false })
      dc.binaryType = 'arraybuffer'
      dc.onopen = () => {
        clearTimeout(lane.timer)
        this.#from = this.#host.now() + settle
      }
      dc.onmessage = ({ data }) => peer.wire.lane(data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array())
      dc.onclose = () => this.#drop(this.#in, number)
      await pc.setLocalDescription(await pc.createOffer())
      await gathered(pc, iceServers)
      this.#say(offer, number, pc)
    })
  }

  // Who sends

  get room(): boolean {
    return this.#peer.backlog < (this.#best() ? full : highWater) || (this.#best()?.bufferedAmount ?? full) < full
  }

  send(piece: number, begin: number, data: Bytes): boolean {
    const dc = this.#best()
    if (!dc || dc.bufferedAmount >= this.#peer.backlog) return false
    try {
      dc.send(concat([pieceHead(piece, begin, data.length), data]))
      return true
    } catch {
      return false
    }
  }

  /** The one with the least on it, of those that work. */
  #best(): RTCDataChannel | undefined {
    let best: RTCDataChannel | undefined
    for (const { dc, pc } of this.#out.values()) {
      if (dc?.readyState !== 'open' || pc.connectionState !== 'connected') continue
      if (!best || dc.bufferedAmount < best.bufferedAmount) best = dc
    }
    return best
  }

  async #answer(number: number, sdp: string): Promise<void> {
    await this.#open(this.#out, number, async (lane, iceServers) => {
      const { pc } = lane
      pc.ondatachannel = ({ channel: dc }) => {
        const drop = () => this.#drop(this.#out, number)
        if (lane.dc || dc.protocol !== protocol || (pc.sctp?.maxMessageSize ?? 0) < 2 * maxBlock) return drop()
        clearTimeout(lane.timer)
        lane.dc = dc
        dc.bufferedAmountLowThreshold = lowWater
        dc.onopen = dc.onbufferedamountlow = this.#peer.resume
        dc.onmessage = dc.onclose = drop
        this.#peer.resume()
      }
      await pc.setRemoteDescription({ type: 'offer', sdp })
      await pc.setLocalDescription(await pc.createAnswer())
      await gathered(pc, iceServers)
      this.#say(answer, number, pc)
    })
  }

  // Both

  receive(payload: Bytes): void {
    const [type, number = 0] = payload
    const sdp = new TextDecoder().decode(payload.subarray(2))
    if (!plausible(sdp)) return
    if (type === offer) {
      if (this.#heeded()) void this.#answer(number, sdp)
    } else this.#in.get(number)?.pc.setRemoteDescription({ type: 'answer', sdp }).catch(() => this.#drop(this.#in, number))
  }

  #heeded(): boolean {
    const bucket = Lanes.#offers.get(this.#host) ?? new Bucket(offers, offersRefill)
    Lanes.#offers.set(this.#host, bucket)
    return bucket.take(1)
  }

  close(): void {
    this.#closed = true
    for (const lanes of [this.#in, this.#out]) for (const number of lanes.keys()) this.#drop(lanes, number)
  }

  async #open(lanes: Map<number, Lane>, number: number, begin: (lane: Lane, iceServers: RTCIceServer[]) => Promise<void>): Promise<void> {
    // Who pays for a relay pays for one connection; and where that is the only way, it is no better for being several.
    const iceServers = (await this.#host.iceServers().catch(() => [])).filter(({ credential }) => !credential)
    if (!this.#host.mayLane() || this.#closed || lanes.has(number) || lanes.size >= maxLanes || this.#host.lanes.open >= maxOfAll) return
    try {
      const pc = new RTCPeerConnection({ iceServers })
      const drop = () => this.#drop(lanes, number)
      const lane: Lane = { pc, timer: setTimeout(drop, openWithin) }
      lanes.set(number, lane)
      if (lanes === this.#in) this.#peer.pace.ways++
      this.#host.lanes.open++
      this.#host.lanes.made++
      pc.onconnectionstatechange = () => /failed|closed/.test(pc.connectionState) && drop()
      await begin(lane, iceServers)
    } catch {
      this.#drop(lanes, number)
    }
  }

  #drop(lanes: Map<number, Lane>, number: number): void {
    const lane = lanes.get(number)
    if (!lane) return
    lanes.delete(number)
    this.#host.lanes.open--
    clearTimeout(lane.timer)
    lane.pc.close()
    if (lanes !== this.#in) return
    this.#peer.pace.ways--
    this.#enough = true
  }

  #say(type: number, number: number, { localDescription }: RTCPeerConnection): void {
    this.#peer.wire.extended('sl_lane', concat([Uint8Array.of(type, number), utf8.encode(localDescription!.sdp)]))
  }
}
