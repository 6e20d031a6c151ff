import type { Bytes } from '../bytes.ts'
import { cardRev, maxPacked } from '../seal/packed.ts'
import type { Card } from '../types.ts'
import type { CardHost } from './card-desk.ts'
import { Later } from './lazy.ts'
import type { Peer } from './peer.ts'

/** Cards that wait until it is known whose signature they need. */
const maxWaiting = 60

/** A torrent's card (docs/protocol.md, "Cards"): those that come wait here for the desk, which reads and writes them. */
export class Cards {
  readonly #host: CardHost
  /** The last of each peer. Who sent it may be gone by the time it can be read. */
  readonly #waiting = new Map<Peer, Bytes>()
  readonly #desk = new Later(({ CardDesk }) => new CardDesk(this.#host, this.#waiting))

  constructor(host: CardHost) {
    this.#host = host
  }

  /** It changed a short time ago: peers that need no data are to hear of it as well. */
  get spreading(): boolean {
    return !!this.#desk.it?.spreading
  }

  receive(peer: Peer, packed: Bytes): void {
    if (packed.length > maxPacked) return peer.ban()
    const { card } = this.#host.entry
    if ((card && cardRev(packed) <= cardRev(card.packed)) || this.#waiting.size >= maxWaiting) return
    this.#waiting.set(peer, packed.slice())
    this.read()
  }

  /** Reads those that wait, if it is known by now who may sign them. */
  read(): void {
    if (!this.#waiting.size || !this.#host.content?.author) return
    this.#desk.retry()
    // Where that cannot be loaded, they wait until the next one comes.
    void this.#desk.get().then((desk) => desk.read(), () => {})
  }

  /** Throws 'unsupported' where this node may not sign. */
  async set(card: Card): Promise<void> {
    this.#desk.retry()
    await (await this.#desk.get()).set(card)
  }
}
