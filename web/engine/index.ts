/**
 * starling.js: the engine's public door. It knows no page and no app; its vocabulary is WebTorrent's. How to use it in
 * one's own page: docs/engine.md. How data passes through it: docs/architecture.md. Each folder has a map of its own.
 *
 *   starling.ts   what a page makes one of ─ engine.ts: what it asks of ─ node.ts: the one that does the work, in one tab
 *   network.ts    its links, and the rendezvous that brings their offers
 *   home.ts       the server: its tracker, its STUN and TURN servers (/api/ice), its links
 *   types.ts      what pages see; errors.ts: what goes wrong, and its words
 *   parts.ts      the other door, for edge/
 *   at hand       bytes.ts, url.ts, clock.ts, speed.ts: bytes per second, emitter.ts, deferred.ts
 */
export { StarlingError, type ErrorCode } from './errors.ts'
export { TorrentFile, type StreamOptions } from './handles/file-handle.ts'
export { Torrent } from './handles/torrent-handle.ts'
export { Starling, type Addable, type Seedable, type StarlingEvents } from './starling.ts'
export type {
  AddOptions,
  Card,
  FileState,
  Limits,
  NodeStats,
  PeerState,
  SeedOptions,
  StarlingOptions,
  TorrentEvents,
  TorrentState,
  TorrentStatus,
  TrackerState,
} from './types.ts'
