/** Parcels that go to others: the engine seeds files where they lie; where there is room, a copy outlives the page. */
import type { SeedOptions, Starling, Torrent, TorrentState } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { Audience } from '../ui/audience.ts'
import { forget } from '../ui/forgetting.ts'
import { Remaining } from '../ui/remaining.ts'
import type { Sending as Words } from '../ui/standing.ts'
import { linkOf, newId, type Kind, type Parcel, type Share } from './parcel.ts'
import type { Parcels } from './parcels.ts'
import { modest, room } from '../ui/room.ts'
import { sizeOfAll } from './shared.ts'
import { nameOf } from './words.ts'

/** What is being made ready to be sent. */
export interface Making {
  /** The parcel's. */
  id: string
  kind: Kind
  name: string
  /** Bytes. */
  size: number
  /** Bytes hashed so far. */
  hashed: number
  /** How long the rest takes; '' while nobody can tell. */
  time: string
  /** Whoever waits for it gets an error of code 'aborted'. */
  cancel(): void
}

export class Sending extends Emitter<{ change: void }> {
  readonly #node: () => Promise<Starling>
  readonly #parcels: Parcels
  readonly #audience: Audience
  /** What the user chose since the page was opened, by the parcel's id. */
  readonly #chosen = new Map<string, readonly File[]>()
  /** What was read from this browser: when that fails, there is nothing else. */
  readonly #copies = new WeakSet<readonly File[]>()
  readonly #open = new Map<string, Promise<Torrent>>()
  /** Infohashes of what has a copy that could not be read. */
  readonly #unread = new Set<string>()
  readonly #making = new Set<Making>()
  readonly #sharing = new Map<string, Promise<Share>>()
  /** By infohash: what the engine said of it, whichever tab gave it. Of those that it was asked about. */
  #told: ReadonlyMap<string, TorrentState | undefined> = new Map()
  #engine: Starling | undefined

  constructor(node: () => Promise<Starling>, parcels: Parcels) {
    super()
    this.#node = async () => {
      const engine = await node()
      if (this.#engine !== engine) engine.on('takeover', () => this.#taken(engine))
      return (this.#engine = engine)
    }
    this.#parcels = parcels
    this.#audience = new Audience(node)
    this.#audience.on('change', () => this.emit('change', undefined))
  }

  /**
   * Makes a private link to the files, each named by its path; resolves when it can be given away. copied: called when
   * they need not lie where they are any more, or no copy of them will be kept.
   */
  async send(files: readonly File[], copied?: () => void): Promise<Parcel> {
    const parcel: Parcel = {
      id: newId(),
      name: nameOf(files.map(({ name }) => name)),
      size: sizeOfAll(files),
      count: files.length,
      added: Date.now(),
    }
    const share = await this.#seed(parcel, 'private', files)
    const row = { ...parcel, sent: { private: share, kept: false } }
    this.#chosen.set(parcel.id, files)
    await this.#parcels.add(row)
    void this.#keep(parcel, files).then(copied)
    return row
  }

  /** The parcel's link of that kind: as it is, or made now. Rejects where the files are not at hand. */
  async share(parcel: Parcel, kind: Kind): Promise<Share> {
    const known = parcel.sent?.[kind]
    if (known) return known
    const key = `${kind} ${parcel.id}`
    const sharing = this.#sharing.get(key) ?? this.#share(parcel, kind).finally(() => this.#sharing.delete(key))
    this.#sharing.set(key, sharing)
    return sharing
  }

  /** Its torrent of that kind, which has nothing to give (see Torrent.state.done) where the files are not at hand. */
  torrent(parcel: Parcel, kind: Kind): Promise<Torrent> {
    const key = `${kind} ${parcel.id}`
    const { infoHash } = parcel.sent![kind]!
    const open = this.#open.get(key) ?? this.#torrent(parcel, kind)
    this.#open.set(key, open)
    open.then(
      () => this.#unread.delete(infoHash),
      (error: unknown) => {
        this.#open.delete(key)
        // The engine may only be out of reach.
        if (error instanceof DOMException || (error as { code?: unknown }).code === 'unreadable') this.#unread.add(infoHash)
        this.emit('change', undefined)
      },
    )
    return open
  }

  /** The user chose the files again. False where they are not the same. */
  async again(parcel: Parcel, files: readonly File[]): Promise<boolean> {
    // To read all of them would only show what their sizes do.
    if (files.length !== parcel.count || sizeOfAll(files) !== parcel.size) return false
    for (const kind of kindsOf(parcel)) {
      const torrent = await this.#offer(parcel, kind, files)
      if (torrent.infoHash !== parcel.sent![kind]!.infoHash) {
        await torrent.remove({ destroyStore: true })
        return false
      }
      this.#open.set(`${kind} ${parcel.id}`, Promise.resolve(this.#audience.watch(torrent)))
    }
    this.#chosen.set(parcel.id, files)
    void this.#keep(parcel, files)
    this.#tell()
    return true
  }

  /**
   * Whether others get it from here: from this tab, or the one that runs the engine. Undefined until look has told; what has
   * a copy is, unless that was seen to be lost.
   */
  atHand(parcel: Parcel): boolean | undefined {
    const all = sharesOf(parcel).map(({ infoHash }) => {
      const own = this.#engine?.get(infoHash)?.state
      const { done, error } = own ?? this.#told.get(infoHash) ?? {}
      if (parcel.sent!.kept) return !error && !this.#unread.has(infoHash)
      return own || this.#told.has(infoHash) ? !!done && !error : undefined
    })
    return all.includes(false) ? false : !all.includes(undefined) || undefined
  }

  /** Asks the engine what it has of all that was sent. */
  async look(): Promise<void> {
    const shares = this.#parcels.all.flatMap(sharesOf)
    if (!shares.length) return
    const states = new Map((await (await this.#node()).states()).map((state) => [state.infoHash, state]))
    this.#told = new Map(shares.map(({ infoHash }) => [infoHash, states.get(infoHash)]))
    this.emit('change', undefined)
  }

  /** All that was sent and is at hand, again: after a reload. */
  async resume(): Promise<void> {
    for (const parcel of this.#parcels.all) await this.goOn(parcel)
  }

  /** What has a copy is sent again. */
  async goOn(parcel: Parcel): Promise<void> {
    if (!parcel.sent?.kept) return
    for (const kind of kindsOf(parcel)) await this.torrent(parcel, kind).catch(reportError)
  }

  /** The parcel was deleted for good. */
  async forget(parcel: Parcel): Promise<void> {
    const node = await this.#node()
    this.#chosen.delete(parcel.id)
    for (const kind of kindsOf(parcel)) {
      // What is about to be there would stay.
      await this.#open.get(`${kind} ${parcel.id}`)?.catch(() => undefined)
      this.#open.delete(`${kind} ${parcel.id}`)
      const { infoHash } = parcel.sent![kind]!
      // Perhaps it was fetched from others, too.
      if (!(await this.#parcels.of(infoHash)).length) await forget(node, infoHash)
    }
  }

  status(torrent: Torrent): Words {
    return this.#audience.status(torrent)
  }

  /** What was begun last of what is being made ready. */
  get making(): Making | undefined {
    return [...this.#making].at(-1)
  }

  /** The same of one link. */
  makingOf(id: string, kind: Kind): Making | undefined {
    return [...this.#making].find((making) => making.id === id && making.kind === kind)
  }

  /** Somebody is fetching something that nobody else has. */
  get busy(): boolean {
    return this.#making.size > 0 || this.#audience.busy
  }

  async #share(parcel: Parcel, kind: Kind): Promise<Share> {
    const files = await this.#files(parcel)
    if (!files) throw Object.assign(new Error('The files are not at hand.'), { code: 'missing' })
    const share = await this.#seed(parcel, kind, files)
    const row = await this.#parcels.update(parcel.id, ({ sent }) => ({ sent: sent && { ...sent, [kind]: share } }))
    // It was deleted for good while they were read.
    if (!row) await this.forget({ ...parcel, sent: { [kind]: share, kept: false } })
    return share
  }

  async #torrent(parcel: Parcel, kind: Kind): Promise<Torrent> {
    const node = await this.#node()
    const { infoHash, link } = parcel.sent![kind]!
    const there = node.get(infoHash)
    if (there?.state.done && !there.state.error) return this.#audience.watch(there)
    const files = await this.#files(parcel)
    const torrent = files
      ? await this.#give(parcel, kind, files)
      : // Another tab may have them.
        await node.add(link, { onDemand: true })
    return this.#audience.watch(torrent)
  }

  async #seed(parcel: Parcel, kind: Kind, files: readonly File[]): Promise<Share> {
    const torrent = await this.#offer(parcel, kind, files)
    this.#open.set(`${kind} ${parcel.id}`, Promise.resolve(this.#audience.watch(torrent)))
    return { infoHash: torrent.infoHash, link: linkOf(torrent.link) }
  }

  /** By the user's word, who sees how far it is. */
  async #offer(parcel: Parcel, kind: Kind, files: readonly File[]): Promise<Torrent> {
    const stop = new AbortController()
    const { id, name, size } = parcel
    const making: Making = { id, kind, name, size, hashed: 0, time: '', cancel: () => stop.abort() }
    const [remaining, began] = [new Remaining(), performance.now()]
    this.#making.add(making)
    this.emit('change', undefined)
    try {
      const onHash = (hashed: number) => {
        making.hashed = hashed
        const now = performance.now()
        making.time = remaining.tell(Math.max(0, size - hashed), (hashed * 1000) / Math.max(1, now - began), now)
        this.emit('change', undefined)
      }
      const torrent = await this.#give(parcel, kind, files, { onHash, signal: stop.signal })
      // What the user paused while it was to come from others goes on: whoever sends it wants it to go.
      if (torrent.status === 'paused') await torrent.resume()
      return torrent
    } finally {
      this.#making.delete(making)
      this.emit('change', undefined)
    }
  }

  async #give(
    { id, name, sent }: Parcel, kind: Kind, files: readonly File[], options: Pick<SeedOptions, 'onHash' | 'signal'> = {},
  ): Promise<Torrent> {
    const known = sent?.[kind]?.infoHash
    const torrent = await (await this.#node()).seed(files, { name, private: kind === 'private', known, ...options })
    torrent.once('error', () => {
      // It can be tried again.
      this.#open.delete(`${kind} ${id}`)
      if (this.#copies.has(files)) this.#tell()
      else void this.#lost(id, kind, files).catch(reportError)
    })
    return torrent
  }

  /** Files were changed, moved or deleted where they lie: from here on their copy is sent, if there is one. */
  async #lost(id: string, kind: Kind, files: readonly File[]): Promise<void> {
    if (this.#chosen.get(id) === files) this.#chosen.delete(id)
    const parcel = this.#parcels.get(id)
    if (parcel) await this.torrent(parcel, kind)
    this.#tell()
  }

  /** What is at hand is another than it was: for all tabs' lists. */
  #tell(): void {
    this.emit('change', undefined)
    void this.#parcels.changed().catch((error: unknown) => reportError(error))
  }

  /** What this page has goes to the next engine by itself; whoever has a list open is told once it is there. */
  #taken(engine: Starling): void {
    for (const { infoHash } of this.#parcels.all.filter(({ id }) => this.#chosen.has(id)).flatMap(sharesOf)) {
      const off = engine.get(infoHash)?.on('progress', ({ done }) => {
        if (!done) return
        off!()
        this.#tell()
      })
    }
    void this.look().catch(() => undefined)
  }

  async #files({ id }: Parcel): Promise<readonly File[] | undefined> {
    const chosen = this.#chosen.get(id)
    const copy = chosen ? undefined : await this.#parcels.db.copy(id)
    if (copy) this.#copies.add(copy)
    return chosen ?? copy
  }

  /** A copy, where there is room; without one, what was sent is there only as long as this page is. */
  async #keep({ id, size }: Parcel, files: readonly File[]): Promise<void> {
    try {
      if (!modest(size, await room())) return
      await this.#parcels.db.keep(id, files)
      await this.#parcels.changed()
    } catch {
      // The browser had less room than it said, or the files changed: the page says that nothing is kept.
    }
  }
}

const sharesOf = ({ sent }: Parcel): Share[] => [sent?.private, sent?.public].filter((share) => !!share)

const kindsOf = ({ sent }: Parcel): Kind[] => (['private', 'public'] as const).filter((kind) => sent?.[kind])
