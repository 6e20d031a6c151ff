import type { Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import type { PeerState } from '../engine/types.ts'
import { sending, type Sending } from './standing.ts'

/** Who has come to have what is shared from here: told of change when that may be different. */
export class Audience extends Emitter<{ change: void }> {
  /** By infohash: the peers that were seen to have all of it. */
  readonly #had = new Map<string, Set<string>>()
  readonly #torrents = new Set<Torrent>()

  /** Begins to watch it, once; returns it. */
  watch(torrent: Torrent): Torrent {
    if (this.#torrents.has(torrent)) return torrent
    this.#torrents.add(torrent)
    const seen = ({ id, kind, progress }: PeerState) => {
      if (progress < 1 || kind === 'webseed') return
      const had = this.#had.get(torrent.infoHash) ?? new Set()
      this.#had.set(torrent.infoHash, had.add(id))
    }
    const tell = () => this.emit('change', undefined)
    torrent.on('peer', (peer) => (seen(peer), tell()))
    torrent.on('progress', ({ peers }) => (peers.forEach(seen), tell()))
    return torrent
  }

  /** It was removed. */
  drop(torrent: Torrent): void {
    this.#torrents.delete(torrent)
  }

  status(torrent: Torrent): Sending {
    return sending(torrent.state, this.#had.get(torrent.infoHash)?.size ?? 0)
  }

  /** Somebody is fetching something that nobody else has. */
  get busy(): boolean {
    return [...this.#torrents].some(
      (torrent) => torrent.state.peers.some((peer) => peer.progress < 1) && !this.status(torrent).safe,
    )
  }
}
