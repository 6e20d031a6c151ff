import type { Bytes } from '../bytes.ts'
import type { Pace } from './pace.ts'

/**
 * One torrent's peer wire on a link: ordered, reliable bytes. Message boundaries mean nothing to the receiver,
 * so that any WebTorrent peer can be at the other end.
 */
export interface Channel {
  /** True where this side opened it: it then sends the BEP 3 handshake first. */
  readonly outgoing: boolean
  /** The link it runs on. */
  readonly link: LinkInfo
  readonly open: boolean
  /** Bytes handed to send and not yet on their way. */
  readonly bufferedAmount: number
  /** Longest message that may be sent at once, bytes (RFC 8841 max-message-size, at most 256 KiB). */
  readonly maxMessage: number

  /** Sends at once or throws; the caller minds bufferedAmount. The bytes may be reused after the call. */
  send(data: Bytes): void
  /** Idempotent; onclose follows unless it was called already. */
  close(): void

  /** Called once when it opens; when it is open already, never. */
  onopen: (() => void) | undefined
  onmessage: ((data: Bytes) => void) | undefined
  /** bufferedAmount fell to lowWater or below. */
  ondrain: (() => void) | undefined
  onclose: (() => void) | undefined
}

/** A channel is full above highWater bytes buffered and worth filling again below lowWater. */
export const highWater = 1 << 20
export const lowWater = 256 << 10

/** What the parts above may know of a link. */
export interface LinkInfo {
  /** The other end's peer_id as the tracker told it, 40 hex digits. */
  readonly peerId: string
  /** Whether this side made the offer. */
  readonly initiator: boolean
  /** Whether the way goes through a TURN server; 'unknown' until the browser says. */
  readonly kind: 'direct' | 'relayed' | 'unknown'
  /** How much is asked for over it. */
  readonly pace: Pace
  /** Closes the link with all its channels; ban keeps its peer_id out for a while, see Links. */
  close(options?: { ban?: boolean }): void
  /**
   * The peer named the extension in its BEP 10 handshake on a channel of this link (docs/protocol.md, "One link,
   * many torrents"). Called by the wire's owner, at most once has an effect.
   */
  extended(): void
}
