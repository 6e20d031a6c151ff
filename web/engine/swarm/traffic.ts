import { Speed } from '../speed.ts'

/** What a torrent has sent and got, payload only, and how fast. Times in ms. */
export class Traffic {
  /** Bytes. */
  received = 0
  sent = 0
  /** When something came last. */
  fedAt = 0
  readonly #down = new Speed()
  readonly #up = new Speed()
  #moving = false

  receive(bytes: number, now: number): void {
    this.received += bytes
    this.#down.add(bytes, (this.fedAt = now))
    this.#moving = true
  }

  send(bytes: number, now: number): void {
    this.sent += bytes
    this.#up.add(bytes, now)
    this.#moving = true
  }

  /** Bytes per second. */
  speeds(now: number): { downloadSpeed: number; uploadSpeed: number } {
    return { downloadSpeed: this.#down.at(now), uploadSpeed: this.#up.at(now) }
  }

  /** Whether its speeds may be others than when this was asked before. */
  moved(now: number): boolean {
    if (!this.#moving) return false
    const { downloadSpeed, uploadSpeed } = this.speeds(now)
    this.#moving = downloadSpeed + uploadSpeed > 0
    return true
  }
}
