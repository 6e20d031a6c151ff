/** What the parts of a torrent at work ask of one another: of its node, of itself, and of whoever sends. */
import type { Bytes } from '../bytes.ts'
import type { Entry, Store, Stores } from '../store/store.ts'
import type { PeerState, TrackerState } from '../types.ts'
import type { Content } from './content.ts'
import type { Budget, Limit } from './limit.ts'
import type { Ask, Asked } from './picker.ts'
import type { Shelf } from './shelf.ts'

/** Anybody that pieces come from. */
export interface Source extends Asked {
  /** What it sent was wrong: nothing more of it is taken. */
  ban(): void
}

export interface Wanted {
  readonly piece: number
  readonly begin: number
  readonly length: number
}

/** What a peer asks of the node. */
export interface PeerNode {
  readonly peerId: string
  readonly up: Limit
  readonly down: Limit
  /** Whose handshake has not come. Links bound how many they are. */
  readonly strangers: Set<{ tick(now: number): void; close(): void }>
  /** Peers to serve as soon as the upload limit allows. */
  readonly thirsty: Set<{ serve(blocks?: number): boolean }>
  /** Milliseconds, of a clock that is never set. */
  now(): number
}

/** More ways to a peer than its channel: lanes.ts. */
export interface Ways {
  /** Several times a second, where this side fetches. left: bytes that the torrent lacks. lost: a block is to be asked for again. */
  tick(now: number, left: number, lost: (ask: Ask) => void): void
  /** A message of the extension. */
  receive(payload: Bytes): void
  /** Another block may be sent. */
  readonly room: boolean
  /** False: the channel itself is best. */
  send(piece: number, begin: number, data: Bytes): boolean
  close(): void
}

/** What lanes ask of the node. */
export interface LaneHost {
  /** How many are open or under way, and were made, in all. */
  readonly lanes: { open: number; made: number }
  iceServers(): Promise<RTCIceServer[]>
  /** Whether connections may go straight to a peer, which learns this device's address so. */
  mayLane(): boolean
  now(): number
}

/** What a torrent asks of its node. */
export interface SwarmHost extends PeerNode, LaneHost {
  stores(): Promise<Stores>
  readonly memory: Budget
  readonly shelf: Shelf
  readonly linkBase: string
  /** Whether a tracker or web seed of this URL may learn this device's address. */
  mayAsk(url: string): boolean
  trackerStates(infoHash: string): TrackerState[]
  /** Its state changed; now: what pages must hear at once. */
  changed(infoHash: string, now?: boolean): void
  /** One came, or has come to have all of it. */
  peer(infoHash: string, state: PeerState): void
  /** It wants peers, or no longer does. */
  needs(infoHash: string): void
  completed(infoHash: string): void
}

/** Where a torrent's bytes are: a store, or what is seeded where it lies. */
export type Bearer = Pick<Store, 'read'> & Partial<Store>

export interface SwarmOptions {
  onDemand?: boolean
  /** What was known of it before. */
  before?: Promise<Entry | undefined>
  /** Of a torrent that is seeded from what lies elsewhere. */
  source?: Bearer
  /** Its files, where they need not be opened. */
  content?: Content
  /** It was not hashed now, or may change: each piece is verified before it is first sent. */
  unproven?: boolean
}
