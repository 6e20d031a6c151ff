/**
 * The engine's parts, for a script that goes into pages of others and has room for some of them only: edge/. What is not
 * named here, an own swarm takes the place of: no seals, no magnets, no metadata from peers, no seeding of files.
 */
export { concat, equal, random, toHex, utf8, type Bytes } from './bytes.ts'
export { clock } from './clock.ts'
export type { Channel } from './link/channel.ts'
export type { LinkHost } from './link/host.ts'
export { Links } from './link/links.ts'
export { TrackerRendezvous } from './rendezvous/tracker-rendezvous.ts'
export type { Announcing } from './rendezvous/types.ts'
export { Database, type Table } from './store/database.ts'
export type { RangeSource } from './stream/source.ts'
export { Bitfield } from './wire/bitfield.ts'
export { Choker } from './swarm/choker.ts'
export type { PeerNode, Source, Wanted } from './swarm/host.ts'
export { Budget, Limit } from './swarm/limit.ts'
export { Peer, type PeerHost } from './swarm/peer.ts'
export { Picker, type Piece } from './swarm/picker.ts'
export { Shelf } from './swarm/shelf.ts'
export type { Info } from './torrent/metainfo.ts'
