import type { Bytes } from './bytes.ts'
import type { AddOptions, Card, Limits, NodeStats, PeerState, SeedOptions, TorrentState } from './types.ts'

/** Of a torrent that the page had in an engine before: where it was removed since, it stays so ('removed'). */
export interface Again {
  again?: boolean
}

/**
 * What the handles that pages hold (starling.ts) ask of whoever does the work: node.ts in the tab that runs the
 * engine, tabs/remote.ts in every other tab. Everything passed is cloneable, so that both are alike.
 * Errors are StarlingErrors. An unknown infohash is 'removed'.
 */
export interface Engine {
  /** Hashes (onHash tells the bytes done so far, signal ends it), stores what must survive a reload, and starts to seed. */
  seed(
    files: readonly Blob[], options: SeedOptions & Again, onHash?: (bytes: number) => void, signal?: AbortSignal,
  ): Promise<TorrentState>
  /** A link, magnet, infohash or the bytes of a .torrent file. Resolves at once: metadata may take its time. */
  add(id: string | Bytes, options: AddOptions & Again): Promise<TorrentState>
  /**
   * Verified (and opened) bytes of a file from start on: at least one, at most end - start, at most 1 MiB; waits for
   * them, fetching around this position first. reader names one reading position: a page or player that reads on
   * passes the same name, and its window moves along.
   */
  read(infoHash: string, file: number, start: number, end: number, reader: string): Promise<Bytes>
  /** That reader needs nothing more: its window is dropped, and its pending read fails with 'aborted'. */
  release(infoHash: string, reader: string): void
  /** The whole file once it is done: from disk without a copy in memory where the store can. */
  blob(infoHash: string, file: number): Promise<Blob>
  /** The .torrent file. */
  torrentFile(infoHash: string): Promise<Bytes>
  setCard(infoHash: string, card: Card): Promise<void>
  /** on: nothing is fetched or sent, also after a reload, until it is called with false. What is here can be read. */
  pause(infoHash: string, on: boolean): Promise<void>
  /** From now on. What is not named stays as it is. */
  limit(limits: Limits): Promise<void>
  /** From now on: links that stand are ended, and made anew. */
  setRelayOnly(on: boolean): Promise<void>
  /** Without destroyStore, data and completion stay for a later add. */
  remove(infoHash: string, options: { destroyStore?: boolean }): Promise<void>
  states(): Promise<TorrentState[]>
  stats(): Promise<NodeStats>
  /**
   * Stops all, tells trackers and peers; data stays. frozen: nothing of this page runs from here on, and when it is
   * shown again others have gone on with the same data, so what takes its time is left out.
   */
  destroy(frozen?: boolean): Promise<void>

  /** A torrent's state changed: at most four times a second for each, and at once for ready, done and error. */
  onstate: ((state: TorrentState) => void) | undefined
  onpeer: ((infoHash: string, peer: PeerState) => void) | undefined
  onremove: ((infoHash: string) => void) | undefined
}
