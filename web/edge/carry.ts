import { Carrier } from './carrier.ts'

export { figures } from './figures.ts'

/** One of each, for the page. */
export const carrier = new Carrier()

/** Loaded with the first audio or video. */
export const media = {
  ready: async (player: HTMLMediaElement, urls: string[]) => (await import('./media.ts')).media(carrier).ready(player, urls),
  all: async (page: { shows(url: string): boolean }) => (await import('./media.ts')).media(carrier).all(page),
}
