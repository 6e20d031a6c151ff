import { Carrier } from './carrier.ts'

/** One of each, for the page. */
export const carrier = new Carrier()

/** Loaded with the first audio or video. */
export const media = async () => (await import('./media.ts')).media(carrier)

/** What carries, once it is loaded. */
export interface Carry {
  carrier: typeof carrier
  media: typeof media
}
