/** A limit in bytes per second: a bucket that holds one second's worth and may go into debt by one block. */
export class Limit {
  readonly #rate: number
  #left: number
  #at = 0

  /** Nothing, zero or less: no limit. */
  constructor(rate = 0) {
    this.#rate = this.#left = rate
  }

  /** False: not now. */
  take(bytes: number, now: number): boolean {
    if (!(this.#rate > 0)) return true
    this.#left = Math.min(this.#rate, this.#left + ((now - this.#at) * this.#rate) / 1000)
    this.#at = now
    if (this.#left <= 0) return false
    this.#left -= bytes
    return true
  }

  /** What was taken did not come about. */
  give(bytes: number): void {
    this.#left += bytes
  }
}

/** Memory that all torrents of a node share for pieces that are not yet on disk. */
export class Budget {
  readonly #limit: number
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Something larger than the whole budget gets through when nothing else is there; force always does. */
  take(bytes: number, force = false): boolean {
    if (this.#used && this.#used + bytes > this.#limit && !force) return false
    this.#used += bytes
    return true
  }

  give(bytes: number): void {
    this.#used -= bytes
  }

  get full(): boolean {
    return this.#used * 2 > this.#limit
  }
}
