/**
 * What a page sees of the engine: options in, plain states out.
 *
 * Everything named *State is plain data that can be cloned, because a tab that does not run the engine
 * itself (see tabs/) gets it by message from the tab that does.
 */

import type { ErrorCode, StarlingError } from './errors.ts'

/** Of all torrents together, in bytes per second, payload only; 0 or less: no limit. */
export interface Limits {
  uploadLimit?: number
  downloadLimit?: number
}

/** What a page may say of its node. */
export interface StarlingOptions extends Limits {
  /** URL of the Starling server. Default: where starling.js came from. */
  server?: string
  /** WebTorrent trackers, ws: or wss:. Default: /announce of that server. */
  trackers?: string[]
  /** STUN and TURN servers. Default: what /api/ice of that server says. */
  iceServers?: RTCIceServer[]
  /** Most links (RTCPeerConnections, lanes not counted) open at once. Default 55. */
  maxLinks?: number
  /**
   * Links go through TURN servers alone, and trackers and web seeds that only a link names are not asked: nobody but the
   * servers that this page names learns this device's address. Default false.
   */
  relayOnly?: boolean
  /** What links begin with. Default: /m of that server. */
  linkBase?: string
  /** Where data is kept: the best there is (OPFS, else IndexedDB, else memory), or only memory. Default 'auto'. */
  store?: 'auto' | 'memory'
  /** One tab per origin runs the engine and the others work through it. Default true where the browser can. */
  shareTabs?: boolean
}

/** What seed() may be told besides the data. Each may be left out. */
export interface SeedOptions {
  /**
   * Default: the file's name; of several, that of the folder that all lie in, or the first one's. Of a private torrent only
   * those with the key see it.
   */
  name?: string
  /** Seal the data; the key travels only in the link. Default false. */
  private?: boolean
  /** Trackers in place of the node's. */
  trackers?: string[]
  /** BEP 19 web seeds, for plain torrents: URLs, meant from where the page lies. */
  webSeeds?: string[]
  /** Told the bytes hashed so far, as hashing a large file takes a while. */
  onHash?: (bytes: number) => void
  /** Ends the hashing, and seed rejects with 'aborted'; of no effect once there is a torrent. */
  signal?: AbortSignal
  /** Something about the files that may change later without a new infohash; see Torrent.setCard. */
  card?: Card
  /**
   * The infohash, or the link, that an earlier seed of these very bytes had. Where the node still knows it, nothing is hashed
   * again and key and link stay the same; pieces are then verified as they are first sent.
   */
  known?: string
}

/** What add() may be told besides the link. Each may be left out. */
export interface AddOptions {
  /** Trackers besides those that the link, magnet or file names. */
  trackers?: string[]
  /** BEP 19 web seeds besides those, for plain torrents: URLs, meant from where the page lies. */
  webSeeds?: string[]
  /** Fetch nothing by itself: only what files' streams and urls ask for. Default false. */
  onDemand?: boolean
}

/** Any JSON object of at most 32 KiB: a title, a description, a drawing of the sound. */
export type Card = { [key: string]: unknown }

/** One file of a torrent, as plain data. */
export interface FileState {
  name: string
  /** Path inside the torrent, '/' between its parts; never absolute, never with '..'. */
  path: string
  /** Bytes. */
  size: number
  /** MIME type: as the seeder said (private), or guessed from the name. */
  type: string
  /** Share of this file's bytes that are here and verified, 0 to 1. */
  progress: number
}

/** One peer of a torrent, or one web seed. */
export interface PeerState {
  /** 40 hex digits. */
  id: string
  /** What the peer calls itself ("Starling 0.1", "WebTorrent 3.0"), sanitised; '' when it does not say. */
  client: string
  kind: 'direct' | 'relayed' | 'webseed' | 'unknown'
  /** Bytes per second. */
  downloadSpeed: number
  uploadSpeed: number
  /** 0 to 1: how much of the torrent the peer has. */
  progress: number
}

/** How it goes with one tracker of a torrent. */
export interface TrackerState {
  url: string
  status: 'connecting' | 'working' | 'failed'
  /** Plain words, when failed. */
  error?: string
  /** As the tracker counts them, this node included; undefined until it has answered. */
  seeders?: number
  leechers?: number
}

/**
 * finding     no peer is known yet
 * connecting  a link to a peer is being made
 * downloading at least one peer is there and data is lacking
 * seeding     all data is here
 * paused      by Torrent.pause, until Torrent.resume
 * failed      see error; nothing more will happen until the torrent is removed and added again, or seeded again
 */
export type TorrentStatus = 'finding' | 'connecting' | 'downloading' | 'seeding' | 'paused' | 'failed'

/** A torrent at one moment, as plain data. */
export interface TorrentState {
  /** 40 hex digits, lower case. */
  infoHash: string
  /** '' until the metadata is here. Comes from a stranger: show it as text only. */
  name: string
  private: boolean
  status: TorrentStatus
  /** Metadata is here (and, when private, opened with the key): name, files and length are final. */
  ready: boolean
  /** All data is here and verified. */
  done: boolean
  /** Bytes of all files; 0 until ready. */
  length: number
  files: FileState[]
  /** 0 to 1: verified share of the torrent. */
  progress: number
  /** Verified bytes here. */
  downloaded: number
  /** Payload bytes sent since the engine started. */
  uploaded: number
  /** Bytes per second, payload, over the last few seconds. */
  downloadSpeed: number
  uploadSpeed: number
  peers: PeerState[]
  trackers: TrackerState[]
  /** Attempts at a link since the engine started, and how many failed: tells "blocked network" from "nobody there". */
  linksTried: number
  linksFailed: number
  magnetURI: string
  /** Opens in a browser; carries the key when private. */
  link: string
  card?: Card
  error?: { code: ErrorCode; message: string }
}

/** What the engine does at this moment, for all tabs together. */
export interface NodeStats {
  /** Whether this tab runs the engine. */
  leader: boolean
  /** Of all tabs. */
  torrents: number
  /** Links to peers that are open now, and the channels on them: one for each torrent that the two share. */
  links: number
  channels: number
  /** Further connections to peers whose link is slow (docs/protocol.md, "Lanes"). */
  lanes: number
  /** RTCPeerConnections made since the engine started, pending offers included. */
  connectionsMade: number
  /** Peers that sent what is wrong, or broke a protocol: they are kept out for a while (docs/protocol.md). */
  banned: number
  /** Bytes per second, payload, of all torrents together. */
  downloadSpeed: number
  uploadSpeed: number
  /** Whether links go through TURN servers alone. */
  relayOnly: boolean
  /** Where data is kept. */
  store: 'opfs' | 'indexeddb' | 'memory'
}

/** What a Torrent tells: each event by its name, with what its listeners are given. */
export interface TorrentEvents {
  /** Metadata is here. */
  ready: void
  /** Something in state changed; at most four times a second. */
  progress: TorrentState
  /** A peer was met, or has come to have all of it: then it may leave before the next progress. */
  peer: PeerState
  card: Card
  done: void
  error: StarlingError
}
