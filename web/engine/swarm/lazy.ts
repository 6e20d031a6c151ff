/** Modules of their own, for what most torrents do without: they load when they are needed, and once. */
import { StarlingError } from '../errors.ts'

/** What it takes to seed, to send, to have a card. See more.ts. */
export const more = (): Promise<typeof import('./more.ts')> => loaded(import('./more.ts'))
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
