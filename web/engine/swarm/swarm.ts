/**
 * One torrent at work.
 *
 *   channel ─ wire messages ─▶ Peer ──── blocks ────▶ Picker ── whole pieces ──▶ #verify: SHA-1 ─▶ Store ─▶ had, "have"
 *                               ▲ ◀─ what to ask for ───┘                           │ wrong: Blame ─▶ ban
 *                               └─ what was asked for ◀── Shelf ◀── Store           ▼
 *                                  (Choker: of whom)             page ◀── Content ◀── Reading (windows, waits)
 *
 * What is in `had` was verified and is in the store; nothing else is sent, or promised to who adds it again. A page is also
 * given what was verified and is on its way there. Nothing here has a timer: the node calls tick a few times a second, and
 * all else follows from what peers send.
 */
import { equal, type Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import { StarlingError } from '../errors.ts'
import type { Announcing } from '../rendezvous/types.ts'
import type { Entry, Store, Stores } from '../store/store.ts'
import { makeLink, type TorrentId } from '../torrent/link.ts'
import { makeMagnet } from '../torrent/magnet.ts'
import { parseInfo, type Info } from '../torrent/metainfo.ts'
import type { Card, TorrentState, TorrentStatus, TrackerState } from '../types.ts'
import { MetadataExchange } from '../wire/metadata.ts'
import type { Wire } from '../wire/wire.ts'
import { Bitfield } from './bitfield.ts'
import type { Blame } from './blame.ts'
import { Cards } from './cards.ts'
import { Choker } from './choker.ts'
import { plain, type Content } from './content.ts'
import { Extents } from './extents.ts'
import { more } from './lazy.ts'
import type { Budget } from './limit.ts'
import type { Outgoing } from './outgoing.ts'
import type { Peer, PeerHost, PeerNode, Source, Wanted } from './peer.ts'
import { Picker, type Piece } from './picker.ts'
import { Reading } from './reading.ts'
import type { Shelf } from './shelf.ts'
import { Speed } from './speed.ts'
import type { WebSource } from './web-source.ts'

/** What a torrent asks of its node. */
export interface SwarmHost extends PeerNode {
  stores(): Promise<Stores>
  readonly memory: Budget
  readonly shelf: Shelf
  readonly linkBase: string
  banned(peer: Peer): boolean
  ban(peer: Peer): void
  trackerStates(infoHash: string): TrackerState[]
  /** Its state changed; now: what pages must hear at once. */
  changed(swarm: Swarm, now?: boolean): void
  peer(swarm: Swarm, peer: Peer): void
  /** It wants peers, or no longer does. */
  needs(swarm: Swarm): void
  completed(swarm: Swarm): void
}

/** Peers it looks for, and takes. */
const desired = 10
const maxPeers = 60
const chokeEvery = 10_000
const rotateEvery = 5_000
const saveEvery = 3_000
/** Peers that gave nothing for so long are no reason not to look for others. */
const hungryAfter = 10_000
/** A link that did not come about by then will not. */
const attemptTime = 30_000
const maxUrls = 32
/** '-SL' in hex. */
const starling = '2d534c'

export interface SwarmOptions {
  onDemand?: boolean
  /** What was known of it before. */
  before?: Promise<Entry | undefined>
  /** Of a torrent that is seeded from what lies elsewhere. */
  source?: Pick<Store, 'read'> & Partial<Store>
  /** Its files, where they need not be opened. */
  content?: Content
  /** It was not hashed now: each piece is verified before it is first sent. */
  unproven?: boolean
}

export class Swarm implements PeerHost, Announcing {
  readonly infoHash: string
  readonly entry: Entry
  readonly metadata: MetadataExchange
  info: Info | undefined
  had = new Bitfield(0)
  picker: Picker<Source> | undefined
  readonly node: SwarmHost
  readonly #options: SwarmOptions
  readonly #peers = new Set<Peer>()
  #webs: WebSource[] = []
  readonly #choker = new Choker<Peer>()
  #blame: Blame<Source> | undefined
  readonly #ready = new Deferred()
  readonly #downSpeed = new Speed()
  readonly #upSpeed = new Speed()
  #received = 0
  #sent = 0
  /** Verified bytes here. */
  #have = 0
  #store: Promise<NonNullable<SwarmOptions['source']>> | undefined
  #writable = false
  #outgoing: Outgoing | undefined
  #sending: Promise<void> | undefined
  #reading: Reading | undefined
  #extents: Extents | undefined
  #onDemand: boolean
  #error: StarlingError | undefined
  #closed = false
  /** What was known is taken over; until then nothing is saved. */
  readonly #resumed: Promise<void>
  #whole = false
  #learned: Promise<void> | undefined
  readonly #cards: Cards
  #unsaved = false
  #saving: Promise<void> = Promise.resolve()
  #savedAt = 0
  #chokedAt = 0
  #rotatedAt = 0
  #moving = false
  #fedAt = 0
  #hungry = false
  #tried = 0
  #failed = 0
  /** Attempts at links under way, and when the last began. */
  #attempts = 0
  #attemptAt = 0

  constructor(host: SwarmHost, entry: Entry, options: SwarmOptions = {}) {
    this.node = host
    this.#options = options
    this.#onDemand = !!options.onDemand
    this.entry = entry
    this.infoHash = entry.infoHash
    this.metadata = new MetadataExchange(this, entry.info)
    this.#cards = new Cards(this)
    this.#resumed = this.#resume()
    this.#resumed.catch(() => {})
  }

  // What peers ask

  get done(): boolean {
    return !!this.content && this.had.full
  }
  /** Whether more is to be fetched. */
  get fetching(): boolean {
    return !this.#error && !this.#closed && !(this.info && this.had.full)
  }

  joined(peer: Peer): boolean {
    if (!this.alive || this.#peers.size >= maxPeers || this.node.banned(peer)) return false
    for (const { id, channel } of this.#peers) {
      // Links of our own peers are sorted out by links; strangers come twice by mistake.
      if (id === peer.id && channel.link !== peer.channel.link && !id.startsWith(starling)) return false
    }
    if (!this.#peers.size) this.#fedAt = this.node.now()
    this.#peers.add(peer)
    this.#attempts = Math.max(0, this.#attempts - 1)
    this.changed()
    return true
  }

  met(peer: Peer): void {
    this.node.peer(this, peer)
    this.changed()
  }

  gone(peer: Peer): void {
    if (!this.#peers.delete(peer)) return
    this.picker?.leave(peer)
    this.metadata.remove(peer.wire)
    this.choke()
    this.refill()
    this.changed()
    if (this.fetching) this.node.needs(this)
  }

  ban(peer: Peer): void {
    this.node.ban(peer)
  }

  wants(peer: Peer): boolean {
    return this.fetching && peer.useful > 0 && (!this.#onDemand || this.urgent)
  }

  choke(): void {
    this.#choker.fill(this.#peers)
  }

  refill(): void {
    for (const peer of this.#peers) peer.request()
  }

  received(bytes: number): void {
    this.#received += bytes
    this.#downSpeed.add(bytes, (this.#fedAt = this.node.now()))
    this.#moving = true
  }

  sent(bytes: number): void {
    this.#sent += bytes
    this.#upSpeed.add(bytes, this.node.now())
    this.#moving = true
  }

  changed(): void {
    this.node.changed(this)
  }

  block(peer: Peer, ask: Wanted): Bytes | undefined {
    if (this.#outgoing) return this.#outgoing.block(ask, peer.resume)
    void this.#send().then(peer.resume, () => undefined)
    return undefined
  }

  card(peer: Peer, packed: Bytes): void {
    this.#cards.receive(peer, packed)
  }

  // What the metadata exchange asks

  onmetadata(info: Bytes): void {
    void this.learn(info)
  }

  onliar(wire: Wire): void {
    for (const peer of this.#peers) if (peer.wire === wire) peer.ban()
  }

  // What rendezvous asks

  get trackers(): readonly string[] {
    return this.entry.trackers
  }
  get uploaded(): number {
    return this.#sent
  }
  get downloaded(): number {
    return this.#received
  }
  get left(): number | undefined {
    return this.info && this.info.length - this.#have
  }
  /** Peers it would take now, of as many as its trackers know of. */
  get wanted(): number {
    const { size } = this.#peers
    // Counts lag: somebody may have come.
    if (!this.lacking || this.stalled) return this.lacking ? desired - size : 0
    const others = this.node.trackerStates(this.infoHash).map(({ seeders, leechers }) => (seeders ?? desired) + (leechers ?? 1) - 1)
    return Math.min(desired, Math.max(0, ...others)) - size > 0 ? desired - size : 0
  }
  /** It lacks data, and nobody gives any. */
  get stalled(): boolean {
    if (!this.fetching || !this.#peers.size) return this.fetching
    return (!this.#onDemand || this.urgent) && this.node.now() - this.#fedAt > hungryAfter
  }

  // What cards ask

  get content(): Content | undefined {
    return this.#reading?.content
  }
  get peers(): Iterable<Peer> {
    return this.#peers
  }

  async kept(): Promise<void> {
    this.node.needs(this)
    await this.save()
    this.node.changed(this, true)
  }

  // What the node asks

  /** Whether channels are welcome. */
  get alive(): boolean {
    return !this.#closed && (!this.#error || /no-space|storage|wrong-key/.test(this.#error.code))
  }
  /** Its card is new, and peers that need no data of it are told as well. */
  get spreading(): boolean {
    return this.#cards.spreading
  }
  /** Somebody waits for data. */
  get urgent(): boolean {
    return !!this.#reading?.any
  }
  /** Its files are known; only its key, where it has one, opens them. */
  get opened(): boolean {
    return !!this.content
  }
  /** It would take another peer. */
  get lacking(): boolean {
    return this.fetching && this.#peers.size < desired
  }
  get speeds(): { downloadSpeed: number; uploadSpeed: number } {
    const now = this.node.now()
    return { downloadSpeed: this.#downSpeed.at(now), uploadSpeed: this.#upSpeed.at(now) }
  }

  get state(): TorrentState {
    const { infoHash, entry, info, done } = this
    const { key, trackers, webSeeds, card } = entry
    const content = this.content
    const error = this.#error
    const name = content?.name ?? ''
    return {
      infoHash,
      name,
      private: !!key,
      status: this.#status(),
      ready: !!content,
      done,
      length: content ? content.files.reduce((sum, { size }) => sum + size, 0) : 0,
      files: this.#extents?.states ?? [],
      progress: info?.length ? this.#have / info.length : done ? 1 : 0,
      downloaded: this.#have,
      uploaded: this.#sent,
      ...this.speeds,
      peers: [...this.#peers, ...this.#webs.filter((web) => web.alive)].map((source) => source.state),
      trackers: this.node.trackerStates(infoHash),
      linksTried: this.#tried,
      linksFailed: this.#failed,
      magnetURI: makeMagnet({ infoHash, name: info?.name ?? '', trackers, webSeeds }),
      link: makeLink(this.node.linkBase, { infoHash, key, trackers, webSeeds }),
      ...(card && { card: card.value }),
      ...(error && { error: { code: error.code, message: error.message } }),
    }
  }

  /** A link for this torrent is being made, or has failed. */
  linking(failed = false): void {
    if (failed) this.#failed++
    else this.#tried++
    this.#attempts = Math.max(0, this.#attempts + (failed ? -1 : 1))
    this.#attemptAt = this.node.now()
    this.changed()
  }

  /** Resumes from what is known. Rejects where that does not fit, or cannot be read. */
  async start(): Promise<void> {
    await this.#resumed
    if (this.entry.info) await this.learn(this.entry.info)
  }

  /** The info dictionary, verified. */
  learn(infoBytes: Bytes): Promise<void> {
    this.metadata.info ??= infoBytes
    this.#learned ??= this.#resumed.then(() => this.#learn(infoBytes)).catch((error) => this.#fail(error))
    return this.#learned
  }

  /** The same torrent was added again, and this much more is known of it. */
  async merge({ torrent, trackers, webSeeds }: TorrentId, onDemand: boolean): Promise<void> {
    extend(this.entry, trackers, webSeeds)
    this.#unsaved = true
    if (!onDemand && this.#onDemand) {
      this.#onDemand = false
      if (this.picker) this.picker.wantAll = true
      for (const peer of this.#peers) peer.update()
    }
    if (torrent) await this.learn(torrent.infoBytes)
    this.#join()
    this.changed()
  }

  tick(now: number): void {
    for (const peer of this.#peers) peer.tick(now)
    for (const web of this.#webs) web.tick(now)
    if (this.node.memory.full) this.picker?.prune(now)
    if (!this.info && now - this.#rotatedAt > rotateEvery) {
      this.#rotatedAt = now
      this.metadata.rotate()
    }
    if (this.#peers.size && now - this.#chokedAt > chokeEvery) {
      this.#chokedAt = now
      if (!this.#outgoing) this.#sending = undefined
      this.#choker.round(this.#peers, now)
    }
    const hungry = this.stalled
    if (hungry && !this.#hungry) this.node.needs(this)
    this.#hungry = hungry
    if (this.#unsaved && now - this.#savedAt > saveEvery) this.save().catch(() => {})
    if (this.#attempts && now - this.#attemptAt > attemptTime) {
      this.#attempts = 0
      this.changed()
    }
    if (!this.#moving) return
    const { downloadSpeed, uploadSpeed } = this.speeds
    this.#moving = downloadSpeed + uploadSpeed > 0
    this.changed()
  }

  /** As Engine.read. */
  async read(file: number, start: number, end: number, reader: string): Promise<Bytes> {
    await this.#ready.promise
    return this.#reading!.read(file, start, end, reader)
  }

  release(reader: string): void {
    this.#reading?.release(reader)
  }

  async blob(file: number): Promise<Blob> {
    await this.#ready.promise
    return this.#reading!.blob(file, this.#onDemand)
  }

  async torrentFile(): Promise<Bytes> {
    await this.#ready.promise
    const { makeTorrent } = await more()
    return makeTorrent(this.entry.info!, this.entry.trackers, this.entry.webSeeds)
  }

  async setCard(card: Card): Promise<void> {
    await this.#ready.promise
    await this.#cards.set(card)
  }

  /** Puts what must survive a reload where it does. */
  save(): Promise<void> {
    if (!this.#whole) return this.#resumed
    this.#unsaved = false
    this.#savedAt = this.node.now()
    // One after another, so that the last one stays.
    this.#saving = this.#saving.catch(() => {}).then(async () => {
      const { registry } = await this.node.stores()
      const store = await this.#store?.catch(() => undefined)
      const pieces = this.info && !this.entry.seeded ? this.had.bytes.slice() : this.entry.pieces
      await store?.flush?.()
      if (pieces) this.entry.pieces = pieces
      await registry.put(this.entry)
    })
    return this.#saving
  }

  /** Safe to call twice. Data stays. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const error = new StarlingError('removed', 'This torrent was removed.')
    this.#ready.reject(error)
    this.#reading?.fail(error)
    for (const source of [...this.#peers, ...this.#webs]) source.close()
    this.picker?.close()
    await this.#learned
    await this.save().catch(() => {})
    const store = await this.#store?.catch(() => undefined)
    await store?.close?.()
  }

  async #resume(): Promise<void> {
    const { entry } = this
    const before = await this.#options.before
    if (before) {
      const { key, info, trackers, webSeeds } = entry
      if (key && before.seal && before.key && !equal(key, before.key)) throw wrongKey()
      Object.assign(entry, before, { seeded: false, trackers, webSeeds }, key && { key }, info && { info })
      extend(entry, before.trackers, before.webSeeds)
      // What was seeded lay where this node cannot read it any more.
      if (before.seeded) delete entry.pieces
    }
    this.#whole = true
  }

  async #read(start: number, end: number): Promise<Bytes> {
    return (await this.#opened()).read(start, end)
  }

  /** Its store: neither names nor the first bytes wait for that. */
  #opened(): Promise<NonNullable<SwarmOptions['source']>> {
    const { source } = this.#options
    if (!this.#store) {
      const { length } = this.info!
      this.#store = source ? Promise.resolve(source) : this.node.stores().then((stores) => stores.open(this.infoHash, length))
      this.#store.then(() => (this.#writable = true), (error) => this.#fail(error))
    }
    return this.#store
  }

  #learn(infoBytes: Bytes): void {
    if (this.#closed) return
    const { entry } = this
    const { key } = entry
    const { source, content } = this.#options
    const info = parseInfo(infoBytes)
    entry.info = infoBytes
    const sealed = info.files.length === 1 && info.name === 'sealed'
    if (key && !sealed) throw wrongKey()
    this.info = info
    this.had = source ? new Bitfield(info.pieces).fill() : resumed(info.pieces, entry.pieces)
    const reading = new Reading({
      info, had: this.had, store: () => this.#opened(), aim: () => this.#aim(), failed: (error) => this.#fail(error),
    })
    this.#reading = reading
    const complete = (piece: Piece<Source>): void => void this.#verify(piece)
    this.picker = new Picker(info.length, info.pieceLength, this.had, this.node.memory, complete)
    this.picker.wantAll = !this.#onDemand
    // Whoever reads begins at the front, most often.
    if (!this.#onDemand) this.picker.windows = [{ from: 0, to: 1 }]
    for (let i = 0; i < info.pieces; i++) if (this.had.has(i)) this.#have += this.picker.size(i)
    if (!source) this.#unsaved = true
    if (this.had.full) void this.#send()
    for (const peer of this.#peers) {
      peer.greet()
      peer.learn()
      for (let i = 0; i < info.pieces; i++) if (this.had.has(i)) peer.gained(i)
    }
    if (content) this.#begin(content)
    else if (key) void this.#open(key)
    else this.#begin(plain(info, { read: (start, end) => reading.bytes(start, end), blob: async () => (await this.#opened()).blob?.() }))
    this.#join()
    this.node.needs(this)
  }

  /** Makes ready to send what is here. Where that could not be loaded, tick lets it be tried again. */
  #send(): Promise<void> {
    this.#sending ??= more().then(({ Outgoing }) => {
      const { infoHash, had, node: { shelf } } = this
      this.#outgoing = new Outgoing({
        info: this.info!, had, shelf, name: infoHash, unproven: this.#options.unproven,
        read: (start, end) => this.#read(start, end),
        failed: (error) => this.#fail(error),
      })
    })
    this.#sending.catch(() => {})
    return this.#sending
  }

  /** Web seeds have what is not sealed. */
  #join(): void {
    const { key, webSeeds } = this.entry
    if (!key && this.info && webSeeds.length) void this.#joinWeb(webSeeds).catch(() => {})
  }

  async #joinWeb(urls: readonly string[]): Promise<void> {
    const { WebSource } = await more()
    for (const url of urls) {
      if (this.fetching && !this.#webs.some((web) => web.url === url)) this.#webs.push(new WebSource(url, this))
    }
  }

  async #open(key: Bytes): Promise<void> {
    try {
      this.#begin(await this.#reading!.open(key))
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Name and files are known. */
  #begin(content: Content): void {
    if (this.#closed) return
    const reading = this.#reading!
    reading.content = content
    this.#extents = new Extents(content.files, (start, end) => reading.covering(start, end))
    for (let i = 0; i < this.had.size; i++) if (this.had.has(i)) this.#tally(i)
    this.#ready.resolve()
    void this.#cards.read()
    this.node.changed(this, true)
  }

  async #verify(piece: Piece<Source>): Promise<void> {
    const { info, picker } = this
    const { index, data } = piece
    const reading = this.#reading!
    let spare: Bytes | void
    try {
      const hash = new Uint8Array(await crypto.subtle.digest('SHA-1', data!))
      if (!equal(hash, info!.hashAt(index))) {
        this.#blame ??= await more().then(({ Blame }) => new Blame<Source>(), () => undefined)
        const liars = (await this.#blame?.wrong(piece)) ?? []
        picker!.failed(piece, true)
        this.#punish(liars)
        return this.refill()
      }
      if (this.#blame) this.#punish(await this.#blame.right(piece))
      if (this.#closed) return
      // The store takes its time to open, and readers soon come for the front.
      reading.verified(index, data!, !this.#writable || !index)
      spare = await (await this.#opened()).write!(index * info!.pieceLength, data!)
    } catch (error) {
      picker!.failed(piece, false)
      return this.#fail(error)
    } finally {
      reading.stored(index)
    }
    if (this.#closed) return
    picker!.done(index, spare)
    this.#have += piece.length
    this.#tally(index)
    this.#unsaved = true
    reading.check()
    const whole = this.had.full
    if (whole) this.#completed()
    for (const peer of [...this.#peers]) {
      peer.gained(index)
      if (whole) peer.completed()
      else peer.update()
    }
  }

  #completed(): void {
    this.save().catch(() => {})
    void this.#send()
    this.picker!.windows = []
    for (const web of this.#webs.splice(0)) web.close()
    this.node.completed(this)
    this.node.changed(this, true)
  }

  #punish(liars: readonly Source[]): void {
    for (const liar of new Set(liars)) liar.ban()
  }

  #fail(cause: unknown): void {
    if (this.#error || this.#closed) return
    const error = cause instanceof StarlingError ? cause : new StarlingError('storage', String(cause), { cause })
    this.#error = error
    this.#ready.reject(error)
    this.#reading?.fail(error)
    this.picker?.close()
    for (const web of this.#webs.splice(0)) web.close()
    for (const peer of [...this.#peers]) {
      if (this.alive) peer.update()
      else peer.close()
    }
    this.node.needs(this)
    this.node.changed(this, true)
  }

  #status(): TorrentStatus {
    if (this.#error) return 'failed'
    if (this.info && this.had.full) return this.done ? 'seeding' : 'downloading'
    if (this.#peers.size || this.#webs.some((web) => web.alive)) return 'downloading'
    return this.#attempts ? 'connecting' : 'finding'
  }

  /** Who reads where has changed. */
  #aim(): void {
    if (!this.picker || !this.fetching) return
    this.picker.windows = this.#reading!.windows
    for (const peer of this.#peers) peer.update()
    for (const web of this.#webs) web.tick(this.node.now())
  }

  #tally(index: number): void {
    const start = index * this.info!.pieceLength
    this.#extents?.add(start, start + this.picker!.size(index))
  }
}

export const wrongKey = (): StarlingError =>
  new StarlingError('wrong-key', 'The key in this link does not fit. Ask for the link again.')

/** Adds where else it can be found. */
export function extend(entry: Entry, trackers: readonly string[], webSeeds: readonly string[]): Entry {
  entry.trackers = [...new Set([...entry.trackers, ...trackers])].slice(0, maxUrls)
  entry.webSeeds = [...new Set([...entry.webSeeds, ...webSeeds])].slice(0, maxUrls)
  return entry
}

function resumed(pieces: number, bytes?: Bytes): Bitfield {
  try {
    return new Bitfield(pieces, bytes)
  } catch {
    return new Bitfield(pieces)
  }
}
