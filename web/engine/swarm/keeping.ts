import { equal, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import type { Entry } from '../store/store.ts'
import type { Info } from '../torrent/metainfo.ts'
import { Bitfield, fits } from '../wire/bitfield.ts'
import { more } from './lazy.ts'
import type { Bearer, SwarmHost, SwarmOptions } from './host.ts'
import { Overflow } from './overflow.ts'

/** What keeping asks of its torrent. */
export interface Kept {
  readonly infoHash: string
  readonly entry: Entry
  readonly info: Info | undefined
  readonly had: Bitfield
  readonly node: Pick<SwarmHost, 'stores' | 'now'>
  failed(error: unknown): void
}

const saveEvery = 3_000
const maxUrls = 32

/** What of a torrent outlives the page: its entry in the registry, and its bytes in the store. */
export class Keeping {
  /** What was known of it is taken over; until then nothing is saved. Rejects where it does not fit, or cannot be read. */
  readonly resumed: Promise<void>
  /** The store is open. */
  writable = false
  /** Something is to be saved when there is time. */
  unsaved = false
  readonly #torrent: Kept
  readonly #source: Bearer | undefined
  #store: Promise<Bearer> | undefined
  #overflow: Overflow | undefined
  /** What was known is taken over, and nobody else looks after it: it may be saved. */
  #whole = false
  /** What is there could not be read. */
  #lost = false
  /** The key was wrong, which anybody can make a link with. */
  #refused = false
  /** It was in the registry before. */
  #known = false
  /** The other one that was kept before. */
  #earlier: Bytes | undefined
  #frozen = false
  #saving: Promise<void> = Promise.resolve()
  /** One that has not begun saves what comes until it does. */
  #waits = false
  #savedAt = 0

  constructor(torrent: Kept, { before, source }: SwarmOptions) {
    this.#torrent = torrent
    this.#source = source
    this.resumed = this.#resume(before)
    this.resumed.catch(() => {})
  }

  /** Its store, once the metadata is known: neither names nor the first bytes wait for that. */
  store(info = this.#torrent.info!): Promise<Bearer> {
    if (!this.#store) {
      const { infoHash, node } = this.#torrent
      const open = async (): Promise<Bearer> => {
        const store = await (await node.stores()).open(infoHash, info.length)
        const lacking = () => info.pieces - this.#torrent.had.count
        return (this.#overflow = new Overflow(store, info, node, lacking))
      }
      this.#store = this.#source ? Promise.resolve(this.#source) : open()
      this.#store.then(() => (this.writable = true), (error) => this.#torrent.failed(error))
    }
    return this.#store
  }

  /** What could not be read the last time: what of it is right is promised again. Rejects where that cannot be told now. */
  async prove(info: Info, going: () => boolean): Promise<void> {
    const { entry } = this.#torrent
    if (!entry.doubted || this.#source) return
    const [{ proven }, store] = await Promise.all([more(), this.store(info)])
    entry.pieces = (await proven(info, (start, end) => store.read(start, end), going)).bytes
  }

  /** What is there cannot be read: whoever adds the torrent again finds out what can. */
  async doubt(): Promise<void> {
    if (this.#source) return
    this.#lost = this.#torrent.entry.doubted = true
    await this.save().catch(() => {})
  }

  /** The key opens nothing: it is not kept. */
  async refuse(): Promise<void> {
    this.#refused = true
    await this.save().catch(() => {})
  }

  /** Puts what must survive a reload where it does. */
  save(): Promise<void> {
    if (!this.#whole) return this.resumed
    const { entry, node } = this.#torrent
    this.unsaved = false
    this.#savedAt = node.now()
    if (this.#waits) return this.#saving
    this.#waits = true
    // One after another, so that the last one stays.
    this.#saving = this.#saving.catch(() => {}).then(async () => {
      this.#waits = false
      const store = await this.#store?.catch(() => undefined)
      const { info, had } = this.#torrent
      const pieces = info && !entry.seeded ? new Bitfield(had.size, had.bytes) : undefined
      await store?.flush?.().catch((error: unknown) => {
        if (!entry.doubted) throw error
      })
      if (this.#frozen) return
      for (const index of this.#overflow?.unkept ?? []) pieces?.unset(index)
      if (pieces) entry.pieces = pieces.bytes
      if (info && had.full && !this.#lost) delete entry.doubted
      await this.#put()
    })
    return this.#saving
  }

  /**
   * All is here: once this resolves, a reload finds it. Until it is flushed as well, which takes a disk its time, it is looked
   * through then.
   */
  async note(): Promise<void> {
    const store = await this.#store?.catch(() => undefined)
    if (!store?.flush || !this.#whole) return this.save()
    const { entry, had } = this.#torrent
    const noted = this.#saving.catch(() => {}).then(async () => {
      if (this.#frozen) return
      entry.pieces = new Bitfield(had.size, had.bytes).bytes
      entry.doubted = true
      await this.#put()
    })
    this.#saving = noted
    // One that waits already comes before this, and takes nothing back.
    this.#waits = false
    this.save().catch(() => {})
    return noted
  }

  /** Resolves when what is here by now survives a reload. */
  kept(): Promise<void> {
    return this.unsaved ? this.save() : this.#saving
  }

  /** idle: nothing is being fetched, so that nothing more is worth waiting for. */
  tick(now: number, idle: boolean): void {
    if (this.unsaved && (idle || now - this.#savedAt > saveEvery)) this.save().catch(() => {})
  }

  /** Saves a last time, unless frozen (see Engine.destroy): that would be over what others saved since. Data stays. */
  async close(frozen = false): Promise<void> {
    const saved = frozen ? undefined : this.save()
    this.#whole = false
    this.#frozen = frozen
    await saved?.catch(() => {})
    const store = await this.#store?.catch(() => undefined)
    await store?.close?.()
  }

  async #put(): Promise<void> {
    const { entry, node } = this.#torrent
    const { registry } = await node.stores()
    // A link that has led to nobody yet says itself all that is known, unless it is to stay paused.
    if (!entry.info && !entry.paused) return registry.delete(entry.infoHash)
    if (!this.#refused) return registry.put(entry)
    // What such a link alone has brought is nobody's.
    if (this.#known) await registry.put(withKey(entry, this.#earlier))
    else await registry.delete(entry.infoHash)
  }

  async #resume(known: SwarmOptions['before']): Promise<void> {
    const { entry } = this.#torrent
    const before = await known
    if (before) {
      this.#known = true
      const { key, info, trackers, webSeeds } = entry
      if (key && before.seal && before.key && !equal(key, before.key)) throw wrongKey()
      if (key && before.key && !equal(key, before.key)) this.#earlier = before.key
      Object.assign(entry, before, { seeded: false, trackers, webSeeds }, key && { key }, info && { info })
      extend(entry, before.trackers, before.webSeeds)
    }
    this.#whole = true
  }
}

function withKey({ key: _, ...entry }: Entry, key: Bytes | undefined): Entry {
  return key ? { ...entry, key } : entry
}

export const wrongKey = (): StarlingError =>
  new StarlingError('wrong-key', 'The key in this link does not fit. Ask for the link again.')

/** Adds where else it can be found. */
export function extend(entry: Entry, trackers: readonly string[], webSeeds: readonly string[]): Entry {
  const join = (urls: string[], more: readonly string[]): string[] => [...new Set([...urls, ...more])].slice(0, maxUrls)
  entry.trackers = join(entry.trackers, trackers)
  entry.webSeeds = join(entry.webSeeds, webSeeds)
  return entry
}

/** The pieces that were there when the torrent was saved last; none where that does not fit. */
export function resumed(pieces: number, bytes?: Bytes): Bitfield {
  return new Bitfield(pieces, bytes && fits(bytes, pieces) ? bytes : undefined)
}
