import type { Bytes } from './bytes.ts'
import type { IceServers } from './home.ts'
import type { LinkHost, OfferDesk } from './link/host.ts'
import { Links } from './link/links.ts'
import { route } from './link/route.ts'
import { TrackerRendezvous } from './rendezvous/tracker-rendezvous.ts'
import type { Rendezvous } from './rendezvous/types.ts'

/** What a node asks of the network; tests bring their own. */
export interface Network {
  readonly links: Pick<Links, 'refresh' | 'forget' | 'stats' | 'withdraw' | 'destroy'>
  readonly rendezvous: Rendezvous
  /** Ends all links, and what is offered. Those that follow go by any way, or through a relay alone. */
  relink(relayOnly: boolean): void
}

export interface NetworkOptions {
  iceServers: IceServers
  maxLinks?: number
  relayOnly?: boolean
}

/** Links, and the rendezvous that brings their offers and answers. known: when it is known of a torrent whether it is paused. */
export function network(
  peerId: Bytes, host: LinkHost, { iceServers, maxLinks = 55, relayOnly }: NetworkOptions,
  tried: (infoHash: string) => void, known: (infoHash: string) => Promise<void>,
): Network {
  const make = (relayOnly?: boolean) => {
    const iceTransportPolicy = relayOnly ? 'relay' : 'all'
    const configuration = async () => ({ iceServers: await iceServers().catch(() => []), iceTransportPolicy }) as const
    return new Links({ peerId, host, configuration, maxLinks, route })
  }
  let links = make(relayOnly)
  const desk: OfferDesk = {
    // They are made meanwhile, so that nothing is announced later.
    offers: async (infoHash, count, others) => (await Promise.all([links.offers(infoHash, count, others), known(infoHash)]))[0],
    release: (offerIds, spoiled) => links.release(offerIds, spoiled),
    answered(infoHash, from, offerId, sdp) {
      tried(infoHash)
      links.answered(infoHash, from, offerId, sdp)
    },
    async offered(infoHash, from, sdp) {
      const answer = await links.offered(infoHash, from, sdp)
      if (answer) tried(infoHash)
      return answer
    },
  }
  return {
    get links() {
      return links
    },
    rendezvous: new TrackerRendezvous({ peerId, desk }),
    relink(relayOnly) {
      const before = links
      links = make(relayOnly)
      // Whatever is still being made is closed with it, however it was to go.
      before.destroy()
    },
  }
}
