/**
 * The node: what a tab that runs the engine has one of. It wires the rooms below together and keeps the torrents.
 *
 *   page ── seed, add, read … ──▶ Node ──▶ Swarm, one for each torrent ──▶ Stores
 *                                  │  ▲ channels, by the infohash of their handshake
 *             TrackerRendezvous ◀──┘  └── Links ◀── offers and answers ── TrackerRendezvous
 *
 * One timer, here, drives everything that has to happen by itself; a hidden tab may slow it to once a second.
 */
import { equal, random, toHex, utf8, type Bytes } from './bytes.ts'
import { clock } from './clock.ts'
import type { Again, Engine } from './engine.ts'
import { StarlingError, aborted, removed } from './errors.ts'
import type { IceServers } from './home.ts'
import type { Channel } from './link/channel.ts'
import type { LinkHost } from './link/host.ts'
import { network, type Network } from './network.ts'
import type { Standing } from './rendezvous/types.ts'
import { ahead } from './seal/packed.ts'
import { openStores, type Opening } from './store/open.ts'
import type { Entry } from './store/store.ts'
import type { SwarmHost } from './swarm/host.ts'
import { extend, wrongKey } from './swarm/keeping.ts'
import { more, opening } from './swarm/lazy.ts'
import { Budget, Limit } from './swarm/limit.ts'
import { Peer } from './swarm/peer.ts'
import type { Prepared } from './swarm/seeding.ts'
import { Shelf } from './swarm/shelf.ts'
import { Swarm } from './swarm/swarm.ts'
import { parseId, type TorrentId } from './torrent/link.ts'
import type { AddOptions, Card, Limits, NodeStats, SeedOptions, StarlingOptions, TorrentState, TrackerState } from './types.ts'

/** A page's options, with what they leave to the server that the engine came from. */
export interface NodeOptions extends Omit<StarlingOptions, 'server' | 'iceServers' | 'shareTabs'> {
  trackers: string[]
  iceServers: IceServers
  /** The tracker of the server that gives these, where it has one. */
  home?: string
  linkBase: string
}

/** Bytes of pieces that are not yet on disk, and of what was read to be sent. */
const memory = 24 << 20
const shelf = 16 << 20
const tickEvery = 250

/** Rejects with 'unsupported' where the page is not secure. */
export async function startNode(options: NodeOptions): Promise<Node> {
  if (!globalThis.crypto?.subtle) {
    throw new StarlingError('unsupported', 'Starling needs a secure page: open it over HTTPS or on localhost.')
  }
  return new Node(options, openStores(options.store ?? 'auto'))
}

function inWords({ refusal, ...state }: Standing): TrackerState {
  if (state.status !== 'failed') return state
  return { ...state, error: refusal ? `The tracker refuses: ${refusal}` : 'The tracker cannot be reached. Trying again.' }
}

/** What a page calls, by way of Starling and its handles, and where links bring channels. */
export class Node implements Engine, LinkHost {
  onstate: Engine['onstate']
  onpeer: Engine['onpeer']
  onremove: Engine['onremove']

  readonly #options: NodeOptions
  readonly #store: Opening
  readonly #swarms = new Map<string, Swarm>()
  /** Torrents that are being removed. */
  readonly #closing = new Map<string, Promise<void>>()
  /** Those that were, and that nobody wanted since: a page that was frozen meanwhile does not bring them back. */
  readonly #removed = new Set<string>()
  readonly #network: Network
  readonly #host: SwarmHost & { up: Limit; down: Limit }
  readonly #changed = new Set<string>()
  /** Paused, and that is not yet on disk: who reads that it is so may close the page. */
  readonly #noting = new Set<Swarm>()
  readonly #strangers = new Set<Peer>()
  readonly #thirsty = new Set<Peer>()
  readonly #lanes = { open: 0, made: 0 }
  /** URLs of trackers that are there. */
  readonly #trackers = new Set<string>()
  #relayOnly: boolean
  /** URLs of trackers and web seeds that pages named. Others come from links. */
  readonly #named: Set<string>
  readonly #timer: ReturnType<typeof setInterval>
  /** A page that is left answers nobody, so no tracker should name it. It may come back as it was. */
  readonly #away = () => {
    for (const infoHash of this.#swarms.keys()) this.#network.rendezvous.remove(infoHash)
  }
  readonly #back = ({ persisted }: PageTransitionEvent) => {
    if (persisted) for (const swarm of this.#swarms.values()) this.#announce(swarm)
  }
  #destroyed: Promise<void> | undefined

  constructor(options: NodeOptions, store: Opening, connect = network) {
    const { linkBase, uploadLimit, downloadLimit } = options
    this.#options = options
    this.#store = store
    this.#relayOnly = !!options.relayOnly
    this.#named = new Set(options.trackers)
    const id = new Uint8Array([...utf8.encode('-SL0100-'), ...random(12)])
    this.#network = connect(id, this, options, (infoHash) => this.#swarms.get(infoHash)?.linking(), async (infoHash) => {
      const swarm = this.#swarms.get(infoHash)
      await swarm?.known.catch(() => {})
      if (swarm?.entry.paused) rendezvous.remove(infoHash)
    })
    const { rendezvous } = this.#network
    rendezvous.onchange = (infoHash) => {
      this.#heed(rendezvous.trackers(infoHash))
      this.#swarms.get(infoHash)?.changed()
    }
    this.#host = {
      peerId: toHex(id),
      stores: () => store.stores(),
      up: new Limit(uploadLimit),
      down: new Limit(downloadLimit),
      memory: new Budget(memory),
      shelf: new Shelf(shelf),
      strangers: this.#strangers,
      thirsty: this.#thirsty,
      linkBase,
      now: clock,
      lanes: this.#lanes,
      iceServers: options.iceServers,
      trackerStates: (infoHash) => rendezvous.trackers(infoHash).map(inWords),
      changed: (infoHash, now) => (now ? this.#tell(infoHash) : this.#changed.add(infoHash)),
      peer: (infoHash, state) => this.onpeer?.(infoHash, state),
      mayLane: () => !this.#relayOnly,
      mayAsk: (url) => !this.#relayOnly || this.#named.has(url),
      needs: (infoHash) => {
        rendezvous.wake(infoHash)
        this.#network.links.refresh()
      },
      completed: (infoHash) => {
        rendezvous.completed(infoHash)
        this.#network.links.refresh()
      },
    }
    this.#timer = setInterval(() => this.#tick(), tickEvery)
    globalThis.addEventListener?.('pagehide', this.#away)
    globalThis.addEventListener?.('pageshow', this.#back)
  }

  // Engine

  async seed(
    files: readonly Blob[], options: SeedOptions & Again, onHash?: (bytes: number) => void, signal?: AbortSignal,
  ): Promise<TorrentState> {
    const { card } = options
    this.#name(options)
    const known = options.known ? await parseId(options.known) : undefined
    if (known && options.again) this.#missed(known.infoHash)
    const before = known && (this.#swarms.get(known.infoHash)?.entry ?? (await this.#before(known.infoHash)))
    const given = {
      ...options,
      // What was private is not made public by leaving a word out.
      private: options.private ?? !!(known?.key ?? before?.key),
      trackers: options.trackers ?? [...this.#options.trackers],
      onHash: (bytes: number) => {
        // A large file takes long, which nobody waits for any more.
        if (this.#destroyed) throw removed()
        if (signal?.aborted) throw aborted(signal)
        const tell = onHash ?? options.onHash
        tell?.(bytes)
      },
    }
    const { prepare } = await more()
    const prepared = await prepare(files, given, before)
    if (signal?.aborted) throw aborted(signal)
    const swarm = await this.#enter(prepared)
    const { card: last } = swarm.entry
    if (card && (!last || ahead(last.packed) || JSON.stringify(card) !== JSON.stringify(last.value))) await swarm.setCard(card)
    return swarm.state
  }

  async add(id: string | Bytes, options: AddOptions & Again): Promise<TorrentState> {
    const { trackers = [], webSeeds = [], onDemand = false, again } = options
    this.#name(options)
    const parsed = await parseId(id)
    const { infoHash, key } = parsed
    if (again) this.#missed(infoHash)
    if (key) void opening().catch(() => {})
    // Before what strangers name, as much as they like: only so many are kept, and asked.
    parsed.trackers = [...trackers, ...this.#options.trackers, ...parsed.trackers]
    parsed.webSeeds = [...parsed.webSeeds, ...webSeeds]
    await this.#makeWay(infoHash, key)
    const there = this.#swarms.get(infoHash)
    if (there) await there.merge(parsed, onDemand)
    else await this.#open(parsed, onDemand)
    // It may be gone by now, or seeded in place of this one.
    const swarm = this.#get(infoHash)
    this.#announce(swarm)
    return swarm.state
  }

  #name({ trackers = [], webSeeds = [] }: Pick<AddOptions, 'trackers' | 'webSeeds'>): void {
    for (const url of [...trackers, ...webSeeds]) this.#named.add(url)
  }

  /** One that has lost its files is begun anew; with another key too, unless it is open: by its key, or as it needs none. */
  async #makeWay(infoHash: string, key: Bytes | undefined): Promise<void> {
    const swarm = this.#swarms.get(infoHash)
    if (swarm && key && !equal(key, swarm.entry.key ?? new Uint8Array())) {
      const { ready, name, error } = swarm.state
      if (ready && (swarm.entry.key || swarm.entry.seeded || name !== 'sealed')) throw wrongKey()
      await this.#leave(swarm)
      // Handles that are ready, or have failed, were ones of that.
      if (ready || error) this.onremove?.(infoHash)
    } else if (swarm?.lost) await this.#leave(swarm)
    await this.#closing.get(infoHash)
  }

  async #open({ infoHash, key, trackers, webSeeds, torrent }: TorrentId, onDemand: boolean): Promise<void> {
    const entry = extend({ infoHash, trackers: [], webSeeds: [], seeded: false, added: Date.now() }, trackers, webSeeds)
    if (key) entry.key = key
    if (torrent) entry.info = torrent.infoBytes
    // Looking for peers takes longer than reading what is known, so it begins before.
    const swarm = this.#begin(new Swarm(this.#host, entry, { onDemand, before: this.#before(infoHash) }))
    try {
      await swarm.start()
    } catch (error) {
      await this.#leave(swarm)
      throw error
    }
  }

  async read(infoHash: string, file: number, start: number, end: number, reader: string): Promise<Bytes> {
    return this.#get(infoHash).read(file, start, end, reader)
  }

  release(infoHash: string, reader: string): void {
    this.#swarms.get(infoHash)?.release(reader)
  }

  async blob(infoHash: string, file: number): Promise<Blob> {
    return this.#get(infoHash).blob(file)
  }

  async torrentFile(infoHash: string): Promise<Bytes> {
    return this.#get(infoHash).torrentFile()
  }

  async setCard(infoHash: string, card: Card): Promise<void> {
    // A channel that brought the card before was no try of this one.
    this.#network.links.forget(infoHash)
    return this.#get(infoHash).setCard(card)
  }

  async pause(infoHash: string, on: boolean): Promise<void> {
    const swarm = this.#get(infoHash)
    if (on) this.#noting.add(swarm)
    await swarm.pause(on).finally(() => this.#noting.delete(swarm))
    if (this.#swarms.get(infoHash) !== swarm) return
    const { links } = this.#network
    links.forget(infoHash)
    this.#announce(swarm)
    links.refresh()
    this.#tell(infoHash)
  }

  async limit({ uploadLimit, downloadLimit }: Limits): Promise<void> {
    if (uploadLimit !== undefined) this.#host.up = new Limit(uploadLimit)
    if (downloadLimit !== undefined) this.#host.down = new Limit(downloadLimit)
  }

  async setRelayOnly(on: boolean): Promise<void> {
    if (on === this.#relayOnly) return
    this.#relayOnly = on
    const { links, rendezvous } = this.#network
    // They count on: those are of the engine, not of its links.
    this.#lanes.made += links.stats().connectionsMade
    this.#network.relink(on)
    for (const swarm of this.#swarms.values()) {
      if (swarm.trackers.length < swarm.entry.trackers.length) rendezvous.remove(swarm.infoHash)
      swarm.rejoin()
      this.#announce(swarm)
      this.#host.needs(swarm.infoHash)
    }
  }

  async remove(infoHash: string, { destroyStore = false }: { destroyStore?: boolean }): Promise<void> {
    const swarm = this.#get(infoHash)
    // Whoever adds it again wants it.
    swarm.entry.paused = false
    this.#removed.add(infoHash)
    try {
      await this.#leave(swarm, destroyStore)
    } finally {
      // Also where its data could not be deleted.
      this.onremove?.(infoHash)
    }
  }

  async states(): Promise<TorrentState[]> {
    return [...this.#swarms.values()].map((swarm) => swarm.state)
  }

  async stats(): Promise<NodeStats> {
    const stats = { downloadSpeed: 0, uploadSpeed: 0 }
    for (const { traffic } of this.#swarms.values()) {
      const { downloadSpeed, uploadSpeed } = traffic.speeds(this.#host.now())
      stats.downloadSpeed += downloadSpeed
      stats.uploadSpeed += uploadSpeed
    }
    const { open: lanes, made } = this.#lanes
    const links = this.#network.links.stats()
    return {
      leader: true, torrents: this.#swarms.size, ...links, lanes, connectionsMade: links.connectionsMade + made, ...stats,
      relayOnly: this.#relayOnly, store: (await this.#store.stores()).kind,
    }
  }

  destroy(frozen = false): Promise<void> {
    this.#destroyed ??= (async () => {
      clearInterval(this.#timer)
      globalThis.removeEventListener?.('pagehide', this.#away)
      globalThis.removeEventListener?.('pageshow', this.#back)
      const { links, rendezvous } = this.#network
      // What is to be deleted still is.
      const removing = [...this.#closing.values()].map((closing) => closing.catch(() => {}))
      const swarms = [...this.#swarms.values()].map((swarm) => swarm.close(frozen))
      const closing = Promise.all([rendezvous.destroy(), ...removing, ...swarms])
      if (frozen) closing.catch(() => {})
      else await closing
      this.#swarms.clear()
      for (const peer of this.#strangers) peer.close()
      links.destroy()
      await this.#store.close(frozen)
    })()
    return this.#destroyed
  }

  // LinkHost

  *known(): Iterable<string> {
    for (const { infoHash, alive } of this.#swarms.values()) if (alive) yield infoHash
  }

  *lacking(): Iterable<string> {
    const later: string[] = []
    for (const swarm of this.#swarms.values()) {
      if (!swarm.lacking && !swarm.spreading) continue
      if (swarm.urgent) yield swarm.infoHash
      else later.push(swarm.infoHash)
    }
    yield* later
  }

  channel(channel: Channel, infoHash?: string): void {
    if (this.#destroyed) channel.close()
    else new Peer(channel, this.#host, (infoHash) => this.#swarms.get(infoHash), infoHash)
  }

  failed(infoHash: string): void {
    this.#swarms.get(infoHash)?.linking(true)
  }

  /** A server that was away may have been started anew, and then knows nothing of what it gave and relayed before. */
  #heed(trackers: readonly Standing[]): void {
    for (const { url, status, refusal } of trackers) {
      if (status === 'working') this.#trackers.add(url)
      else if (status === 'failed' && !refusal && this.#trackers.delete(url)) {
        // Offers of its own it has let go of, and others carry theirs still: unless they name its relay.
        if (this.#trackers.size && url !== this.#options.home) continue
        this.#options.iceServers.renew?.()
        this.#network.links.withdraw()
      }
    }
  }

  #get(infoHash: string): Swarm {
    const swarm = this.#swarms.get(infoHash)
    if (swarm) return swarm
    throw removed()
  }

  /** Throws where it was removed. */
  #missed(infoHash: string): void {
    if (this.#removed.has(infoHash)) throw removed()
  }

  /** Seeds what was prepared, in place of what there is of the same torrent. */
  async #enter({ entry, options }: Prepared): Promise<Swarm> {
    const { infoHash } = entry
    const { registry } = await this.#store.stores()
    let before: Entry | undefined
    // Others may add it meanwhile.
    do {
      await this.#closing.get(infoHash)
      const there = this.#swarms.get(infoHash)
      // One that failed, as its files were changed, is shared again.
      if (there?.done && !there.state.error) return there
      if (there) await this.#leave(there)
      before = await registry.get(infoHash)
    } while (this.#swarms.has(infoHash))
    const swarm = this.#begin(new Swarm(this.#host, { ...before, ...entry }, options))
    try {
      await swarm.start()
      await registry.put(swarm.entry)
    } catch (error) {
      await this.#leave(swarm)
      throw error
    }
    return swarm
  }

  async #before(infoHash: string): Promise<Entry | undefined> {
    if (await this.#store.unknown(infoHash)) return undefined
    return (await this.#store.stores()).registry.get(infoHash)
  }

  #begin(swarm: Swarm): Swarm {
    if (this.#destroyed) throw removed()
    const { infoHash } = swarm
    this.#swarms.set(infoHash, swarm)
    this.#removed.delete(infoHash)
    this.#announce(swarm)
    this.#network.links.refresh()
    return swarm
  }

  #announce(swarm: Swarm): void {
    const { rendezvous } = this.#network
    if (swarm.entry.paused) rendezvous.remove(swarm.infoHash)
    else rendezvous.add(swarm)
  }

  async #leave(swarm: Swarm, destroyStore = false): Promise<void> {
    const { infoHash } = swarm
    this.#swarms.delete(infoHash)
    this.#changed.delete(infoHash)
    this.#network.rendezvous.remove(infoHash)
    this.#network.links.refresh()
    const closing = (async () => {
      await swarm.close()
      this.#network.links.forget(infoHash)
      if (!destroyStore) return
      const stores = await this.#store.stores()
      await stores.registry.delete(infoHash)
      await stores.destroy(infoHash)
    })()
    this.#closing.set(infoHash, closing)
    await closing.finally(() => this.#closing.delete(infoHash))
  }

  #tell(infoHash: string): void {
    this.#changed.delete(infoHash)
    const swarm = this.#swarms.get(infoHash)
    if (swarm && !this.#noting.has(swarm)) this.onstate?.(swarm.state)
  }

  #tick(): void {
    const now = this.#host.now()
    for (const swarm of this.#swarms.values()) swarm.tick(now)
    for (const peer of this.#strangers) peer.tick(now)
    // In turns, a block each, while the upload limit allows.
    for (let sent = true; sent && this.#thirsty.size; ) {
      sent = false
      for (const peer of [...this.#thirsty]) {
        this.#thirsty.delete(peer)
        if (peer.serve(1)) {
          this.#thirsty.add(peer)
          sent = true
        }
      }
    }
    for (const infoHash of [...this.#changed]) this.#tell(infoHash)
  }
}
