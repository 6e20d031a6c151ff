/** Milliseconds over which speeds are smoothed. */
const span = 8000
/** Nothing is said in the first so many, ms. */
const least = 5000
/** It begins anew where nobody asked for so long, ms, or the speed is so many times what it was, or less. */
const gap = 10_000
const leap = 3
/** What was said is put right at once where it is off by more than this: a share of the time that is left, and ms. */
const slack = { share: 0.25, least: 5000 }

/** How long a transfer still takes, in words that hold still: ask it whenever there are new figures. */
export class Remaining {
  #at = -Infinity
  #began = 0
  /** Smoothed, and by how much others are off it. */
  #speed = 0
  #spread = 0
  /** When it is over, as was said. */
  #end: number | undefined

  /**
   * left: what is still to come, say in bytes; speed: of these per second; now: ms. '' while nobody can tell: in the first
   * seconds, and where the speed is unsteady or nothing moves.
   */
  tell(left: number, speed: number, now = performance.now()): string {
    const elapsed = now - this.#at
    this.#at = now
    if (elapsed > gap || speed > this.#speed * leap || speed * leap < this.#speed) {
      this.#began = now
      this.#speed = speed
      this.#spread = 0
    }
    const age = now - this.#began
    const weight = Math.min(1, elapsed / Math.max(1, Math.min(span, age)))
    this.#spread += (Math.abs(speed - this.#speed) - this.#spread) * weight
    this.#speed += (speed - this.#speed) * weight
    if (age < least || Math.max(this.#spread, this.#speed - speed) >= this.#speed / 2) {
      this.#end = undefined
      return ''
    }
    const wait = (left / this.#speed) * 1000
    const off = now + wait - (this.#end ?? Infinity)
    if (Math.abs(off) > Math.max(slack.share * wait, slack.least)) this.#end = now + wait
    // Slower than time goes by: what is left grows less.
    else this.#end! += Math.max(-elapsed, Math.min(elapsed / 2, off))
    return inWords((this.#end! - now) / 1000)
  }
}

function inWords(seconds: number): string {
  if (seconds < 10) return 'A few seconds left'
  if (seconds < 45) return 'Less than a minute left'
  if (seconds < 90) return 'About a minute left'
  const minutes = Math.round(seconds / 60)
  if (minutes < 10) return `About ${minutes} minutes left`
  const fives = Math.round(seconds / 300) * 5
  if (fives < 60) return `About ${fives} minutes left`
  if (seconds < 5400) return 'About an hour left'
  const hours = Math.round(seconds / 3600)
  return hours < 24 ? `About ${hours} hours left` : 'More than a day left'
}
