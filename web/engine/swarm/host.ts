/** What the parts of a torrent at work ask of one another: of its node, of itself, and of whoever sends. */
import type { Bytes } from '../bytes.ts'
import type { Entry, Store, Stores } from '../store/store.ts'
import type { Info } from '../torrent/metainfo.ts'
import type { TrackerState } from '../types.ts'
import type { MetadataExchange } from '../wire/metadata.ts'
import type { Bitfield } from '../wire/bitfield.ts'
import type { Extension } from '../wire/wire.ts'
import type { Content } from './content.ts'
import type { Budget, Limit } from './limit.ts'
import type { Peer } from './peer.ts'
import type { Ask, Asked, Picker } from './picker.ts'
import type { Shelf } from './shelf.ts'
import type { Swarm } from './swarm.ts'

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
  readonly strangers: Set<Peer>
  /** Peers to serve as soon as the upload limit allows. */
  readonly thirsty: Set<Peer>
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
  now(): number
}

/** What a peer asks of the torrent it belongs to. */
export interface PeerHost {
  readonly infoHash: string
  readonly entry: Pick<Entry, 'card'>
  readonly info: Info | undefined
  readonly had: Bitfield
  readonly picker: Picker<Source> | undefined
  readonly metadata: Pick<MetadataExchange, 'info' | 'add'>
  /** All data is here. */
  readonly done: boolean
  /** Somebody waits for data of it. */
  readonly urgent?: boolean
  /** Its handshake came. False where it is not welcome. */
  joined(peer: Peer): boolean
  /** It told what it calls itself, if it ever does. */
  met(peer: Peer): void
  gone(peer: Peer): void
  /** Whether something it has is wanted. */
  wants(peer: Peer): boolean
  /** It became interested, or no longer is. */
  choke(): void
  /** What it owed may be asked of others. */
  refill(): void
  /** Verified bytes to send; undefined while they are read, then resume() is called. */
  block(peer: Peer, ask: Wanted): Bytes | undefined
  /** It says something in an extension. */
  extended?(peer: Peer, name: Extension, payload: Bytes): void
  received(bytes: number): void
  sent(bytes: number): void
}

/** What a torrent asks of its node. */
export interface SwarmHost extends PeerNode, LaneHost {
  stores(): Promise<Stores>
  readonly memory: Budget
  readonly shelf: Shelf
  readonly linkBase: string
  trackerStates(infoHash: string): TrackerState[]
  /** Its state changed; now: what pages must hear at once. */
  changed(swarm: Swarm, now?: boolean): void
  peer(swarm: Swarm, peer: Peer): void
  /** It wants peers, or no longer does. */
  needs(swarm: Swarm): void
  completed(swarm: Swarm): void
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
  /** It was not hashed now: each piece is verified before it is first sent. */
  unproven?: boolean
}
