import { clock } from '../clock.ts'

/** A token bucket: allows size at once and rate per second. */
export class Bucket {
  readonly #size: number
  readonly #rate: number
  #level: number
  #at = clock()

  constructor(size: number, rate: number) {
    this.#level = this.#size = size
    this.#rate = rate
  }

  /** Takes cost, if it is there. */
  take(cost: number): boolean {
    return this.wait(cost) === 0 && ((this.#level -= cost), true)
  }

  /** Milliseconds until cost is there. */
  wait(cost: number): number {
    const now = clock()
    this.#level = Math.min(this.#size, this.#level + ((now - this.#at) / 1000) * this.#rate)
    this.#at = now
    return Math.max(0, Math.ceil(((cost - this.#level) / this.#rate) * 1000))
  }
}
