import type { Channel } from './channel.ts'

/** What links ask of the node that owns them. Infohashes are 40 hex digits. */
export interface LinkHost {
  /** Every torrent here, whole or not: what a peer may open a channel for. */
  known(): Iterable<string>
  /** Those that lack data and would take another peer, most urgent first. */
  lacking(): Iterable<string>
  /**
   * A new channel. With infoHash, this side opened it (or made the offer) for that torrent and handshakes first;
   * without, the other side's handshake will tell.
   */
  channel(channel: Channel, infoHash?: string): void
  /** A link attempt for this torrent failed or timed out. */
  failed(infoHash: string): void
}

/** An offer that waits for its answer. */
export interface Offer {
  /** 20 bytes as a binary string. */
  readonly id: string
  readonly sdp: string
}

/** What rendezvous asks of the links: it carries offers and answers, and knows no RTCPeerConnection. */
export interface OfferDesk {
  /**
   * Up to count offers for one torrent, gathered and ready to announce; fewer, or none, where the budget of pending
   * offers is spent. Each must come back through release, or be answered; else it expires by itself.
   * others: how many peers there are in all, where one tracker knows them all; none is made where links reach as many.
   */
  offers(infoHash: string, count: number, others?: number): Promise<Offer[]>
  /**
   * These were not relayed to anybody (the swarm is smaller): they may be used for another torrent. spoiled: they may have
   * been, and the answers are lost; whoever answered one would wait on it in vain, and take no other.
   */
  release(offerIds: readonly string[], spoiled?: boolean): void
  /** An answer to one of ours. Unknown ids are ignored. */
  answered(infoHash: string, peerId: string, offerId: string, sdp: string): void
  /** Somebody's offer: the answer to send back, or undefined where we decline (known link, full, banned, bad SDP). */
  offered(infoHash: string, peerId: string, sdp: string): Promise<string | undefined>
}
