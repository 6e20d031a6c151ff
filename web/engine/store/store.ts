import type { Bytes } from '../bytes.ts'
import type { Card } from '../types.ts'

/**
 * One torrent's bytes, from 0 to length, in the order of its pieces. Holds only what was verified: the swarm writes
 * a piece after its hash was right and reads only what it wrote. Calls may overlap.
 */
export interface Store {
  /** Bytes [start, end), the caller's own to change or transfer; or a StarlingError 'storage' or 'unreadable'. */
  read(start: number, end: number): Promise<Bytes>
  /**
   * Resolves when the bytes can be read, and outlive the page; data's buffer may be transferred away, so the caller
   * forgets it, unless it is what comes back: memory of that length, for other use. Errors: StarlingError 'no-space',
   * which leaves all earlier bytes as they were and gives the data back (Refused), and 'storage'.
   */
  write(start: number, data: Bytes): Promise<Bytes | void>
  /** Resolves when all that was written before outlives a power cut; absent where write sees to it, or nothing can. */
  flush?(): Promise<void>
  /** Where the whole is one readable Blob on disk: that Blob, not a copy in memory. Otherwise undefined. */
  blob?(): Promise<Blob | undefined>
  /** Lets go of handles; idempotent. */
  close(): Promise<void>
}

/** Where one node keeps torrents. */
export interface Stores {
  readonly kind: 'opfs' | 'indexeddb' | 'memory'
  /** Opens or makes the store of a torrent that is to be fetched. */
  open(infoHash: string, length: number): Promise<Store>
  /** Deletes a torrent's bytes; a torrent that is not there is no error. */
  destroy(infoHash: string): Promise<void>
  /**
   * Deletes what no torrent has: its page was killed before the first save or in the middle of deleting, or another tab
   * wrote on meanwhile. Only what was so for a while, and nothing at all where the registry may be lost.
   */
  tidy?(): Promise<void>
  readonly registry: Registry
  /** frozen: see Engine.destroy. */
  close(frozen?: boolean): Promise<void>
}

/** What must survive a reload besides the bytes, by infohash (40 hex digits). */
export interface Registry {
  get(infoHash: string): Promise<Entry | undefined>
  /** On disk when it resolves. */
  put(entry: Entry): Promise<void>
  delete(infoHash: string): Promise<void>
  list(): Promise<Entry[]>
}

/** One torrent, as it is written down. */
export interface Entry {
  infoHash: string
  /** The info dictionary, bencoded, as hashed; absent until the metadata is here. */
  info?: Bytes
  /** BEP 3 bitfield of the pieces that are in the store and verified. */
  pieces?: Bytes
  /** The same of the other kind of store, which was in use before. */
  elsewhere?: Bytes
  /** Some of them could not be read: all that is in the store is looked through before any is promised again. */
  doubted?: boolean
  /** Nothing goes either way until the user says so. */
  paused?: boolean
  /** Whether the data was seeded from a Blob, and so lies outside the store. */
  seeded: boolean
  trackers: string[]
  webSeeds: string[]
  /** Of a private torrent: the key of its link, 16 bytes. */
  key?: Bytes
  /** What a seeder needs to make the same container again: salt and header (seal/). */
  seal?: { salt: Bytes; header: Bytes }
  /** The card as it travels, and the key that may sign the next one (only where it was seeded). */
  card?: { packed: Bytes; value: Card }
  cardKey?: CryptoKey
  /** Milliseconds since 1970. */
  added: number
}
