import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import type { PeerState } from '../engine/types.ts'
import { reach } from './reach.ts'
import { Remaining } from './remaining.ts'
import { sending, type Sending } from './standing.ts'

/** Of one torrent. */
interface Had {
  /** Peers of now: bytes that had been given away when each was first seen; Infinity where it came with all of it. */
  met: Map<string, number>
  /** Those of them who have all of it. */
  whole: Set<string>
  /** Everybody who came to have all of it while something was given away. */
  fetched: Set<string>
  /** Most that had all of it at the same time. */
  most: number
  remaining: Remaining
}

/** Who has come to have what is shared from here: told of change when that may be different. */
export class Audience extends Emitter<{ change: void }> {
  /** By infohash. */
  readonly #had = new Map<string, Had>()
  readonly #torrents = new Set<Torrent>()
  readonly #node: () => Promise<Starling>
  #listening = false

  constructor(node: () => Promise<Starling>) {
    super()
    this.#node = node
  }

  /** Begins to watch it, once; returns it. */
  watch(torrent: Torrent): Torrent {
    if (this.#torrents.has(torrent)) return torrent
    this.#torrents.add(torrent)
    if (!this.#listening) void this.#node().then((node) => node.on('remove', (gone) => this.#drop(gone)))
    this.#listening = true
    const had = this.#had.get(torrent.infoHash) ?? nobody()
    this.#had.set(torrent.infoHash, had)
    torrent.on('peer', (peer) => {
      see(had, peer, torrent.state.uploaded)
      this.emit('change', undefined)
    })
    torrent.on('progress', ({ peers, uploaded }) => {
      for (const peer of peers) see(had, peer, uploaded)
      settle(had, peers, uploaded)
      this.emit('change', undefined)
    })
    return torrent
  }

  /** It was removed, here or in another tab: whoever was fetching it is not any more. */
  #drop(torrent: Torrent): void {
    if (this.#torrents.delete(torrent)) this.emit('change', undefined)
  }

  status(torrent: Torrent): Sending {
    const { fetched, most, remaining } = this.#had.get(torrent.infoHash)!
    return sending(torrent.state, Math.max(fetched.size, most), reach(), remaining)
  }

  /** Somebody is fetching something that nobody else has. */
  get busy(): boolean {
    return [...this.#torrents].some(
      (torrent) => torrent.state.peers.some((peer) => peer.progress < 1) && !this.status(torrent).safe,
    )
  }
}

const nobody = (): Had => ({
  met: new Map(),
  whole: new Set(),
  fetched: new Set(),
  most: 0,
  remaining: new Remaining(),
})

function see(had: Had, { id, kind, progress }: PeerState, uploaded: number): void {
  if (kind === 'webseed') return
  if (!had.met.has(id)) had.met.set(id, uploaded)
  if (progress >= 1) had.whole.add(id)
  had.most = Math.max(had.most, had.whole.size)
}

/** A page that is opened again is a new peer that comes with all of it: it is not one more who has it. */
function settle(had: Had, peers: readonly PeerState[], uploaded: number): void {
  for (const id of had.whole) {
    if (had.met.get(id)! < uploaded) had.fetched.add(id)
    else had.met.set(id, Infinity)
  }
  const here = new Set(peers.map(({ id }) => id))
  for (const id of had.met.keys()) {
    if (here.has(id)) continue
    had.met.delete(id)
    had.whole.delete(id)
  }
}
