/** Modules of their own, for what most torrents do without: they load when they are needed, and once. */
import { StarlingError } from '../errors.ts'

type More = typeof import('./more.ts')

/** What it takes to seed, to send, to have a card. See more.ts. */
export const more = (): Promise<More> => loaded(import('./more.ts'))
/** What it takes to open what is private. */
export const opening = (): Promise<typeof import('../seal/opened.ts')> => loaded(import('../seal/opened.ts'))

/** Errors: 'unsupported' where it cannot be loaded; another call tries again. */
async function loaded<T>(module: Promise<T>): Promise<T> {
  try {
    return await module
  } catch (cause) {
    throw new StarlingError('unsupported', 'A part of Starling could not be loaded. Go online and try again.', { cause })
  }
}

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
