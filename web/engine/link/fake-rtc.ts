/**
 * For tests: RTCPeerConnections in memory. Descriptions find their other end by a name in the SDP; messages and state
 * changes arrive a microtask later, in order. Chromium's limit of data channel ids holds, and an id comes back only
 * when both ends have closed.
 */
const maxIds = 1024
/**
 * What may befall a channel: "unopened" never reaches the other end; "unheard" loses what this end says; "confused" is
 * called open at the other end, and then connecting for good, as Chromium does now and then.
 */
export type Fault = 'unopened' | 'unheard' | 'confused'

const connections = new Map<string, FakeConnection>()
let named = 0

export class FakeChannel {
  readonly label: string
  readonly protocol: string
  binaryType = 'blob'
  readyState: RTCDataChannelState = 'connecting'
  bufferedAmount = 0
  bufferedAmountLowThreshold = 0
  onopen: (() => void) | null = null
  onclose: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onbufferedamountlow: (() => void) | null = null
  /** What was sent, for tests that look. */
  sent = 0
  other: FakeChannel | undefined
  readonly #owner: FakeConnection

  constructor(owner: FakeConnection, label: string, protocol: string) {
    this.#owner = owner
    this.label = label
    this.protocol = protocol
  }

  send(data: string | Uint8Array): void {
    if (this.readyState !== 'open') throw new Error('not open')
    if (typeof data !== 'string' && data.length > (this.#owner.sctp!.maxMessageSize || Infinity)) throw new Error('too long')
    this.sent++
    const message = typeof data === 'string' ? data : data.slice().buffer
    const other = this.other
    queueMicrotask(() => {
      if (other && other.readyState !== 'closed') other.onmessage?.({ data: message })
    })
  }

  opened(): void {
    if (this.readyState !== 'connecting') return
    this.readyState = 'open'
    this.onopen?.()
  }

  /** Closes at once on this end; the event comes when the other end has closed, too. */
  close(): void {
    if (this.readyState === 'closing' || this.readyState === 'closed') return
    this.readyState = 'closing'
    const { other } = this
    queueMicrotask(() => {
      other?.gone()
      this.gone()
    })
  }

  gone(): void {
    if (this.readyState === 'closed') return
    this.readyState = 'closed'
    this.#owner.ids--
    this.onclose?.()
  }
}

export class FakeConnection {
  static made = 0
  iceGatheringState: RTCIceGatheringState = 'new'
  connectionState: RTCPeerConnectionState = 'new'
  localDescription: RTCSessionDescriptionInit | null = null
  sctp: { maxMessageSize: number; transport: { state: string; onstatechange: (() => void) | null } } | null = null
  onicecandidate: ((event: { candidate: { candidate: string } | null }) => void) | null = null
  onicegatheringstatechange: (() => void) | null = null
  onconnectionstatechange: (() => void) | null = null
  ondatachannel: ((event: { channel: FakeChannel }) => void) | null = null
  readonly name = `fake-${named++}`
  readonly channels: FakeChannel[] = []
  configuration: RTCConfiguration | undefined
  ids = 0
  /** Of the next channels opened at this end, in turn. */
  faults: (Fault | undefined)[] = []
  other: FakeConnection | undefined
  readonly #gather: FakeOptions['gather']
  readonly #reachable: boolean
  readonly #maxMessage: number

  constructor({ gather = 'complete', reachable = true, maxMessage = 256 << 10 }: FakeOptions = {}) {
    this.#maxMessage = maxMessage
    this.#gather = gather
    this.#reachable = reachable
    connections.set(this.name, this)
  }

  setConfiguration(configuration: RTCConfiguration): void {
    if (this.localDescription) throw new Error('too late')
    this.configuration = configuration
  }

  createDataChannel(label: string, { protocol = '' }: RTCDataChannelInit = {}): FakeChannel {
    if (this.connectionState === 'closed') throw new Error('closed')
    if (++this.ids > maxIds) throw new Error('out of ids')
    const channel = new FakeChannel(this, label, protocol)
    this.channels.push(channel)
    if (this.connectionState === 'connected') queueMicrotask(() => this.#announce(channel))
    return channel
  }

  async createOffer(): Promise<RTCSessionDescriptionInit> {
    return { type: 'offer', sdp: fakeSdp(this.name) }
  }

  async createAnswer(): Promise<RTCSessionDescriptionInit> {
    return { type: 'answer', sdp: fakeSdp(this.name) }
  }

  async setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    this.localDescription = description
    if (this.#gather === 'complete') this.finish()
  }

  candidate(type: string): void {
    this.onicecandidate?.({ candidate: { candidate: `candidate:1 1 udp 1 192.0.2.1 1 typ ${type}` } })
  }

  finish(): void {
    this.iceGatheringState = 'complete'
    this.onicegatheringstatechange?.()
  }

  async setRemoteDescription({ type, sdp }: RTCSessionDescriptionInit): Promise<void> {
    if (this.connectionState === 'closed') throw new Error('closed')
    this.other = connections.get(/fake-\d+/.exec(sdp ?? '')?.[0] ?? '')
    if (!this.other) throw new Error('bad sdp')
    if (type === 'answer' && this.other.other === this && this.#reachable) queueMicrotask(() => this.#join())
  }

  async getStats(): Promise<Map<string, object>> {
    return new Map<string, object>([
      ['T', { id: 'T', selectedCandidatePairId: 'P' }],
      ['P', { id: 'P', localCandidateId: 'L', remoteCandidateId: 'R' }],
      ['L', { id: 'L', candidateType: 'host' }],
      ['R', { id: 'R', candidateType: 'srflx' }],
    ])
  }

  close(): void {
    if (this.connectionState === 'closed') return
    this.connectionState = 'closed'
    for (const channel of this.channels) channel.readyState = 'closed'
    queueMicrotask(() => this.other?.lost('closed'))
  }

  /** The other end went away: by its word (closed), or silently (failed, disconnected). */
  lost(state: RTCPeerConnectionState): void {
    if (this.connectionState === 'closed') return
    if (state === 'closed') {
      for (const channel of this.channels) channel.gone()
      if (!this.sctp) return
      this.sctp.transport.state = 'closed'
      this.sctp.transport.onstatechange?.()
    } else {
      this.connectionState = state
      this.onconnectionstatechange?.()
    }
  }

  #join(): void {
    const { other } = this
    if (!other || this.connectionState === 'closed' || other.connectionState === 'closed') return
    for (const end of [this, other]) {
      end.connectionState = 'connected'
      end.sctp = { maxMessageSize: end.#maxMessage, transport: { state: 'connected', onstatechange: null } }
      end.onconnectionstatechange?.()
    }
    for (const end of [this, other]) for (const channel of end.channels) end.#announce(channel)
  }

  #announce(channel: FakeChannel): void {
    const { other } = this
    if (!other || channel.other || channel.readyState !== 'connecting' || other.connectionState === 'closed') return
    const fault = this.faults.shift()
    if (fault === 'unopened') return
    if (++other.ids > maxIds) throw new Error('out of ids')
    const twin = new FakeChannel(other, channel.label, channel.protocol)
    twin.other = channel
    if (fault !== 'unheard') channel.other = twin
    other.channels.push(twin)
    twin.readyState = 'open'
    other.ondatachannel?.({ channel: twin })
    if (fault === 'confused') twin.readyState = 'connecting'
    channel.opened()
  }
}

export interface FakeOptions {
  /** When gathering is over: at once, or when the test says. */
  gather?: 'complete' | 'manual'
  /** Whether a connection comes about when both descriptions are there. */
  reachable?: boolean
  /** The longest message that the other end takes, by its word. */
  maxMessage?: number
}

export function fakeSdp(name: string): string {
  return `v=0\r\no=${name} 1 1 IN IP4 0.0.0.0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n`
}

/** A factory for Links. */
export function fakeConnection(options?: FakeOptions): () => RTCPeerConnection {
  return () => new FakeConnection(options) as unknown as RTCPeerConnection
}
