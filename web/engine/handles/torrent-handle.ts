/**
 * The handles that pages hold: Torrent and TorrentFile. A handle does no work itself. It keeps the last state that the
 * engine told (update), turns it into events and promises, and passes calls on to whichever engine there is.
 *
 *   page ── calls ──► handle ── host.call ──► engine: this tab's, or through tabs/ another tab's
 *   page ◄─ events ── handle ◄─── update ──── engine
 *
 * The engine may be replaced while a handle lives, when the tab that ran it closes. The handle then has its torrent made
 * in the new one, by its origin: how it was made at first. Promises that were fulfilled stay so.
 */
import type { Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import { Emitter } from '../emitter.ts'
import type { Engine } from '../engine.ts'
import { StarlingError, removed } from '../errors.ts'
import type { Card, FileState, PeerState, TorrentEvents, TorrentState, TorrentStatus, TrackerState } from '../types.ts'
import { revoke, TorrentFile, type EngineCall } from './file-handle.ts'

/** How a torrent was made: enough to make it in an engine again, then told the state it had before. */
export interface Origin {
  /** 2: seeded, 1: added, 0: added on demand. What asks for less takes no other's place. */
  rank: number
  make(engine: Engine, before?: TorrentState): Promise<TorrentState>
}

/** What handles ask of the node that owns them. */
export interface TorrentHost {
  /** What links of this page begin with, whichever tab runs the engine. */
  readonly linkBase: string
  /** Calls work with the engine of the moment, and again with the next one where that went away meanwhile. */
  call: EngineCall
  /** Makes the torrent in engine and calls then with its newest state, in the same turn as it came. */
  make<T>(engine: Engine, origin: Origin, before: TorrentState, then: (state: TorrentState) => T): Promise<T>
  /** It was removed. */
  drop(torrent: Torrent): void
}

/** For the node that owns the handle; pages have no use for them. */
export let update: (torrent: Torrent, state: TorrentState) => void
/** The engine is another one: makes the torrent there, unless it was removed. */
export let rejoin: (torrent: Torrent) => void
/** How it is to be made in the next engine, unless what is known already says more. */
export let setOrigin: (torrent: Torrent, origin: Origin) => void
/** By its place in the torrent. */
export let fileOf: (torrent: Torrent, index: number) => TorrentFile | undefined
/** Nothing more will come of it. */
export let end: (torrent: Torrent) => void

/**
 * A torrent that the page seeded or added. What it says of itself changes as time goes on; 'progress' tells when. Calls
 * fail with a StarlingError.
 */
export class Torrent extends Emitter<TorrentEvents> {
  /** Metadata is here: name, files and length are final. Rejects with a StarlingError when that will never be. */
  readonly ready: Promise<void>
  /** All data is here and verified. Rejects with a StarlingError when that will never be. */
  readonly done: Promise<void>

  readonly #ready = new Deferred()
  readonly #done = new Deferred()
  readonly #host: TorrentHost
  readonly #files: TorrentFile[] = []
  /** The same, and what is known of them, for the page: it may sort what it is given. */
  readonly #shown: TorrentFile[] = []
  #fileStates: readonly FileState[] = []
  #state: TorrentState
  #origin: Origin
  #engine: Engine
  #joined: Promise<void> = Promise.resolve()
  #ended = false

  static {
    update = (torrent, state) => torrent.#update(state)
    rejoin = (torrent) => void torrent.#call(async () => {}).catch((error) => torrent.#fail(error))
    setOrigin = (torrent, origin) => {
      if (origin.rank >= torrent.#origin.rank) torrent.#origin = origin
    }
    end = (torrent) => torrent.#end()
    fileOf = (torrent, index) => torrent.#files[index]
  }

  constructor(host: TorrentHost, engine: Engine, state: TorrentState, origin: Origin) {
    super()
    this.#host = host
    this.#engine = engine
    this.#origin = origin
    this.#state = { ...state, ready: false, done: false, error: undefined }
    this.ready = this.#ready.promise
    this.done = this.#done.promise
    this.#update(state)
  }

  /** All of the below at once, as plain data. */
  get state(): TorrentState {
    return this.#state
  }
  /** 40 hex digits, lower case. */
  get infoHash(): string {
    return this.#state.infoHash
  }
  /** '' until ready. Written by a stranger: show it as text only. */
  get name(): string {
    return this.#state.name
  }
  get magnetURI(): string {
    return this.#state.magnetURI
  }
  /** Opens in a browser; carries the key when private. */
  get link(): string {
    return this.#state.link
  }
  get private(): boolean {
    return this.#state.private
  }
  /** Empty until ready. */
  get files(): readonly TorrentFile[] {
    return this.#shown
  }
  /** Bytes of all files; 0 until ready. */
  get length(): number {
    return this.#state.length
  }
  /** 0 to 1: the share that is here and verified. */
  get progress(): number {
    return this.#state.progress
  }
  /** Verified bytes here. */
  get downloaded(): number {
    return this.#state.downloaded
  }
  /** Bytes sent since the engine started. */
  get uploaded(): number {
    return this.#state.uploaded
  }
  /** Bytes per second. */
  get downloadSpeed(): number {
    return this.#state.downloadSpeed
  }
  get uploadSpeed(): number {
    return this.#state.uploadSpeed
  }
  get peers(): readonly PeerState[] {
    return this.#state.peers
  }
  get trackers(): readonly TrackerState[] {
    return this.#state.trackers
  }
  get status(): TorrentStatus {
    return this.#state.status
  }
  get card(): Card | undefined {
    return this.#state.card
  }

  /** Only who shared the torrent first, with a card, can change it; at most 32 KiB of JSON. */
  async setCard(card: Card): Promise<void> {
    const value = plain(card)
    await this.#call((engine) => engine.setCard(this.infoHash, value))
  }

  /** The .torrent file; waits for the metadata. */
  async torrentFile(): Promise<Bytes> {
    await this.ready
    return this.#call((engine) => engine.torrentFile(this.infoHash))
  }

  /** Nothing of it is fetched or sent, in any tab and after a reload, until resume. What is here can be read. */
  async pause(): Promise<void> {
    await this.#call((engine) => engine.pause(this.infoHash, true))
  }

  async resume(): Promise<void> {
    await this.#call((engine) => engine.pause(this.infoHash, false))
  }

  /** Stops it, in every tab. Its data stays for a later add or seed, unless destroyStore. Safe to call twice. */
  async remove(options?: { destroyStore?: boolean }): Promise<void> {
    if (this.#ended) return
    try {
      await this.#host.call(async (engine) => {
        await this.#join(engine).catch(() => {})
        await engine.remove(this.infoHash, { destroyStore: !!options?.destroyStore })
      })
    } catch (error) {
      if (!(error instanceof StarlingError && error.code === 'removed')) throw error
    }
    this.#host.drop(this)
  }

  readonly #call: EngineCall = (work) =>
    this.#host.call(async (engine) => {
      await this.#join(engine)
      if (this.#ended) throw removed()
      return work(engine)
    })

  /** Resolves when engine has the torrent: makes it there, once, where another engine had it before. */
  #join(engine: Engine): Promise<void> {
    if (engine !== this.#engine) {
      this.#engine = engine
      this.#joined = this.#host.make(engine, this.#origin, this.#state, (state) => {
        if (engine !== this.#engine) return
        if (state.infoHash === this.infoHash) return this.#update(state)
        void engine.remove(state.infoHash, { destroyStore: true }).catch(() => {})
        throw new StarlingError('unreadable', 'The tab that kept the key of this share was closed. Share it again.')
      })
    }
    return this.#joined
  }

  #fail({ code, message }: StarlingError): void {
    // While this page was frozen, and could not hear of it.
    if (code === 'removed') return this.#host.drop(this)
    this.#update({ ...this.#state, status: 'failed', error: { code, message } })
  }

  #update(state: TorrentState): void {
    if (this.#ended) return
    state = { ...state, link: this.#link(state) }
    const before = this.#state
    // A new engine may have to fetch the metadata again: what was final stays so. The data may be gone with the old one.
    if (before.ready && !state.ready) {
      const { status, peers, trackers, progress, downloaded, downloadSpeed, uploadSpeed, error } = state
      const done = before.done && progress === 1
      state = { ...before, status, peers, trackers, progress, downloaded, done, downloadSpeed, uploadSpeed, error }
    } else this.#fileStates = [...state.files]
    this.#state = state
    if (state.ready) {
      while (this.#files.length < state.files.length) {
        const index = this.#files.length
        this.#files.push(new TorrentFile(this.infoHash, index, () => this.#fileStates[index]!, this.#call))
        this.#shown.push(this.#files[index]!)
      }
      this.#ready.resolve()
      if (!before.ready) this.emit('ready', undefined)
    }
    if (state.card && JSON.stringify(state.card) !== JSON.stringify(before.card)) this.emit('card', state.card)
    this.emit('progress', state)
    if (state.done) {
      this.#done.resolve()
      if (!before.done) this.emit('done', undefined)
    }
    if (state.error && !before.error) {
      const error = new StarlingError(state.error.code, state.error.message)
      this.#ready.reject(error)
      this.#done.reject(error)
      this.emit('error', error)
    }
  }

  /** Where the engine's links begin otherwise, trackers may have been left out as that place's own; a magnet names all. */
  #link({ link, magnetURI }: TorrentState): string {
    const base = this.#host.linkBase
    if (link.startsWith(base + '#')) return link
    return [base, /#[^&]*/.exec(link), ...(magnetURI.match(/&(tr|ws)=[^&]*/g) ?? [])].join('')
  }

  #end(): void {
    this.#ended = true
    const error = removed()
    this.#ready.reject(error)
    this.#done.reject(error)
    for (const file of this.#files) revoke(file)
  }
}

/** A card as it travels; what is not JSON is left out. Peers take nothing but objects. */
export function plain(card: Card): Card {
  const value = JSON.parse(JSON.stringify(card) ?? null) as Card | null
  if (value instanceof Object && !Array.isArray(value)) return value
  throw new StarlingError('unsupported', "A card must be an object, such as { title: '…' }.")
}
