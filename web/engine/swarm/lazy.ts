import { StarlingError } from '../errors.ts'

/** See more.ts. Errors: 'unsupported' where it cannot be loaded; another call tries again. */
export async function more(): Promise<typeof import('./more.ts')> {
  try {
    return await import('./more.ts')
  } catch (cause) {
    throw new StarlingError('unsupported', 'A part of Starling could not be loaded. Go online and try again.', { cause })
  }
}
