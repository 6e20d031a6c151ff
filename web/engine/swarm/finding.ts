import type { PeerNode, SwarmHost } from './host.ts'
import type { Traffic } from './traffic.ts'

/** What the search for peers asks of its torrent. */
export interface Seeker {
  readonly infoHash: string
  readonly node: Pick<SwarmHost, 'trackerStates'> & Pick<PeerNode, 'now'>
  readonly traffic: Traffic
  /** More is to be fetched; right now, and not only when somebody asks for it. */
  readonly fetching: boolean
  readonly eager: boolean
  /** How many peers it has. */
  readonly company: number
}

/** Peers it looks for. */
const desired = 10
/** Peers that gave nothing for so long are no reason not to look for others, ms. */
const hungryAfter = 10_000
/** A link that did not come about by then will not, ms. */
const attemptTime = 30_000

/** Whether a torrent looks for peers, and how that goes. */
export class Finding {
  /** Links that were begun, and those of them that failed. */
  tried = 0
  failed = 0
  readonly #seeker: Seeker
  /** Attempts under way, and when the last began. */
  #attempts = 0
  #attemptAt = 0
  #hungry = false

  constructor(seeker: Seeker) {
    this.#seeker = seeker
  }

  /** It would take another peer. */
  get lacking(): boolean {
    return this.#seeker.fetching && this.#seeker.company < desired
  }

  /** It lacks data, and nobody gives any. */
  get stalled(): boolean {
    const { fetching, company, eager, traffic, node } = this.#seeker
    if (!fetching || !company) return fetching
    return eager && node.now() - traffic.fedAt > hungryAfter
  }

  /** Peers it would take now, of as many as its trackers know of. */
  get wanted(): number {
    const { infoHash, company, node } = this.#seeker
    const lacks = this.lacking ? desired - company : 0
    // Counts lag: somebody may have come.
    if (!lacks || this.stalled) return lacks
    const others = node.trackerStates(infoHash).map(({ seeders, leechers }) => (seeders ?? desired) + (leechers ?? 1) - 1)
    return Math.min(desired, Math.max(0, ...others)) > company ? lacks : 0
  }

  /** A link is being made. */
  get connecting(): boolean {
    return this.#attempts > 0
  }

  /** A link is being made, or has failed. */
  linking(failed: boolean): void {
    if (failed) this.failed++
    else this.tried++
    this.#attempt(failed ? -1 : 1)
    this.#attemptAt = this.#seeker.node.now()
  }

  /** A peer came, most likely over one of them. */
  found(): void {
    this.#attempt(-1)
  }

  /** Those under way have had their time: true where there were any. */
  expire(now: number): boolean {
    if (!this.#attempts || now - this.#attemptAt <= attemptTime) return false
    this.#attempts = 0
    return true
  }

  /** It has just become stalled. */
  starves(): boolean {
    const before = this.#hungry
    this.#hungry = this.stalled
    return this.#hungry && !before
  }

  #attempt(by: number): void {
    this.#attempts = Math.max(0, this.#attempts + by)
  }
}
