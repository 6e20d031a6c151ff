/**
 * The carrier: what a page has one of as soon as something may come from other visitors.
 *
 *   page.ts, media.ts ── get, read ──▶ Carrier ── lookup ──▶ the site: where assets lie, and their sums
 *                                        │ Asset (verifies, keeps) ◀── ranges.ts ◀── HTTP, at the deadline
 *                                        └ Torrent ◀── Peer ◀── Links ◀── TrackerRendezvous
 *
 * It never throws at its users: what cannot be had from here is undefined, and they leave it to the browser.
 */
import {
  Budget, Limit, Links, Peer, Shelf, TrackerRendezvous, clock, random, toHex, utf8,
  type Channel, type LinkHost, type PeerNode,
} from '../engine/parts.ts'
import { Asset, type Described, type Home } from './asset.ts'
import { Cache } from './cache.ts'
import { figures, type Cause } from './figures.ts'
import { fetchPieces } from './ranges.ts'
import { base, settings } from './settings.ts'
import { Torrent, type DescribedTorrent, type TorrentHost } from './torrent.ts'

interface Found {
  version: string
  trackers: string[]
  ice: { urls: string; username?: string; credential?: string }[]
  torrents: DescribedTorrent[]
  assets: Record<string, Described>
  held: Record<string, { torrent: number; first: number }>
}

const memory = 16 << 20
const shelf = 8 << 20
const tickEvery = 250
const maxLinks = 30
/** Paths asked for at once, and assets kept from before that are told of. */
const maxPaths = 256
const maxHeld = 256
const lookupTime = 5_000
/** From so many torrents on this visitor is in those alone from which the page has something, whatever else is kept. */
const maxTorrents = 8
/**
 * Assets that come over HTTP at once, but for those in view: as many as browsers open connections to an HTTP/1.1 server,
 * or so many while there are peers.
 */
const lanes = 6
const narrow = 2
/** Milliseconds until it is taken for granted that nobody has it. */
const lonely = 1_000

/** An asset whose turn to come over HTTP has not come. */
interface Waiting {
  readonly asset: Asset
  readonly since: number
  readonly go: (cause: Cause) => void
}

export class Carrier implements LinkHost, PeerNode, TorrentHost {
  readonly memory = new Budget(memory)
  readonly shelf = new Shelf(shelf)
  readonly up = new Limit(settings.upload)
  readonly down = new Limit()
  readonly strangers = new Set<Peer>()
  readonly thirsty = new Set<Peer>()
  readonly peerId: string
  trackers: string[] = []
  #ice: RTCIceServer[] = []
  readonly #cache = new Cache(settings.keep)
  readonly #torrents = new Map<string, Torrent>()
  /** By path; undefined: the site does not name it. */
  readonly #assets = new Map<string, Promise<Asset | undefined>>()
  readonly #known = new Map<string, Asset>()
  readonly #links: Links
  readonly #rendezvous: TrackerRendezvous
  #version = ''
  #batch: { path: string; found: (asset: Asset | undefined) => void }[] = []
  readonly #waiting = new Set<Waiting>()
  #busy = 0
  /** How many the tracker knew of, by infohash, when it was last looked up. */
  readonly #crowd = new Map<string, number>()

  constructor() {
    const id = new Uint8Array([...utf8.encode('-SL0100-'), ...random(12)])
    this.peerId = toHex(id)
    this.#links = new Links({ peerId: id, host: this, configuration: async () => ({ iceServers: this.#ice }), maxLinks, connection: settings.connection })
    this.#rendezvous = new TrackerRendezvous({ peerId: id, desk: this.#links })
    this.#rendezvous.onchange = () => this.#turns()
    setInterval(() => this.#tick(), tickEvery)
    // A page that the browser puts aside answers nobody; it may come back as it was.
    addEventListener('pagehide', () => {
      for (const infoHash of this.#torrents.keys()) this.#rendezvous.remove(infoHash)
    })
    addEventListener('pageshow', ({ persisted }) => persisted && this.#announce())
    figures.onversion = (version) => version !== this.#version && void this.#renew()
  }

  readonly now = clock

  /** The asset at this path of the site, if it names one. */
  asset(path: string): Promise<Asset | undefined> {
    const known = this.#assets.get(path)
    if (known) return known
    const asked = new Promise<Asset | undefined>((found) => {
      if (!this.#batch.length) queueMicrotask(() => void this.#ask())
      this.#batch.push({ path, found })
    })
    this.#assets.set(path, asked)
    return asked
  }

  /** Whether there is anybody to ask for it, and it is this visitor's turn to ask. */
  crowded({ torrent }: Asset): boolean {
    if (!torrent) return false
    // A tracker counts this visitor as well, the site's first answer does not; -1: neither has told.
    const visitors = Math.max(this.#told(torrent), 1 + (this.#crowd.get(torrent.infoHash) ?? -1), torrent.peers && 1 + torrent.peers)
    return visitors < 1 || (visitors > 1 && visitors >= settings.threshold)
  }

  /** How many visitors trackers have told of; -1: they have not yet. */
  #told({ infoHash }: Home): number {
    return Math.max(-1, ...this.#rendezvous.trackers(infoHash).map(({ seeders, leechers }) => (seeders ?? -1) + (leechers ?? 0)))
  }

  /**
   * All of an asset: from the cache, or from peers until its turn to come over HTTP has come, or hurry resolves. alone:
   * how the browser may load it by itself where there is nobody to ask; resolves when it has, rejects where it cannot.
   * Undefined in this case, and where the site has something else by now, or gives nothing.
   */
  async get(asset: Asset, hurry: Promise<Cause> = new Promise(() => {}), alone?: () => Promise<unknown>): Promise<Blob | undefined> {
    const { torrent } = asset
    if (asset.whole) figures.kept += asset.size
    else if (!torrent) return undefined
    else {
      torrent.want(asset, 0, asset.pieces)
      let waiting!: Waiting
      const turn = new Promise<Cause>((go) => this.#waiting.add((waiting = { asset, since: this.now(), go })))
      this.#turns()
      const whole = asset.until(() => asset.whole)
      const cause = await Promise.race([whole, turn, hurry])
      const turned = !this.#waiting.delete(waiting)
      try {
        if (cause) figures.because(cause)
        if (cause === 'alone' && alone) {
          await alone()
          await this.adopt(asset)
          return undefined
        }
        if (cause && !(await Promise.race([fetchPieces(asset, asset.lacks()), whole.then(() => true)]))) {
          figures.because(asset.stale ? 'stale' : 'failed')
          return undefined
        }
      } finally {
        // Until then peers may be sooner still.
        torrent.want(asset)
        if (turned) {
          this.#busy--
          this.#turns()
        }
      }
    }
    try {
      return asset.stale ? undefined : await asset.blob()
    } catch {
      asset.expire()
      return undefined
    }
  }

  /**
   * Over HTTP comes what there is nobody to ask for, and what peers have had their time for; in no order, and a few at a
   * time, so that visitors who come together begin with different ones and give them to one another. rare: one that none
   * of the peers has may come as well.
   */
  #turns(rare = false): void {
    for (const waiting of [...this.#waiting].sort(() => Math.random() - 0.5)) {
      const { asset, since, go } = waiting
      const { torrent } = asset
      const age = this.now() - since
      const late = age > settings.deadline
      if (this.#busy >= (torrent?.peers ? narrow : lanes)) return
      if (!late && torrent) {
        const before = this.#crowd.get(torrent.infoHash)
        if (this.crowded(asset)) {
          // Who was told of others waits for them; who came with them cannot know what they have.
          if (!rare || this.#busy || age < lonely || !(torrent.peers || !before) || torrent.offered(asset)) continue
          rare = false
        } else if (before === 0 && age < lonely && this.#told(torrent) < 0) continue
      }
      this.#waiting.delete(waiting)
      this.#busy++
      go(late ? 'deadline' : 'alone')
    }
  }

  /** Gives others what was kept, if anything was and no lookup has told of it. */
  async offer(): Promise<void> {
    await this.#cache.ready
    if (!this.#version && this.#cache.held.length) this.#join(await this.#lookup([]))
  }

  /** The browser has loaded it by itself: its bytes are taken over, to be given to others. */
  async adopt(asset: Asset): Promise<void> {
    if (!asset.whole) await fetchPieces(asset, asset.lacks(), 'force-cache')
  }

  // What links ask

  *known(): Iterable<string> {
    yield* this.#torrents.keys()
  }

  *lacking(): Iterable<string> {
    for (const { infoHash, lacking } of this.#torrents.values()) if (lacking) yield infoHash
  }

  channel(channel: Channel, infoHash?: string): void {
    new Peer(channel, this, (hash) => this.#torrents.get(hash), infoHash)
  }

  failed(): void {
    // The deadline is what counts.
  }

  // What torrents ask

  refresh({ infoHash, hungry }: Torrent): void {
    if (hungry) this.#rendezvous.wake(infoHash)
    this.#links.refresh()
  }

  #tick(): void {
    const now = this.now()
    for (const torrent of this.#torrents.values()) torrent.tick(now)
    for (const peer of this.strangers) peer.tick(now)
    for (const peer of [...this.thirsty]) {
      this.thirsty.delete(peer)
      peer.serve()
    }
    figures.links = this.#links.stats().links
    this.#turns(true)
  }

  async #ask(): Promise<void> {
    await this.#cache.ready
    const batch = this.#batch.splice(0)
    for (let at = 0; at < batch.length; at += maxPaths) {
      const part = batch.slice(at, at + maxPaths)
      try {
        const found = await this.#lookup(part.map(({ path }) => path))
        for (const { path, found: resolve } of part) resolve(this.#enter(path, found))
        this.#join(found)
      } catch {
        for (const { path, found: resolve } of part) {
          this.#assets.delete(path)
          resolve(undefined)
        }
      }
    }
  }

  async #lookup(paths: string[]): Promise<Found> {
    const response = await fetch(`${base}lookup`, {
      method: 'POST',
      body: JSON.stringify({ paths, held: this.#cache.held.slice(0, maxHeld) }),
      credentials: 'omit',
      signal: AbortSignal.timeout(lookupTime),
    })
    const found = (await response.json()) as Found
    this.#version = found.version
    this.trackers = found.trackers.length ? found.trackers : [`${base}announce`.replace(/^http/, 'ws')]
    this.#ice = found.ice
    for (const { infoHash, peers } of found.torrents) if (!this.#torrents.has(infoHash)) this.#crowd.set(infoHash, peers)
    return found
  }

  #torrent(described: DescribedTorrent): Torrent {
    let torrent = this.#torrents.get(described.infoHash)
    if (!torrent) {
      torrent = new Torrent(this, described)
      this.#torrents.set(described.infoHash, torrent)
      for (const [infoHash, old] of this.#torrents) {
        if (this.#torrents.size <= maxTorrents) break
        if (old.hungry || old === torrent || [...this.#known.values()].some(({ url, torrent }) => url && torrent === old)) continue
        this.#rendezvous.remove(infoHash)
        this.#torrents.delete(infoHash)
        old.leave()
      }
    }
    return torrent
  }

  /** An asset as the site describes it now; known ones come to lie where they do now, besides. */
  #enter(path: string, { assets, torrents }: Found): Asset | undefined {
    const described = assets[path]
    const where = described && torrents[described.torrent]
    if (!where) return undefined
    let asset = this.#known.get(described.sha256)
    if (!asset?.url || asset.stale) {
      const url = location.origin + path.replace(/[%?#\\]/g, encodeURIComponent)
      asset = new Asset(url, described, where.pieceLength, this.#cache)
      this.#known.set(described.sha256, asset)
    }
    this.#torrent(where).lie(asset, described.first)
    return asset
  }

  /** Announces what was found, and what was kept from earlier pages. */
  #join({ torrents, held }: Found): void {
    for (const [sha, { torrent, first }] of Object.entries(held)) {
      const where = torrents[torrent]
      if (!where) continue
      const asset = this.#known.get(sha) ?? Asset.held(sha, where.pieceLength, this.#cache)
      this.#known.set(sha, asset)
      this.#torrent(where).lie(asset, first)
    }
    this.#announce()
  }

  #announce(): void {
    for (const torrent of this.#torrents.values()) this.#rendezvous.add(torrent)
    this.#links.refresh()
  }

  /** There is a new version: what is the same in it lies elsewhere now. */
  async #renew(): Promise<void> {
    const paths = [...this.#assets.keys()].slice(-maxPaths)
    try {
      const found = await this.#lookup(paths)
      for (const path of paths) {
        const before = await this.#assets.get(path)
        const asset = this.#enter(path, found)
        if (before && before !== asset) before.expire()
        this.#assets.set(path, Promise.resolve(asset))
        // What the site had not known yet the browser has loaded meanwhile.
        if (asset && !before && !asset.streamed) void this.adopt(asset)
      }
      this.#join(found)
    } catch {
      // Again when the version is told again.
      this.#version = ''
    }
  }
}
