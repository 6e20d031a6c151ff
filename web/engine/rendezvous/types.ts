import type { TrackerState } from '../types.ts'

/** A tracker's state, without words for people. refusal: what it said, where it is reached and does not serve the torrent. */
export interface Standing extends Omit<TrackerState, 'error'> {
  refusal?: string
}

/** What rendezvous asks of a torrent each time it announces. */
export interface Announcing {
  /** 40 hex digits. */
  readonly infoHash: string
  readonly trackers: readonly string[]
  /** Bytes since start, as BEP 3 wants them; left is undefined while the metadata is missing (sent as null). */
  readonly uploaded: number
  readonly downloaded: number
  readonly left: number | undefined
  /** Peers it would take now: 0 for a seeder, so it announces without offers. */
  readonly wanted: number
  /** Wants peers, and has none that gives anything: announced again sooner than the tracker's interval, backing off to it. */
  readonly stalled: boolean
}

/** One node's presence at its trackers: one socket per tracker URL, whatever the number of torrents. */
export interface Rendezvous {
  /** Announces "started" as soon as each tracker is connected, and keeps announcing. */
  add(torrent: Announcing): void
  /** Announces "completed" once. */
  completed(infoHash: string): void
  /** Its need changed (a peer left, a link broke): announce soon. */
  wake(infoHash: string): void
  /** Announces "stopped" where a tracker is connected. */
  remove(infoHash: string): void
  trackers(infoHash: string): Standing[]
  /** A tracker's state for this torrent changed. */
  onchange: ((infoHash: string) => void) | undefined
  /** Announces "stopped" for all, then closes the sockets. */
  destroy(): Promise<void>
}
