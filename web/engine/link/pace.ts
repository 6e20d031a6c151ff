import { Speed } from '../speed.ts'

/**
 * Bytes asked for by each connection of a link, beyond what is on the way; and at first. Links at work share them, as most
 * often they come by one line.
 */
const slack = 256 << 10
/** How long a block takes at least, as browsers dawdle, and how much longer than the quickest one the next may, ms. */
const dawdling = 60
const queueing = 25

/** A block that was asked for. */
export interface Requested {
  /** When it was, ms. */
  readonly at: number
  /** Bytes. */
  readonly length: number
}

/** One torrent's peer on the link. */
export interface Asker {
  /** Somebody waits for what it brings. */
  readonly urgent: boolean
  /** Asks for about so many bytes. Whether it would ask for more. */
  ask(room: number, now: number): boolean
}

/**
 * How much is asked for over one link, by all its torrents together: what is on the way, and little more. The rest would
 * only wait before the line, and what overflows there SCTP sends again one packet per round trip (docs/protocol.md, "How
 * much is asked for").
 */
export class Pace {
  /** Connections that blocks come by. */
  ways = 1
  /** Bytes that were asked for and have not come. */
  owed = 0
  readonly #speed = new Speed()
  /** Bytes on the way while it is found out how many there are; then undefined. */
  #growing: number | undefined = 0
  /** Of all blocks, from request to arrival, ms. */
  #quickest = Infinity
  /** Who waits for a turn, longest first. */
  readonly #waiting = new Set<Asker>()
  readonly #working: Set<Pace>

  /** working: those of all links that something comes by, kept by themselves. */
  constructor(working: Set<Pace>) {
    this.#working = working
  }

  /** It asks for more, in its turn; those that are urgent come before the others. */
  request(asker: Asker, now: number): void {
    this.#waiting.add(asker)
    for (const pace of this.#working) if (!pace.owed) this.#working.delete(pace)
    this.#working.add(this)
    const most = this.#most(now)
    // Several at once, as they travel as one message.
    if (this.owed > 0.75 * most) return
    const urgent = [...this.#waiting].filter((one) => one.urgent)
    for (const one of [...urgent, ...this.#waiting]) {
      if (this.owed >= most) return
      if (this.#waiting.delete(one) && one.ask(most - this.owed, now)) this.#waiting.add(one)
    }
  }

  /** What was asked for came. At first more is asked for with each block, until they take longer for it. */
  came({ at, length }: Requested, now: number): void {
    const took = now - at
    this.#speed.add(length, now)
    this.#quickest = Math.min(this.#quickest, took)
    if (this.#growing === undefined) return
    const enough = this.#growing > this.#share / 2 && took > 1.25 * this.#quickest + 10
    this.#growing = enough ? undefined : this.#growing + length / 2
  }

  get #share(): number {
    return (slack * this.ways) / this.#working.size
  }

  #most(now: number): number {
    const onTheWay = (this.#speed.at(now) * Math.max(this.#quickest + queueing, dawdling)) / 1000
    return this.#share + (this.#growing ?? onTheWay)
  }
}
