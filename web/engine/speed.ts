const span = 3000
/** Shorter than this, a burst tells nothing of the speed. */
const least = 250

/** Bytes per second over the last few seconds, without a timer: what was counted fades as time goes by. Times in ms. */
export class Speed {
  /** Bytes, since ever. */
  total = 0
  #bytes = 0
  #since = 0
  #at = 0

  add(bytes: number, now: number): void {
    this.#fade(now)
    if (this.#bytes < 1) this.#since = now
    this.#bytes += bytes
    this.total += bytes
  }

  at(now: number): number {
    this.#fade(now)
    if (this.#bytes < 1) return 0
    const counted = span * (1 - Math.exp(-Math.max(now - this.#since, least) / span))
    return Math.round((this.#bytes * 1000) / counted)
  }

  #fade(now: number): void {
    this.#bytes *= Math.exp((this.#at - now) / span)
    this.#at = now
  }
}
