import { random, toHex, type Bytes } from '../bytes.ts'
import type { OfferDesk } from '../link/host.ts'
import { Tracker, type Socket } from './tracker.ts'
import type { Announcing, Rendezvous, Standing } from './types.ts'

/**
 * Rendezvous: how peers find one another, by WebTorrent trackers.
 *
 *   Announcing ──add, wake──▶ TrackerRendezvous ──one per URL──▶ Tracker ◀──WebSocket──▶ tracker
 *                                                                   │ messages.ts: JSON in and out
 *                   OfferDesk ◀──offers, release, answered, offered─┘
 *
 * Who lacks data announces with offers from the desk; the tracker hands each to another peer, and the answer comes
 * back. Who has all announces without, and answers. So a peer that finds nobody comes back often: a seeder that
 * arrives later will not call. When, and with how many offers, is in tracker.ts.
 */

/** What it is made with. */
export interface TrackerRendezvousOptions {
  peerId: Bytes
  desk: OfferDesk
  /** Makes a WebSocket; tests give their own. */
  socket?: (url: string) => Socket
}

/** Trackers used of those that a torrent names. */
const maxTrackers = 8

/** All trackers of a node: one WebSocket for each URL, whatever the number of torrents. destroy closes them. */
export class TrackerRendezvous implements Rendezvous {
  onchange: ((infoHash: string) => void) | undefined
  readonly #options: TrackerRendezvousOptions
  readonly #trackers = new Map<string, Tracker>()
  readonly #retry = ({ type }: Event) => {
    // A hidden page goes on sharing, so a network that is there again is for it, too.
    const online = type === 'online'
    if (online || !document.hidden) for (const tracker of this.#trackers.values()) tracker.retry(online)
  }

  constructor(options: TrackerRendezvousOptions) {
    this.#options = options
    globalThis.addEventListener?.('online', this.#retry)
    globalThis.document?.addEventListener('visibilitychange', this.#retry)
  }

  add(torrent: Announcing): void {
    const urls = torrent.trackers.filter((url) => /^wss?:\/\//i.test(url)).slice(0, maxTrackers)
    for (const url of urls) {
      const tracker = this.#trackers.get(url) ?? this.#tracker(url)
      this.#trackers.set(url, tracker)
      tracker.add(torrent, urls.length)
    }
  }

  completed(infoHash: string): void {
    for (const tracker of this.#trackers.values()) tracker.completed(infoHash)
  }

  wake(infoHash: string): void {
    for (const tracker of this.#trackers.values()) tracker.wake(infoHash)
  }

  remove(infoHash: string): void {
    for (const [url, tracker] of this.#trackers) {
      tracker.remove(infoHash)
      if (!tracker.idle) continue
      void tracker.close()
      this.#trackers.delete(url)
    }
  }

  trackers(infoHash: string): Standing[] {
    const states = [...this.#trackers.values()].map((tracker) => tracker.state(infoHash))
    return states.filter((state) => state !== undefined)
  }

  async destroy(): Promise<void> {
    globalThis.removeEventListener?.('online', this.#retry)
    globalThis.document?.removeEventListener('visibilitychange', this.#retry)
    const closing = [...this.#trackers.values()].map((tracker) => tracker.close())
    this.#trackers.clear()
    await Promise.all(closing)
  }

  #tracker(url: string): Tracker {
    return new Tracker({
      url,
      key: toHex(random(20)),
      peerId: toHex(this.#options.peerId),
      desk: this.#options.desk,
      socket: this.#options.socket ?? ((address) => new WebSocket(address)),
      onchange: (infoHash) => this.onchange?.(infoHash),
    })
  }
}
