/** Modules of their own, for what most torrents do without: they load when they are needed, and once. */
import { unloaded } from '../errors.ts'

type More = typeof import('./more.ts')

/** What it takes to seed, to send, to have a card. See more.ts. Both fail with 'unloaded', and another call tries again. */
export const more = (): Promise<More> => import('./more.ts').catch(unloaded)
/** What it takes to open what is private. */
export const opening = (): Promise<typeof import('../seal/opened.ts')> => import('../seal/opened.ts').catch(unloaded)

/** One thing made of more.ts, when it is first needed. */
export class Later<T> {
  /** Undefined until it is there. */
  it: T | undefined
  readonly #make: (module: More) => T
  #coming: Promise<T> | undefined
  #failed = false

  constructor(make: (module: More) => T) {
    this.#make = make
  }

  /** Rejects where it cannot be loaded, until retry is called. Nobody has to catch that. */
  get(): Promise<T> {
    if (!this.#coming) {
      this.#coming = more().then((module) => (this.it = this.#make(module)))
      this.#coming.catch(() => (this.#failed = true))
    }
    return this.#coming
  }

  retry(): void {
    if (this.#failed) this.#coming = undefined
    this.#failed = false
  }
}
