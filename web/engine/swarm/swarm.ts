/**
 * One torrent at work.
 *
 *   channel ─ wire messages ─▶ Peer ──── blocks ────▶ Picker ── whole pieces ──▶ Verifier ─▶ Store ─▶ had, "have"
 *                               ▲ ◀─ what to ask for ───┘                          │ │ wrong: Blame ─▶ ban
 *                               └─ Outgoing ◀── Shelf ◀── Store (Keeping)          ▼
 *                                  (Choker: to whom)            page ◀── Content ◀── Reading (windows, waits)
 *
 * What is in `had` was verified and is in the store; nothing else is sent, or promised to who adds it again. A page is also
 * given what was verified and is on its way there. Nothing here has a timer: the node calls tick a few times a second, and
 * all else follows from what peers send.
 *
 * Where to look:
 *
 *   a peer           peer.ts, over its wire; lanes.ts: more connections to it; peer-state.ts: as pages see it
 *   what to ask for  picker.ts ─ rarity.ts ─ readers.ts: what players wait for; limit.ts: how much, and how much memory
 *   what comes       verifier.ts ─ blame.ts: who lied ─ keeping.ts: what outlives the page ─ overflow.ts: a full disk
 *                    fresh.ts: read while it is written; proof.ts: what is there, hashed anew
 *   what is sent     choker.ts: to whom ─ outgoing.ts ─ shelf.ts: read lately
 *   web seeds        web-source.ts: what they are asked for ─ webseed.ts: the requests
 *   to be seeded     seeding.ts: files become a torrent ─ hash.ts
 *   for pages        content.ts: the files ─ extents.ts: how far each is ─ reading.ts; invitation.ts: link and magnet
 *                    traffic.ts: bytes and speeds
 *   company          finding.ts: more peers are wanted; cards.ts: those that come ─ card-desk.ts: read, signed, passed on
 *   between these    host.ts: what they ask of one another; lazy.ts, more.ts: what loads only when it is needed
 */
import type { Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import { StarlingError, removed } from '../errors.ts'
import type { Announcing } from '../rendezvous/types.ts'
import type { Entry } from '../store/store.ts'
import type { TorrentId } from '../torrent/link.ts'
import { parseInfo, type Info } from '../torrent/metainfo.ts'
import type { Card, TorrentState, TorrentStatus } from '../types.ts'
import { MetadataExchange } from '../wire/metadata.ts'
import type { Extension, Wire } from '../wire/wire.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { Cards } from './cards.ts'
import { plain, type Content } from './content.ts'
import { Extents } from './extents.ts'
import { Finding } from './finding.ts'
import type { Source, SwarmHost, SwarmOptions, Wanted, Ways } from './host.ts'
import { Invitation } from './invitation.ts'
import { extend, Keeping, resumed, wrongKey } from './keeping.ts'
import { Later, more } from './lazy.ts'
import type { Peer, PeerHost } from './peer.ts'
import { stateOf } from './peer-state.ts'
import { Picker, type Piece } from './picker.ts'
import { Reading } from './reading.ts'
import { Traffic } from './traffic.ts'
import { Verifier } from './verifier.ts'

const maxPeers = 60
const chokeEvery = 10_000
const rotateEvery = 5_000
/** How long links are asked to carry a torrent that was paused, ms. */
const backTime = 60_000
/** Bytes lacking from which on more ways to a peer may be worth their while. */
const widenFrom = 2 << 20

/** There as soon as the infohash is known; what needs the metadata waits for it. */
export class Swarm implements PeerHost, Announcing {
  readonly infoHash: string
  readonly entry: Entry
  readonly node: SwarmHost
  readonly metadata: MetadataExchange
  readonly traffic = new Traffic()
  info: Info | undefined
  had = new Bitfield(0)
  picker: Picker<Source> | undefined
  readonly #options: SwarmOptions
  readonly #peers = new Set<Peer>()
  readonly #keeping: Keeping
  readonly #finding = new Finding(this)
  readonly #invitation = new Invitation()
  readonly #verifier = new Verifier()
  readonly #cards = new Cards(this)
  readonly #choker = new Later(({ Choker }) => new Choker<Peer>())
  readonly #outgoing = new Later(({ Outgoing }) => {
    const { infoHash, had, node: { shelf } } = this
    return new Outgoing({
      info: this.info!, had, shelf, name: infoHash, unproven: this.#options.unproven,
      read: async (start, end) => (await this.#keeping.store()).read(start, end),
      failed: (error) => this.#unreadable(error),
    })
  })
  readonly #lanes = new Later(({ Lanes }) => (peer: Peer): Ways => new Lanes(peer, this.node))
  readonly #webs = new Later(({ WebSources }) => new WebSources(this))
  readonly #ready = new Deferred()
  #learned: Promise<void> | undefined
  #reading: Reading | undefined
  #extents: Extents | undefined
  #onDemand: boolean
  #error: StarlingError | undefined
  #closed = false
  /** What is here cannot be read any more. */
  #lost = false
  /** All is here, and a reload would not know yet. */
  #noting = false
  #backTill = 0
  #chokedAt = 0
  #rotatedAt = 0

  constructor(host: SwarmHost, entry: Entry, options: SwarmOptions = {}) {
    this.node = host
    this.#options = options
    this.#onDemand = !!options.onDemand
    this.entry = entry
    this.infoHash = entry.infoHash
    this.metadata = new MetadataExchange(this, entry.info)
    this.#keeping = new Keeping(this, options)
  }

  // What peers ask

  get done(): boolean {
    return !!this.content && this.had.full && !this.#noting
  }

  joined(peer: Peer): boolean {
    if (!this.alive || this.#peers.size >= maxPeers) return false
    // Who comes twice on one link would take the place of others. By its id nobody is kept out: anybody may say it.
    for (const { channel } of this.#peers) if (channel.link === peer.channel.link) return false
    if (!this.#peers.size) this.traffic.fedAt = this.node.now()
    this.#peers.add(peer)
    this.#finding.found()
    this.changed()
    return true
  }

  met(peer: Peer): void {
    this.node.peer(this.infoHash, stateOf(peer, this.node.now()))
    this.changed()
  }

  gone(peer: Peer): void {
    if (!this.#peers.delete(peer)) return
    this.picker?.leave(peer)
    this.metadata.remove(peer.wire)
    this.choke()
    this.refill()
    this.changed()
    if (this.fetching) this.node.needs(this.infoHash)
  }

  wants(peer: Peer): boolean {
    return this.fetching && peer.useful > 0 && this.eager
  }

  choke(): void {
    const fill = () => this.#choker.it!.fill(this.#peers)
    if (this.#choker.it) fill()
    else if ([...this.#peers].some((peer) => peer.interested)) void this.#choker.get().then(fill, () => {})
  }

  refill(): void {
    for (const peer of this.#peers) peer.request()
  }

  received(bytes: number): void {
    this.traffic.receive(bytes, this.node.now())
  }

  sent(bytes: number): void {
    this.traffic.send(bytes, this.node.now())
  }

  block(peer: Peer, ask: Wanted): Bytes | undefined {
    const { it } = this.#outgoing
    if (!it) void this.#outgoing.get().then(peer.resume, () => {})
    return it?.block(ask, peer.resume)
  }

  extended(peer: Peer, name: Extension, payload: Bytes): void {
    if (name === 'ut_metadata') this.metadata.receive(peer.wire, payload)
    else if (name === 'sl_card') this.#cards.receive(peer, payload)
    else if (name === 'sl_lane') void this.#lanes.get().then((make) => this.#widened(peer, make)?.receive(payload), () => {})
  }

  // What the metadata exchange asks

  onmetadata(info: Bytes): void {
    void this.learn(info)
  }

  onliar(wire: Wire): void {
    for (const peer of this.#peers) if (peer.wire === wire) peer.ban()
  }

  // What rendezvous asks, and the search for peers

  get trackers(): readonly string[] {
    return this.entry.trackers.filter(this.node.mayAsk)
  }
  get uploaded(): number {
    return this.traffic.sent
  }
  get downloaded(): number {
    return this.traffic.received
  }
  get left(): number | undefined {
    return this.info && this.info.length - this.#have
  }
  get wanted(): number {
    return this.#finding.wanted
  }
  get stalled(): boolean {
    return this.#finding.stalled
  }
  /** Whether more is to be fetched. */
  get fetching(): boolean {
    return !this.#error && !this.#closed && !this.entry.paused && !(this.info && this.had.full)
  }
  /** Whether it is to be fetched now. */
  get eager(): boolean {
    return !this.#onDemand || this.urgent
  }
  get company(): number {
    return this.#peers.size
  }

  // What cards ask

  get content(): Content | undefined {
    return this.#reading?.content
  }
  get peers(): Iterable<Peer> {
    return this.#peers
  }

  async kept(): Promise<void> {
    this.node.needs(this.infoHash)
    await this.#keeping.save()
    this.node.changed(this.infoHash, true)
  }

  // What the node asks

  /** Settles when what was kept of it is read. */
  get known(): Promise<void> {
    return this.#keeping.resumed
  }

  /** Whether channels are welcome. */
  get alive(): boolean {
    return !this.#closed && !this.#lost && !this.entry.paused && (!this.#error || /no-space|storage|wrong-key/.test(this.#error.code))
  }
  /** It is not paused any more, or its card is new: peers that do not ask for it are told as well. */
  get spreading(): boolean {
    return this.alive && (this.#cards.spreading || this.node.now() < this.#backTill)
  }
  /** Somebody waits for data. */
  get urgent(): boolean {
    return !!this.#reading?.any
  }
  /** It ended, as what is here cannot be read, or opened; added again, it may begin anew. */
  get lost(): boolean {
    return (this.#lost || this.#error?.code === 'wrong-key') && !this.#options.source
  }
  /** It would take another peer. */
  get lacking(): boolean {
    return this.#finding.lacking
  }

  get state(): TorrentState {
    const { infoHash, entry, info, done, content } = this
    const { key, card } = entry
    const error = this.#error
    const { tried, failed } = this.#finding
    const length = content ? content.files.reduce((sum, { size }) => sum + size, 0) : 0
    const progress = info?.length ? this.#have / info.length : done ? 1 : 0
    return {
      infoHash,
      name: content?.name ?? '',
      private: !!key,
      status: this.#status(),
      ready: !!content,
      done,
      length,
      files: this.#extents?.states ?? [],
      progress,
      // Of the files: a seal, and padding, take some bytes besides.
      downloaded: content ? Math.round(progress * length) : this.#have,
      uploaded: this.uploaded,
      ...this.traffic.speeds(this.node.now()),
      peers: [...[...this.#peers].map((peer) => stateOf(peer, this.node.now())), ...(this.#webs.it?.alive ?? []).map((web) => web.state)],
      trackers: this.node.trackerStates(infoHash),
      linksTried: tried,
      linksFailed: failed,
      ...this.#invitation.words(this.node.linkBase, entry, info?.name),
      ...(card && { card: card.value }),
      ...(error && { error: { code: error.code, message: error.message } }),
    }
  }

  changed(): void {
    this.node.changed(this.infoHash)
  }

  /** A link for this torrent is being made, or has failed. */
  linking(failed = false): void {
    this.#finding.linking(failed)
    this.changed()
  }

  /** Resumes from what is known. Rejects where that does not fit, or cannot be read. */
  async start(): Promise<void> {
    await this.#keeping.resumed
    if (this.entry.paused) this.#part()
    if (this.entry.info) await this.learn(this.entry.info)
  }

  /** The info dictionary, verified. */
  learn(infoBytes: Bytes): Promise<void> {
    this.metadata.info ??= infoBytes
    this.#learned ??= this.#prove(infoBytes).then((info) => this.#learn(infoBytes, info)).catch((error) => this.failed(error))
    return this.#learned
  }

  /** The same torrent was added again, and this much more is known of it. */
  async merge({ torrent, trackers, webSeeds }: TorrentId, onDemand: boolean): Promise<void> {
    extend(this.entry, trackers, webSeeds)
    this.#keeping.unsaved = true
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
    for (const peer of this.#peers) {
      peer.tick(now)
      if (peer.ways || peer.asks.size) this.#widen(peer, now)
    }
    this.#webs.it?.tick(now)
    if (this.node.memory.full) this.picker?.prune(now)
    if (!this.info && now - this.#rotatedAt > rotateEvery) {
      this.#rotatedAt = now
      this.metadata.rotate()
    }
    if (now - this.#chokedAt > chokeEvery) {
      this.#chokedAt = now
      for (const part of [this.#choker, this.#outgoing, this.#lanes]) part.retry()
      if (!this.#webs.it) this.#join()
      this.choke()
      this.#choker.it?.round(this.#peers, now)
    }
    if (this.#finding.starves()) this.node.needs(this.infoHash)
    this.#keeping.tick(now, !this.eager)
    const expired = this.#finding.expire(now)
    if (this.traffic.moved(now) || expired) this.changed()
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
    const blob = await this.#reading!.blob(file, this.#onDemand)
    // Who asked for it alone may leave now.
    if (this.#onDemand) await this.#keeping.kept().catch(() => {})
    return blob
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

  async pause(on: boolean): Promise<void> {
    await this.#keeping.resumed
    this.entry.paused = on
    if (on) this.#part()
    else {
      this.#join()
      // Readers may have come, or moved, meanwhile; peers have ceased to ask on links that they were turned away from.
      this.#aim()
      this.#backTill = this.node.now() + backTime
    }
    await this.#keeping.save().catch(() => {})
  }

  /** Safe to call twice. Data stays. frozen: see Engine.destroy. */
  async close(frozen = false): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#part()
    this.#stop(removed())
    await this.#learned
    await this.#keeping.close(frozen)
  }

  /** It cannot go on. */
  failed(cause: unknown): void {
    if (this.#error || this.#closed) return
    this.#error = cause instanceof StarlingError ? cause : new StarlingError('storage', String(cause), { cause })
    if (this.#error.code === 'wrong-key') void this.#keeping.refuse()
    this.#stop(this.#error)
    for (const peer of [...this.#peers]) {
      if (this.alive) peer.update()
      else peer.close()
    }
    this.node.needs(this.infoHash)
    this.node.changed(this.infoHash, true)
  }

  #unopened(error: unknown): void {
    if ((error as StarlingError).code === 'storage') this.#unreadable(error)
    else this.failed(error)
  }

  /** What is here cannot be read any more, and so is promised no longer. */
  #unreadable(error: unknown): void {
    if (!this.#lost) void this.#keeping.doubt()
    this.#lost = true
    this.failed(error)
    this.#part()
  }

  /** It has nobody any more. */
  #part(): void {
    for (const peer of [...this.#peers]) peer.close()
    this.#webs.it?.close()
  }

  /** Nothing more is fetched, and who waits hears why. */
  #stop(error: StarlingError): void {
    this.#ready.reject(error)
    this.#reading?.fail(error)
    this.#webs.it?.close()
    this.picker?.close()
  }

  async #prove(infoBytes: Bytes): Promise<Info> {
    await this.#keeping.resumed
    try {
      const info = parseInfo(infoBytes)
      await this.#keeping.prove(info, () => !this.#closed)
      return info
    } catch (error) {
      this.#lost = true
      throw error
    }
  }

  #learn(infoBytes: Bytes, info: Info): void {
    if (this.#closed) return
    const { entry, node } = this
    const { key } = entry
    const { source, content } = this.#options
    entry.info = infoBytes
    const sealed = info.files.length === 1 && info.name === 'sealed'
    if (key && !sealed) throw wrongKey()
    this.info = info
    const had = (this.had = source ? new Bitfield(info.pieces).fill() : resumed(info.pieces, entry.pieces))
    const store = () => this.#keeping.store()
    const reading = new Reading({ info, had, store, aim: () => this.#aim(), failed: (error) => this.#unreadable(error) })
    this.#reading = reading
    const picker = new Picker<Source>(info.length, info.pieceLength, had, node.memory, (piece) => void this.#take(piece))
    this.picker = picker
    picker.wantAll = !this.#onDemand
    // Whoever reads begins at the front, most often.
    if (!this.#onDemand) picker.windows = [{ from: 0, to: 1 }]
    if (!source) this.#keeping.unsaved = true
    if (had.full) void this.#outgoing.get()
    for (const peer of this.#peers) {
      peer.greet()
      peer.learn()
      for (let i = 0; i < info.pieces; i++) if (had.has(i)) peer.gained(i)
    }
    if (content) this.#begin(content)
    else if (key) void reading.open(key).then((opened) => this.#begin(opened)).catch((error) => this.#unopened(error))
    else this.#begin(plain(info, { read: (start, end) => reading.bytes(start, end), blob: async () => (await store()).blob?.() }))
    this.#join()
    node.needs(this.infoHash)
  }

  /** Other web seeds may be asked now. */
  rejoin(): void {
    this.#webs.it?.close()
    this.#join()
  }

  /** Web seeds have what is not sealed. */
  #join(): void {
    const webSeeds = this.entry.webSeeds.filter(this.node.mayAsk)
    if (this.entry.key || !this.info || !webSeeds.length) return
    this.#webs.retry()
    void this.#webs.get().then((webs) => webs.join(webSeeds), () => {})
  }

  /** More ways to a peer that is slow. */
  #widen(peer: Peer, now: number): void {
    const left = this.left ?? 0
    if (!this.fetching || !peer.wire.supports('sl_lane')) return
    if (!peer.ways && (left < widenFrom || peer.channel.link.kind === 'relayed')) return
    if (!this.#lanes.it) return void this.#lanes.get().catch(() => {})
    this.#widened(peer, this.#lanes.it)?.tick(now, left, (ask) => {
      peer.cancel(ask)
      this.picker!.drop(peer, ask)
    })
  }

  #widened(peer: Peer, make: (peer: Peer) => Ways): Ways | undefined {
    return this.#peers.has(peer) ? (peer.ways ??= make(peer)) : undefined
  }

  /** Name and files are known. */
  #begin(content: Content): void {
    if (this.#closed) return
    const reading = this.#reading!
    reading.content = content
    this.#extents = new Extents(content.files, (start, end) => reading.covering(start, end))
    for (let i = 0; i < this.had.size; i++) if (this.had.has(i)) this.#tally(i)
    this.#ready.resolve()
    this.#cards.read()
    this.node.changed(this.infoHash, true)
  }

  /** All blocks of a piece are here. */
  async #take(piece: Piece<Source>): Promise<void> {
    const { index, data } = piece
    const { pieceLength, hashAt } = this.info!
    const picker = this.picker!
    const reading = this.#reading!
    const keeping = this.#keeping
    let spare: Bytes | void
    try {
      if (!(await this.#verifier.right(piece, hashAt(index)))) {
        picker.failed(piece, true)
        return this.refill()
      }
      if (this.#closed) return
      // The store takes its time to open, and readers soon come for the front.
      reading.verified(index, data!, !keeping.writable || !index)
      spare = await (await keeping.store()).write!(index * pieceLength, data!)
    } catch (error) {
      picker.failed(piece, false)
      return this.failed(error)
    } finally {
      reading.stored(index)
    }
    if (this.#closed) return
    picker.done(index, spare)
    this.#tally(index)
    keeping.unsaved = true
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
    this.#noting = true
    const noted = (): void => {
      this.#noting = false
      this.node.changed(this.infoHash, true)
    }
    this.#keeping.note().then(noted, noted)
    void this.#outgoing.get()
    this.picker!.windows = []
    this.#webs.it?.close()
    this.node.completed(this.infoHash)
    this.node.changed(this.infoHash, true)
  }

  #status(): TorrentStatus {
    if (this.#error) return 'failed'
    if (this.entry.paused) return 'paused'
    if (this.info && this.had.full) return this.done ? 'seeding' : 'downloading'
    if (this.#peers.size || this.#webs.it?.alive.length) return 'downloading'
    return this.#finding.connecting ? 'connecting' : 'finding'
  }

  /** Who reads where has changed. */
  #aim(): void {
    if (!this.picker || !this.fetching) return
    this.picker.windows = this.#reading!.windows
    for (const peer of this.#peers) peer.update()
    this.#webs.it?.tick(this.node.now())
  }

  /** Verified bytes here. */
  get #have(): number {
    const { info, had, picker } = this
    if (!info || !picker || !had.count) return 0
    const last = info.pieces - 1
    return had.count * info.pieceLength - (had.has(last) ? info.pieceLength - picker.size(last) : 0)
  }

  #tally(index: number): void {
    const start = index * this.info!.pieceLength
    this.#extents?.add(start, start + this.picker!.size(index))
  }
}
