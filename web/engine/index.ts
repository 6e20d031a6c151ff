/**
 * starling.js: the engine's public door. It knows no page and no app; its vocabulary is WebTorrent's. How to use it in
 * one's own page: docs/engine.md. How data passes through it: docs/architecture.md.
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
