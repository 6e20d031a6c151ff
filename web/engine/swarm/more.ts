/**
 * What a torrent needs only at times: to be seeded or sent, to choose whom to send it to, to find who lied, to have a card,
 * to come by several ways or from a web seed, to be looked through. It is a module of its own that loads when one of these
 * is asked for, and once a torrent is whole: then nobody asks the server for it when that may be gone.
 */
/** Named here as well, so that bundlers put what the two share where the smaller one is, and not into a third. */
export { Opened } from '../seal/opened.ts'
export { makeTorrent } from '../torrent/making.ts'
export { Blame } from './blame.ts'
export { CardDesk } from './card-desk.ts'
export { Choker } from './choker.ts'
export { Lanes } from './lanes.ts'
export { Outgoing } from './outgoing.ts'
export { proven } from './proof.ts'
export { prepare } from './seeding.ts'
export { WebSources } from './web-source.ts'
