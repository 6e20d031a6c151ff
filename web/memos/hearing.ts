/** Whether a microphone is heard. A muted one gives zeros for as long as somebody speaks; some give nothing at all. */
import type { Level } from './meter.ts'

/** muted: there is no sound in what comes. nothing: nothing comes. */
export type Unheard = 'muted' | 'nothing'

/** Milliseconds after which the user is told. The quietest room gives more than zeros. */
export const patience = 5000
/** The same once there was a sound: headsets that take noise away give zeros between sentences. */
const patienceBetween = 10_000
/** Milliseconds between chunks, at most: of those that come by themselves. */
const due = 2000
/** Milliseconds in which a microphone that was just switched on may call itself muted. */
const waking = 1000

export class Hearing {
  readonly #track: MediaStreamTrack | undefined
  readonly #now: () => number
  #began = 0
  /** When data came last. */
  #data = 0
  /** The first and the last level of those without any sound. */
  #silent: [from: number, to: number] | undefined
  #patience = patience

  /** now: milliseconds. */
  constructor(track: MediaStreamTrack | undefined, now: () => number) {
    this.#track = track
    this.#now = now
    this.begin()
  }

  /** It records, or goes on recording. */
  begin(): void {
    this.#began = this.#data = this.#now()
    this.#silent = undefined
  }

  level({ peak }: Level): void {
    const now = this.#now()
    if (peak) this.#patience = patienceBetween
    this.#silent = peak ? undefined : [this.#silent?.[0] ?? now, now]
  }

  data(): void {
    this.#data = this.#now()
  }

  /** There should have been data by now. */
  get overdue(): boolean {
    return this.#now() - this.#data >= due
  }

  get unheard(): Unheard | undefined {
    const now = this.#now()
    if (this.#track?.muted && now - this.#began >= waking) return 'muted'
    if (now - this.#data >= patience) return 'nothing'
    const [from, to] = this.#silent ?? [0, 0]
    return to - from >= this.#patience ? 'muted' : undefined
  }
}
