import type { Entry } from '../store/store.ts'
import { makeLink } from '../torrent/link.ts'
import { makeMagnet } from '../torrent/magnet.ts'
import type { TorrentState } from '../types.ts'

type Words = Pick<TorrentState, 'magnetURI' | 'link'>

/** A torrent's magnet and link: states are told often, so they are made anew only where what they say has changed. */
export class Invitation {
  #words: Words | undefined
  #said: readonly unknown[] = []

  /** Lists of the entry are compared by identity: whoever adds to them makes new ones. */
  words(base: string, { infoHash, key, trackers, webSeeds }: Entry, name = ''): Words {
    const says = [base, name, key, trackers, webSeeds]
    if (!this.#words || says.some((part, i) => part !== this.#said[i])) {
      this.#said = says
      this.#words = {
        magnetURI: makeMagnet({ infoHash, name, trackers, webSeeds }),
        link: makeLink(base, { infoHash, key, trackers, webSeeds }),
      }
    }
    return this.#words
  }
}
