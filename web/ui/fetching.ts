/** What comes by a link, on its way: the same in every section, whatever becomes of it. */
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { isFull } from './full.ts'
import { Remaining } from './remaining.ts'

export abstract class Fetching extends Emitter<{ change: void }> {
  /** As it was given last. */
  link: string
  /** Ids of what it became in the section's list, once its metadata was here. */
  abstract readonly rows: readonly string[]
  torrent: Torrent | undefined
  /** What went wrong for good. */
  error: unknown
  /** When something last moved, ms of performance.now. */
  moved = performance.now()
  /** When the user asked for it last, milliseconds since 1970; 0 where nobody has since the page was opened. */
  asked = 0
  readonly remaining = new Remaining()
  #tries = 0

  constructor(link: string) {
    super()
    this.link = link
  }

  /** There is no room for the rest: what is here stays in use. */
  get full(): boolean {
    return !!this.torrent?.state.ready && isFull(this.error)
  }

  /** Whether that is to be taken back: what was deleted since it was asked for stays so. */
  brings({ deleted }: { deleted?: number }): boolean {
    return deleted !== undefined && deleted <= this.asked
  }

  move(): void {
    this.moved = performance.now()
    this.emit('change', undefined)
  }

  fail(error: unknown): void {
    this.error ??= error
    this.emit('change', undefined)
  }

  /**
   * From the beginning, with the data that is here already. work is what is done with it, and may reject; what becomes
   * of an earlier try is no matter any more. wanted: whether it was not deleted here, where the engine has removed it.
   */
  async begin(work: () => Promise<void>, wanted: () => Promise<boolean>): Promise<void> {
    const mine = ++this.#tries
    this.error = undefined
    this.move()
    try {
      await work()
    } catch (error) {
      // By another tab, which tries again with the engine of all.
      const again = (error as { code?: unknown }).code === 'removed' && (await wanted().catch(() => false))
      if (mine !== this.#tries) return
      if (again) return this.begin(work, wanted)
      this.fail(error)
    }
  }

  /**
   * Resolves with the torrent when its names are known; of its data nothing is fetched yet, as it may be large, or for
   * another section. That of the last try is taken away. Rejects where nothing will come of it.
   */
  async meet(node: Starling): Promise<Torrent> {
    const before = this.torrent
    this.torrent = undefined
    // What is here stays, also where the key was wrong: anybody can make such a link to what somebody has.
    await before?.remove()
    const torrent = (this.torrent = await node.add(this.link, { onDemand: true }))
    let [last, peers, met] = [-1, 0, false]
    torrent.on('progress', ({ downloaded, peers: { length }, status, linksFailed }) => {
      const before = met
      met = status === 'connecting'
      // Somebody was found. To try once more where that failed is no progress.
      const found = met && !before && !linksFailed
      if (downloaded === last && length === peers && !found) return this.emit('change', undefined)
      ;[last, peers] = [downloaded, length]
      this.move()
    })
    torrent.on('error', (error) => this.fail(error))
    const off = node.on('remove', (gone) => {
      if (gone !== torrent) return
      off()
      // Whoever still waits for it is told by done.
      if (torrent.state.done && torrent === this.torrent) this.fail(deleted())
    })
    this.move()
    await torrent.ready
    this.move()
    const [only, ...others] = torrent.files
    if (torrent.private || only?.path !== 'sealed' || others.length) return torrent
    this.torrent = undefined
    await torrent.remove({ destroyStore: true })
    const words = 'This link is cut short: its key is missing. Copy all of it and open it again.'
    throw Object.assign(new Error(words), { code: 'bad-link' })
  }
}

/** A section's list. */
export interface Rows {
  /** Undefined where it was deleted. */
  get(id: string): unknown
  /** Those that were deleted, and may be taken back, included. */
  list(): Promise<readonly { readonly id: string }[]>
  restore(ids: readonly string[]): Promise<void>
}

/** All that comes to a section, by what the links lead to. */
export abstract class Fetchings<Arrival extends Fetching> extends Emitter<{ change: void }> {
  protected readonly node: () => Promise<Starling>
  protected readonly arrivals = new Map<string, Arrival>()
  readonly #rows: Rows

  constructor(node: () => Promise<Starling>, rows: Rows) {
    super()
    this.node = node
    this.#rows = rows
  }

  protected abstract make(link: string): Arrival
  /** See Fetching.begin. */
  protected abstract work(arrival: Arrival): Promise<void>

  /** Something is arriving right now. */
  get busy(): boolean {
    return [...this.arrivals.values()].some(({ error, torrent }) => !error && torrent?.status === 'downloading')
  }

  /** Begins to fetch, or finds the arrival that already does; one that failed is tried again, one deleted taken back. */
  open(link: string, make = (link: string) => this.make(link)): Arrival {
    const known = this.arrivals.get(keyOf(link))
    // Of several that came together, the user may have deleted some only.
    const deleted = known?.rows.length && !known.rows.some((id) => this.#rows.get(id))
    if (deleted) void this.#rows.restore(known.rows).catch((error: unknown) => reportError(error))
    const arrival = known ?? make(link)
    arrival.asked = Date.now()
    return this.#begin(arrival, link)
  }

  /** The same unasked, as a page begins: what was deleted a moment ago stays so. */
  goOn(link: string): Arrival {
    return this.#begin(this.arrivals.get(keyOf(link)) ?? this.make(link), link)
  }

  /** The same for what looks again and again: one that failed waits for the user. */
  follow(link: string): Arrival {
    return this.arrivals.get(keyOf(link)) ?? this.goOn(link)
  }

  #begin(arrival: Arrival, link: string): Arrival {
    const known = this.arrivals.has(keyOf(link))
    if (known && !arrival.error) return arrival
    if (!known) arrival.on('change', () => this.emit('change', undefined))
    arrival.link = link
    this.retry(arrival)
    return arrival
  }

  /** From the beginning, with the data that is here already. */
  retry(arrival: Arrival): void {
    this.arrivals.set(keyOf(arrival.link), arrival)
    void arrival.begin(() => this.work(arrival), () => this.#wanted(arrival))
  }

  /** What has no rows yet, nobody can have deleted. */
  async #wanted({ link, rows }: Arrival): Promise<boolean> {
    if (!this.arrivals.has(keyOf(link))) return false
    return !rows.length || (await this.#rows.list()).some(({ id }) => rows.includes(id))
  }
}

const deleted = () => Object.assign(new Error('It was deleted in another tab.'), { code: 'removed' })

/** Under which an arrival is known. */
export const keyOf = (link: string): string => infoHashOf(link) ?? link

/**
 * Lower case; undefined where a link shows none (a magnet in base32, say): the engine tells it then. It is read where the
 * engine reads it, as strangers can put that of something else anywhere besides.
 */
export function infoHashOf(link: string): string | undefined {
  const text = link.trim()
  const [, query] = /^magnet:\?(.*)/is.exec(text) ?? []
  const topics = [...new URLSearchParams(query)].filter(([key]) => /^xt(\.\d+)?$/.test(key)).map(([, value]) => value)
  const hash = query === undefined ? text.slice(text.indexOf('#') + 1).split(/[.&]/)[0] : topics.find(isHash)?.slice(9)
  return /^[0-9a-f]{40}$/i.exec(hash ?? '')?.[0].toLowerCase()
}

const isHash = (topic: string): boolean => /^urn:btih:/i.test(topic)
