import type { Bytes } from '../bytes.ts'
import { lowWater, type Channel, type LinkInfo } from './channel.ts'

/** Bytes kept for an owner who has not yet set onmessage. */
const maxEarly = 1 << 20

/** What the link wants to know of its channel. */
export interface ChannelWatch {
  /** Sees the first message before the owner does, and may end the channel. */
  first(message: Bytes): void
  /** It ended, by whomever; before the owner is told. */
  over(): void
}

/** An RTCDataChannel as the wire sees it. Its owner gets it open. */
export class WireChannel implements Channel {
  readonly outgoing: boolean
  readonly link: LinkInfo
  /** Set when it opens: only then the browser knows. */
  maxMessage = 0
  /** Something came over it. */
  heard = false
  onopen: (() => void) | undefined
  ondrain: (() => void) | undefined
  onclose: (() => void) | undefined
  readonly #dc: RTCDataChannel
  readonly #watch: ChannelWatch
  #onmessage: ((data: Bytes) => void) | undefined
  #early: Bytes[] = []
  #earlyBytes = 0
  #ended = false

  constructor(dc: RTCDataChannel, link: LinkInfo, outgoing: boolean, watch: ChannelWatch) {
    this.#dc = dc
    this.#watch = watch
    this.link = link
    this.outgoing = outgoing
    dc.binaryType = 'arraybuffer'
    dc.bufferedAmountLowThreshold = lowWater
    dc.onbufferedamountlow = () => this.open && this.ondrain?.()
    dc.onmessage = ({ data }) => this.#receive(data)
  }

  get open(): boolean {
    return !this.#ended && this.#dc.readyState === 'open'
  }

  get bufferedAmount(): number {
    return this.#dc.bufferedAmount
  }

  get onmessage(): ((data: Bytes) => void) | undefined {
    return this.#onmessage
  }

  /** What came early follows in order, once the owner's present turn is over. */
  set onmessage(handler: ((data: Bytes) => void) | undefined) {
    this.#onmessage = handler
    if (this.#early.length) queueMicrotask(() => this.#flush())
  }

  send(data: Bytes): void {
    for (let at = 0; at < data.length; at += this.maxMessage) this.#dc.send(data.subarray(at, at + this.maxMessage))
  }

  close(): void {
    if (this.#over()) queueMicrotask(() => this.onclose?.())
  }

  /** As close, but the owner is told at once: the browser closed it, its link ended, or another takes its place. */
  end(): void {
    if (this.#over()) this.onclose?.()
  }

  #over(): boolean {
    if (this.#ended) return false
    this.#ended = true
    this.#early.length = 0
    this.#dc.close()
    this.#watch.over()
    return true
  }

  #receive(data: unknown): void {
    if (this.#ended) return
    // Chromium now and then calls a channel that the peer opened "open", and then "connecting" for good: it hears and
    // cannot speak.
    if (this.maxMessage && this.#dc.readyState === 'connecting') return this.end()
    if (!(data instanceof ArrayBuffer)) return this.close() // the wire has no text
    const bytes = new Uint8Array(data)
    if (!this.heard) this.#watch.first(bytes)
    this.heard = true
    if (this.#ended) return
    if (this.#onmessage && !this.#early.length) return this.#onmessage(bytes)
    this.#early.push(bytes)
    if ((this.#earlyBytes += bytes.length) > maxEarly) this.close()
  }

  #flush(): void {
    const bytes = this.#early[0]
    if (!bytes || !this.#onmessage) return
    try {
      this.#onmessage(bytes)
    } finally {
      // Gone only now, so that nothing overtakes it while it is handed on.
      this.#early.shift()
      this.#earlyBytes -= bytes.length
      if (this.#early.length) queueMicrotask(() => this.#flush())
    }
  }
}
