/**
 * What a torrent needs only at times: to be seeded, to be opened with a key, to have a card, to come from a web seed. It is
 * a module of its own that loads while the first link is being made, so that nothing waits for it that does without.
 */
export { packCard, readCard } from '../seal/card.ts'
export { Opened } from '../seal/opened.ts'
export { prepare, resume } from './seeding.ts'
export { WebSource } from './web-source.ts'
