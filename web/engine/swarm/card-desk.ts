import type { Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { packCard, readCard } from '../seal/card.ts'
import { ahead, cardRev, type CardSeal } from '../seal/packed.ts'
import type { Entry } from '../store/store.ts'
import type { Card } from '../types.ts'
import type { Content } from './content.ts'
import type { PeerNode } from './host.ts'
import type { Peer } from './peer.ts'

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

/** How long links are asked to carry a torrent that is whole, for the sake of its card, ms. */
const spreadTime = 60_000
/** After one of others' nothing newer is read for this time, ms: each goes on to all peers, whatever the upload limit. */
const rest = 1_000

/** Where a torrent's cards are read and signed; the newest is kept, and passed on. */
export class CardDesk {
  readonly #host: CardHost
  readonly #waiting: Map<Peer, Bytes>
  #reading = false
  #spreadTill = 0

  /** waiting: cards to be read, by who sent them. */
  constructor(host: CardHost, waiting: Map<Peer, Bytes>) {
    this.#host = host
    this.#waiting = waiting
  }

  get spreading(): boolean {
    return this.#spreadTill > this.#host.node.now()
  }

  /** Reads those that wait, one after another: signatures cost time. Whose they must be is known. */
  async read(): Promise<void> {
    const { content, infoHash } = this.#host
    if (this.#reading) return
    this.#reading = true
    for (const [peer, packed] of this.#waiting) {
      this.#waiting.delete(peer)
      if (cardRev(packed) <= this.#rev) continue
      const read = await readCard(packed, { infoHash, author: content!.author!, seal: this.#seal })
      if (!read || read.rev <= this.#rev) continue
      await this.#keep(packed, read.card, peer).catch(() => {})
      await new Promise((resolve) => setTimeout(resolve, rest))
    }
    this.#reading = false
  }

  async set(card: Card): Promise<void> {
    const { entry, infoHash } = this.#host
    if (!entry.cardKey) throw new StarlingError('unsupported', 'Only who shared this first, with a card, can change it.')
    // Later than one that nobody takes, nobody would take it either.
    const before = entry.card && !ahead(entry.card.packed) ? this.#rev : 0
    const rev = Math.max(Date.now(), before + 1)
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
