import { base } from './settings.ts'

/** Why something came over HTTP; the server knows these names. */
export type Cause = 'alone' | 'view' | 'deadline' | 'late' | 'stale' | 'failed'

/** Milliseconds between beacons: the first ones come soon, for a site that was just started learns with its first visitors. */
const first = 2_000
const growth = 4
const each = 30_000

/** What happened here, told to the site now and then: numbers only, and nothing about who or which. */
class Figures {
  peers = 0
  http = 0
  kept = 0
  sent = 0
  liars = 0
  stalls = 0
  links = 0
  causes: Partial<Record<Cause, number>> = {}
  /** Told which version the site has, whenever that is learnt. */
  onversion: ((version: string) => void) | undefined

  constructor() {
    const tell = (after: number): unknown => setTimeout(() => {
      void this.#tell(false)
      tell(Math.min(each, after * growth))
    }, after)
    tell(first)
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && void this.#tell(true))
  }

  because(cause: Cause, times = 1): void {
    this.causes[cause] = (this.causes[cause] ?? 0) + times
  }

  async #tell(leaving: boolean): Promise<void> {
    const body = JSON.stringify(this)
    if (leaving && !(this.peers + this.http + this.kept + this.sent)) return
    this.peers = this.http = this.kept = this.sent = this.liars = this.stalls = 0
    this.causes = {}
    try {
      if (leaving) navigator.sendBeacon(`${base}beacon`, body)
      else {
        const response = await fetch(`${base}beacon`, { method: 'POST', body, credentials: 'omit' })
        if (response.ok) this.onversion?.(await response.text())
      }
    } catch {
      // They are only figures.
    }
  }
}

export const figures = new Figures()
