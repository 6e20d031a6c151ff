/** What the choker knows of a peer. */
export interface Chokable {
  /** It wants something of us. */
  readonly interested: boolean
  /** We do not serve it. */
  readonly choking: boolean
  choke(on: boolean): void
  /** Who gives more to us, or when seeding takes more from us, is served first. */
  score(now: number): number
}

const slots = 8
const rounds = 3

/**
 * Decides whom to serve. Every ten seconds the best by score get the slots, and one more gets a chance whatever its
 * score; that one changes every third round. While slots are free, whoever becomes interested is served at once.
 */
export class Choker<P extends Chokable> {
  #round = 0
  #lucky: P | undefined

  /** Every ten seconds. */
  round(peers: Iterable<P>, now: number): void {
    const all = [...peers]
    const wanting = all.filter((peer) => peer.interested)
    const scores = new Map(wanting.map((peer) => [peer, peer.score(now)]))
    wanting.sort((a, b) => scores.get(b)! - scores.get(a)!)
    const served = new Set(wanting.slice(0, slots))
    const rest = wanting.slice(slots)
    if (this.#round++ % rounds === 0 || !this.#lucky || !rest.includes(this.#lucky)) {
      this.#lucky = rest[Math.floor(Math.random() * rest.length)]
    }
    if (this.#lucky) served.add(this.#lucky)
    for (const peer of all) if (peer.choking === served.has(peer)) peer.choke(!served.has(peer))
  }

  /** A peer became interested, or one left. */
  fill(peers: Iterable<P>): void {
    const wanting = [...peers].filter((peer) => peer.interested)
    let free = slots + 1 - wanting.filter((peer) => !peer.choking).length
    for (const peer of wanting) if (peer.choking && free-- > 0) peer.choke(false)
  }
}
