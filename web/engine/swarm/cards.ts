import type { Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { cardRev, maxPacked, type CardSeal } from '../seal/packed.ts'
import type { Entry } from '../store/store.ts'
import type { Card } from '../types.ts'
import type { Content } from './content.ts'
import { more } from './lazy.ts'
import type { Peer, PeerNode } from './peer.ts'

/** What cards ask of their torrent. */
export interface CardHost {
  readonly infoHash: string
  readonly entry: Entry
  readonly node: PeerNode
  /** With whose signature cards have to come; undefined until the metadata is here, and opened. */
  readonly content: Content | undefined
  readonly peers: Iterable<Peer>
  /** There is a new one. Resolves when it is on disk. */
  kept(): Promise<void>
}

/** Cards that wait until it is known whose signature they need. */
const maxWaiting = 60
/** How long links are asked to carry a torrent that is whole, for the sake of its card, ms. */
const spreadTime = 60_000

/** A torrent's card (docs/protocol.md, "Cards"): kept, replaced by newer ones, and passed on. */
export class Cards {
  readonly #host: CardHost
  /** The last of each peer. Who sent it may be gone by the time it can be read. */
  readonly #waiting = new Map<Peer, Bytes>()
  #reading = false
  #spreadTill = 0

  constructor(host: CardHost) {
    this.#host = host
  }

  /** It changed a short time ago: peers that need no data are to hear of it as well. */
  get spreading(): boolean {
    return this.#spreadTill > this.#host.node.now()
  }

  receive(peer: Peer, packed: Bytes): void {
    if (packed.length > maxPacked) return peer.ban()
    if (cardRev(packed) <= this.#rev || this.#waiting.size >= maxWaiting) return
    this.#waiting.set(peer, packed.slice())
    void this.read()
  }

  /** Reads those that wait, one after another: signatures cost time. */
  async read(): Promise<void> {
    const { content, infoHash } = this.#host
    if (!content?.author || this.#reading) return
    this.#reading = true
    try {
      for (const [peer, packed] of this.#waiting) {
        const { readCard } = await more()
        this.#waiting.delete(peer)
        if (cardRev(packed) <= this.#rev) continue
        const read = await readCard(packed, { infoHash, author: content.author, seal: this.#seal })
        if (read && read.rev > this.#rev) await this.#keep(packed, read.card, peer).catch(() => {})
      }
    } catch {
      // They wait until the next one comes.
    }
    this.#reading = false
  }

  /** Throws 'unsupported' where this node may not sign. */
  async set(card: Card): Promise<void> {
    const { entry, infoHash } = this.#host
    if (!entry.cardKey) throw new StarlingError('unsupported', 'Only who shared this first, with a card, can change it.')
    const rev = Math.max(Date.now(), this.#rev + 1)
    const { packCard } = await more()
    const packed = await packCard(card, { infoHash, privateKey: entry.cardKey, rev, seal: this.#seal })
    await this.#keep(packed, card)
  }

  get #rev(): number {
    const { card } = this.#host.entry
    return card ? cardRev(card.packed) : 0
  }

  get #seal(): CardSeal | undefined {
    const { entry: { key }, content } = this.#host
    const salt = content?.salt
    return key && salt && { key, salt }
  }

  async #keep(packed: Bytes, value: Card, from?: Peer): Promise<void> {
    const { entry, node, peers } = this.#host
    entry.card = { packed, value }
    this.#spreadTill = node.now() + spreadTime
    for (const peer of peers) if (peer !== from) peer.wire.extended('sl_card', packed)
    await this.#host.kept()
  }
}
