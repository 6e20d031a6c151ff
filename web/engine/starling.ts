/**
 * Starling: what a page makes one of. It keeps the handles (handles/), takes what pages give in many shapes, and passes
 * calls to the engine of the moment: the node that this tab runs, or another tab's (tabs/). Handles live on when the
 * engine is replaced; calls that were under way are made again.
 */
import type { Bytes } from './bytes.ts'
import { Deferred } from './deferred.ts'
import { Emitter } from './emitter.ts'
import type { Engine } from './engine.ts'
import { StarlingError, aborted, removed, unloaded } from './errors.ts'
import { ranges, source } from './handles/file-handle.ts'
import { end, fileOf, plain, rejoin, setOrigin, Torrent, update } from './handles/torrent-handle.ts'
import type { Origin, TorrentHost } from './handles/torrent-handle.ts'
import { homeOf } from './home.ts'
import { serveRanges } from './stream/serve.ts'
import type { RangeSource } from './stream/source.ts'
import { shareTabs } from './tabs/tabs.ts'
import type { AddOptions, Limits, NodeStats, SeedOptions, StarlingOptions, TorrentState } from './types.ts'
import { urlOf } from './url.ts'

/** What can be seeded: text and bytes become a file of their own. */
export type Seedable = Blob | string | ArrayBuffer | ArrayBufferView<ArrayBuffer>
/** A link, magnet or infohash; or a .torrent file, as bytes or Blob. */
export type Addable = string | URL | Blob | ArrayBuffer | ArrayBufferView<ArrayBuffer>

/** What a Starling tells: each event by its name, with what its listeners are given. */
export interface StarlingEvents {
  /** This page came to have one more. */
  torrent: Torrent
  /** It was removed: by this page, or in another tab. */
  remove: Torrent
  /**
   * Another engine has the torrents of this page now, as the tab that ran the one before is gone. What that tab alone had
   * goes on nowhere, unless it is seeded and added here.
   */
  takeover: void
  /** The engine cannot run here; every call fails with the same error. */
  error: StarlingError
}

/**
 * A page that imports this will need the node soon; where another tab leads as well, as that tab may close when the
 * server is out of reach. What fails here is tried again when it is needed.
 */
const loadNode = async () => (await import('./node.ts').catch(unloaded)).startNode
void loadNode().catch(() => {})

/** Longest .torrent file, bytes. */
const longestFile = 32 << 20

/**
 * A page's part of the engine: make one, which does not wait for anything. Every error is a StarlingError, and its code says
 * of which kind (docs/engine.md, "Errors").
 */
export class Starling extends Emitter<StarlingEvents> {
  /** The engine runs, here or in another tab. Need not be waited for. Rejects with a StarlingError where it cannot. */
  readonly ready: Promise<void>

  readonly #options: StarlingOptions & { linkBase: string }
  readonly #torrents = new Map<string, Torrent>()
  readonly #host: TorrentHost
  readonly #leave: () => Promise<void>
  readonly #unserve: () => void
  /** The engine of the moment, and the promise of it: another one whenever it goes away. */
  #engine: Engine | undefined
  #promised = new Deferred<Engine>()
  /** It is settled. */
  #given = false
  #begun = false
  /** States told while torrents are being made: they may be newer than the answers. */
  readonly #early = new Map<string, TorrentState>()
  #making = 0
  /** What this page asked for since: the next engine begins with what its own tab was given. */
  #limits: Limits | undefined
  #relayOnly: boolean | undefined
  #destroyed: Promise<void> | undefined

  constructor(options?: StarlingOptions) {
    super()
    const { server, ...rest } = options ?? {}
    connectable(rest)
    this.#relayOnly = rest.relayOnly
    const home = homeOf(server)
    const linkBase = rest.linkBase ? whole(rest.linkBase) : home.linkBase
    this.#options = { ...rest, trackers: usable(rest.trackers), linkBase }
    this.#host = {
      linkBase,
      call: (work) => this.#call(work),
      make: (...args) => this.#make(...args),
      drop: (torrent) => this.#drop(torrent),
    }
    this.ready = this.#call(async () => {})
    this.ready.catch(() => {})
    this.#leave = this.#enter(home)
    this.#unserve = serveRanges((infoHash, file) => this.#find(infoHash, file))
  }

  /** Torrents that this page seeded or added. */
  get torrents(): Torrent[] {
    return [...this.#torrents.values()]
  }

  /** Of those, the one with this infohash (40 hex digits). */
  get(infoHash: string): Torrent | undefined {
    return this.#torrents.get(infoHash.toLowerCase())
  }

  /** Shares files: resolves when they are hashed and have a link. Blobs are read where they lie, and not copied. */
  seed(what: Seedable | Iterable<Seedable> | FileList, options?: SeedOptions): Promise<Torrent>
  async seed(
    what: Seedable | Iterable<Seedable> | FileList, options?: SeedOptions, callback?: unknown,
  ): Promise<Torrent> {
    refuse(options, callback)
    const files = blobs(what)
    if (!files.length) throw new StarlingError('unreadable', 'There is no file to share.')
    const { name, private: sealed, known, card, webSeeds, trackers, onHash, signal } = options ?? {}
    const given = {
      name, private: sealed, known, card: card && plain(card), webSeeds: seeds(webSeeds),
      trackers: usable(trackers) ?? this.#options.trackers,
    }
    // A page's progress bar that is gone ends no share.
    const hashed = onHash && ((bytes: number) => {
      try {
        onHash(bytes)
      } catch (error) {
        reportError(error)
      }
    })
    return this.#take({
      rank: 2,
      make: (engine, before) => {
        if (!before) {
          if (signal?.aborted) throw aborted(signal)
          return engine.seed(files, given, hashed, signal)
        }
        // Its card is known there, and may be newer: this page may have been frozen.
        const same = { known: before.infoHash, private: before.private, card: undefined, again: true }
        return engine.seed(files, { ...given, ...same })
      },
    })
  }

  /** Fetches, and shares what it has. Resolves at once; see Torrent.ready and Torrent.done. */
  add(what: Addable, options?: AddOptions): Promise<Torrent>
  async add(what: Addable, options?: AddOptions, callback?: unknown): Promise<Torrent> {
    refuse(options, callback)
    const id = await identify(what)
    const { trackers: more, webSeeds, onDemand } = options ?? {}
    const trackers = [...(usable(more, true) ?? []), ...(this.#options.trackers ?? [])]
    const given = { trackers, webSeeds: seeds(webSeeds), onDemand: !!onDemand }
    const make: Origin['make'] = (engine, before) => engine.add(id, { ...given, again: !!before })
    return this.#take({ rank: given.onDemand ? 0 : 1, make })
  }

  /** Other limits from now on, in all tabs, as they share one engine. What is not named stays as it is. */
  limit(limits: Limits): Promise<void> {
    const given = { ...limits }
    this.#limits = { ...this.#limits, ...given }
    return this.#call((engine) => engine.limit(given))
  }

  /**
   * Whether links go through TURN servers alone from now on (StarlingOptions.relayOnly), in all tabs, as they share one
   * engine. Those that stand are ended, and made anew.
   */
  setRelayOnly(on: boolean): Promise<void> {
    this.#relayOnly = on
    return this.#call((engine) => engine.setRelayOnly(on))
  }

  /** Of all torrents of the engine, whichever tabs seeded or added them. */
  states(): Promise<TorrentState[]> {
    return this.#call((engine) => engine.states())
  }

  /** Of the whole engine, whichever tab runs it. */
  stats(): Promise<NodeStats> {
    return this.#call((engine) => engine.stats())
  }

  /** Ends this page's part. Where this tab runs the engine, another tab takes over or all transfers end. Data stays. */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#destroy()
    return this.#destroyed
  }

  async #destroy(): Promise<void> {
    this.#unserve()
    const left = this.#leave()
    this.#fail(new StarlingError('removed', 'This Starling was destroyed.'))
    // Without 'remove': what is there stays, and pages that keep a list of it are to keep that.
    for (const torrent of this.torrents) end(torrent)
    this.#torrents.clear()
    await left
  }

  /** Has this tab run the engine, or find the one that does; returns how to stop. */
  #enter(home: ReturnType<typeof homeOf>): () => Promise<void> {
    const { iceServers, shareTabs: share = true, trackers = home.trackers, ...rest } = this.#options
    const ice = iceServers ? async () => iceServers : home.ice
    const node = loadNode()
    node.catch(() => {})
    const { BroadcastChannel, document, navigator } = globalThis
    if (document) void ice()
    const start = async () => {
      const startNode = await node.catch(loadNode)
      // It has no WebRTC. A worker would lead the site's tabs, which have; a program that renders pages would not end.
      if (!document) throw new StarlingError('unsupported', 'Starling runs in pages, not in workers or Node.js. Make it in the page.')
      return startNode({ ...rest, relayOnly: !!this.#relayOnly, trackers, iceServers: ice, home: iceServers ? undefined : home.trackers[0] })
    }
    const use = (engine: Engine | undefined) => this.#use(engine)
    const failed = (reason: unknown) => {
      const error = told(reason)
      this.#fail(error)
      this.emit('error', error)
    }
    // What is to stay in memory must not land on the disk of another tab's engine.
    if (document && share && rest.store !== 'memory' && BroadcastChannel && navigator?.locks) {
      try {
        const tabs = shareTabs(start, use, failed, { locks: navigator.locks, events: globalThis, BroadcastChannel })
        return () => tabs.close()
      } catch {
        // Where the browser keeps all storage from a page, it keeps its other tabs from it as well.
      }
    }
    const alone = start()
    alone.then(use).catch(failed)
    return () => alone.then((engine) => engine.destroy()).catch(() => {})
  }

  #use(engine: Engine | undefined): void {
    if (this.#destroyed) return
    if (this.#given) this.#promised = new Deferred()
    this.#given = false
    this.#engine = engine
    this.#early.clear()
    if (!engine) return
    const torrentOf = (infoHash: string) => (engine === this.#engine ? this.#torrents.get(infoHash) : undefined)
    engine.onstate = (state) => {
      if (this.#making && engine === this.#engine) this.#early.set(state.infoHash, state)
      const torrent = torrentOf(state.infoHash)
      if (torrent) update(torrent, state)
    }
    engine.onpeer = (infoHash, peer) => torrentOf(infoHash)?.emit('peer', peer)
    engine.onremove = (infoHash) => {
      this.#early.delete(infoHash)
      const torrent = torrentOf(infoHash)
      if (torrent) this.#drop(torrent)
    }
    if (this.#limits) void engine.limit(this.#limits).catch(() => {})
    if (!this.#relayOnly) return this.#give(engine)
    // Nothing is asked of one that does not hide the address.
    void engine.setRelayOnly(true).then(() => this.#give(engine), (reason) => this.#give(engine, told(reason)))
  }

  /** Calls that wait, and those to come, go to this engine; or fail. */
  #give(engine: Engine, error?: StarlingError): void {
    if (this.#destroyed || engine !== this.#engine) return
    this.#given = true
    if (error) return this.#fail(error)
    this.#promised.resolve(engine)
    for (const torrent of this.torrents) rejoin(torrent)
    if (this.#begun) this.emit('takeover', undefined)
    this.#begun = true
  }

  /** From now on every call fails. */
  #fail(error: StarlingError): void {
    this.#promised.reject(error)
    this.#promised = new Deferred()
    this.#promised.reject(error)
  }

  async #call<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    for (;;) {
      const promised = this.#promised
      try {
        return await work(await promised.promise)
      } catch (error) {
        if (promised === this.#promised) throw told(error)
      }
    }
  }

  #take(origin: Origin): Promise<Torrent> {
    return this.#call((engine) =>
      this.#make(engine, origin, undefined, (state) => {
        // Meanwhile: it would stay, and end with nothing.
        if (this.#destroyed) throw removed()
        const { infoHash } = state
        let torrent = this.#torrents.get(infoHash)
        if (torrent) {
          setOrigin(torrent, origin)
          update(torrent, state)
        } else {
          torrent = new Torrent(this.#host, engine, state, origin)
          this.#torrents.set(infoHash, torrent)
          this.emit('torrent', torrent)
        }
        return torrent
      }),
    )
  }

  async #make<T>(engine: Engine, origin: Origin, before: TorrentState | undefined, then: (state: TorrentState) => T) {
    this.#making++
    try {
      const state = await origin.make(engine, before)
      return then(this.#early.get(state.infoHash) ?? state)
    } finally {
      if (!--this.#making) this.#early.clear()
    }
  }

  #drop(torrent: Torrent): void {
    if (this.get(torrent.infoHash) !== torrent) return
    this.#torrents.delete(torrent.infoHash)
    end(torrent)
    this.emit('remove', torrent)
  }

  /** For the service worker: any file that the engine knows, so that a tab can answer for one that is closed. */
  async #find(infoHash: string, index: number): Promise<RangeSource | undefined> {
    const torrent = this.#torrents.get(infoHash)
    if (torrent) {
      await torrent.ready.catch(() => {})
      const file = fileOf(torrent, index)
      return file && source(file)
    }
    const states = await this.states()
    const file = states.find((state) => state.infoHash === infoHash)?.files[index]
    return file && { ...file, ...ranges(this.#host.call, infoHash, index) }
  }
}

/**
 * One text would be taken for as many trackers as it has letters; by UDP and HTTP browsers ask none. Nobody would be found.
 * besides: there are others, so none of these need be one that browsers ask.
 */
function usable(trackers: string[] | undefined, besides?: boolean): string[] | undefined {
  if (trackers?.length && !(Array.isArray(trackers) && (besides || trackers.some((url) => /^wss?:/i.test(url))))) {
    throw new StarlingError('unsupported', "The trackers must be an array, with one that browsers can ask, such as ['wss://…'].")
  }
  // A copy: what frameworks watch for changes cannot be sent to another tab.
  return trackers ? [...trackers] : undefined
}

/** Others are told of them; and what is no URL would break the torrent, also after a reload. */
function seeds(urls: string[] = []): string[] {
  const all = Array.isArray(urls) ? urls.map(absolute) : ['']
  if (all.every((url) => /^https?:/.test(url))) return all
  throw new StarlingError('unsupported', "The webSeeds must be an array of URLs, such as ['https://site.example/film.mp4'].")
}

/** A page that a link has opened may name itself: what was behind its '#' is no part of other links. */
function whole(linkBase: string): string {
  const [url] = absolute(linkBase).split('#')
  if (url) return url
  throw new StarlingError('unsupported', "The linkBase must be a URL, such as 'https://site.example/watch' or 'watch.html'.")
}

/** As links are, it is meant from where the page lies; '' where it is none. */
const absolute = (url: string): string => urlOf(url, globalThis.location?.href)?.href ?? ''

/** A browser says what is wrong with them only where it connects: nobody would hear that, and nobody be reached. */
function connectable({ iceServers, relayOnly }: StarlingOptions): void {
  if (iceServers && relayOnly && !iceServers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/i.test(url)))) {
    throw new StarlingError('unsupported', "With relayOnly, the iceServers must have a TURN server, such as { urls: 'turn:…', username, credential }.")
  }
  if (!iceServers || iceServers.length === 0 || !globalThis.RTCPeerConnection) return
  try {
    new RTCPeerConnection({ iceServers }).close()
  } catch (cause) {
    throw new StarlingError('unsupported', `The iceServers are of no use to this browser. ${(cause as Error).message}`, { cause })
  }
}

const told = (error: unknown): StarlingError =>
  error instanceof StarlingError ? error : new StarlingError('unsupported', String(error), { cause: error })

/** WebTorrent's calls take one, in place of options or behind them, and nobody would ever call it. */
function refuse(...given: unknown[]): void {
  if (given.some((one) => typeof one === 'function')) throw new StarlingError('unsupported', 'There are no callbacks: await what this returns.')
}

function blobs(what: Seedable | Iterable<Seedable> | FileList): Blob[] {
  // A tab's message keeps a File's name, but not where it lay in a folder.
  if (what instanceof File && what.webkitRelativePath) return [new File([what], what.webkitRelativePath, what)]
  if (what instanceof Blob) return [what]
  if (typeof what === 'string') return [new File([what], 'text.txt', { type: 'text/plain' })]
  if (what instanceof ArrayBuffer || ArrayBuffer.isView(what)) return [new Blob([what])]
  if (what?.[Symbol.iterator]) return [...what].flatMap(blobs)
  throw new StarlingError('unreadable', 'This cannot be shared: it is no File, Blob, FileList, text, bytes, or array of these.')
}

async function identify(what: Addable): Promise<string | Bytes> {
  if (typeof what === 'string') return what.trim()
  if (what instanceof URL) return what.href
  if (ArrayBuffer.isView(what)) return new Uint8Array(what.buffer, what.byteOffset, what.byteLength).slice()
  if (!(what instanceof Blob || what instanceof ArrayBuffer)) {
    throw new StarlingError('bad-link', 'This is not a link, magnet link, infohash or torrent file.')
  }
  if ((what instanceof Blob ? what.size : what.byteLength) > longestFile) {
    throw new StarlingError('too-large', 'This is too large for a torrent file.')
  }
  if (what instanceof ArrayBuffer) return new Uint8Array(what.slice(0))
  const data = await what.arrayBuffer().catch((cause: unknown) => {
    throw new StarlingError('unreadable', 'This torrent file cannot be read any more. Choose it again.', { cause })
  })
  return new Uint8Array(data)
}
