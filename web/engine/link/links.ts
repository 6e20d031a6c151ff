import { random, toBinary, toHex, type Bytes } from '../bytes.ts'
import { clock } from '../clock.ts'
import type { LinkHost, Offer, OfferDesk } from './host.ts'
import { Link, type LinkOwner } from './link.ts'
import { gathered, plausible } from './sdp.ts'

/**
 * Links: RTCPeerConnections, one per pair of peers whatever the number of torrents, and the channels on them.
 *
 *   rendezvous ──offers, answered, offered──▶ Links ──one per peer──▶ Link ──▶ WireChannel ──channel──▶ LinkHost
 *                 (desk: pool of offers,                 │ first channel: a WebTorrent connection
 *                  budget, bans, one link per peer)      └ Exchange: which more torrents the two share
 *
 * An offer belongs to nobody until it is answered; then it becomes a Link, as does an offer of others once it is
 * answered here. A link whose peer names the extension carries all torrents the two share (docs/protocol.md, "One
 * link, many torrents"); without, it is its first channel and ends with it.
 */

export type Configuration = RTCConfiguration & { iceServers: RTCIceServer[] }

/** What Links are made with. */
export interface LinksOptions {
  peerId: Bytes
  host: LinkHost
  /** Of each connection. Must not reject: without servers the local network still works. */
  configuration: () => Promise<Configuration>
  /** Links open or under way at once. */
  maxLinks: number
  /** Finds out how a link's bytes go; without it, that stays unknown. */
  route?: LinkOwner['route']
  /** Makes an RTCPeerConnection; tests give their own. */
  connection?: (configuration: RTCConfiguration) => RTCPeerConnection
}

interface Pending {
  readonly pc: RTCPeerConnection
  readonly first: RTCDataChannel
  readonly sdp: string
  /** When its addresses are too old to be offered again. */
  readonly stale: number
  /** The torrent it is announced for; undefined while it waits in the pool. */
  infoHash?: string | undefined
  /** When it was announced, or came into the pool. */
  at: number
  timer?: ReturnType<typeof setTimeout>
}

/** Unanswered offers at once, for all torrents. */
const pendingOffers = 5
const answerWithin = 50_000
/** NATs forget. */
const freshFor = 120_000
/** After this time, an unanswered offer goes to a torrent that has none: it may have met a peer that is gone. */
const overdueAfter = 10_000
const bringsWithin = 2_000
const refreshAfter = 100
const maxBanned = 4096
/**
 * Anybody may say any peer_id, and have another one banned by it. A tracker has it from one only in each torrent: so a ban
 * is for the torrent of the link, ends no other link, and does not last.
 */
const banFor = 10 * 60_000
/** Ours begin with -SL (docs/protocol.md, "Names in the BEP 10 handshake"). */
const starling = '2d534c'

/** All links of a node, and the desk where rendezvous gets and brings offers and answers. destroy ends them. */
export class Links implements OfferDesk {
  readonly #options: LinksOptions
  readonly #id: string
  readonly #links = new Set<Link>()
  /** Unanswered offers by id, those in the pool included. */
  readonly #offers = new Map<string, Pending>()
  #gathering = 0
  #made = 0
  /** By peer_id and infohash, until when. */
  readonly #banned = new Map<string, number>()
  /** Made before it is needed, as a page's first takes a browser its time: who calls then has an answer sooner. */
  #spare: RTCPeerConnection | undefined
  #preparing: ReturnType<typeof setTimeout> | undefined
  #stale = false
  #refreshing: ReturnType<typeof setTimeout> | undefined
  #destroyed = false
  readonly #owner: LinkOwner
  /** No offer stands any more: on another network they name addresses of the one before, or a relay's that is gone. */
  readonly withdraw = () => {
    for (const id of this.#offers.keys()) this.#discard(id)
  }
  /**
   * Chromium drops connections of a page that goes away without a word; the other end would wait for long. And no browser
   * keeps a page in its back/forward cache that has any: it may come back, and make others.
   */
  readonly #leave = () => {
    this.withdraw()
    for (const link of this.#links) link.dismiss()
    this.#spare?.close()
    this.#spare = undefined
  }

  constructor(options: LinksOptions) {
    this.#options = options
    this.#id = toHex(options.peerId)
    this.#owner = {
      host: options.host,
      route: options.route,
      working: new Set(),
      opened: (link) => this.#replace(link),
      extended: (link) => this.#merge(link),
      ended: (link) => this.#ended(link),
      ban: (link) => this.#ban(link),
      carried: (link, infoHash) => this.#to(link.peerId).some((other) => other !== link && other.carries(infoHash)),
    }
    globalThis.addEventListener?.('pagehide', this.#leave)
    globalThis.addEventListener?.('online', this.withdraw)
  }

  async offers(infoHash: string, count: number, others = Infinity): Promise<Offer[]> {
    const all = [...this.#links]
    const healthy = all.filter((link) => link.healthy)
    // A link that has it and only waits for its turn makes another one needless.
    if (this.#destroyed || healthy.some((link) => link.promises(infoHash))) return []
    if (healthy.filter((link) => link.carries(infoHash)).length >= others) return []
    // One just answered keeps its place: its link may bring this torrent, too.
    const answered = healthy.filter((link) => link.initiator && clock() - link.since < bringsWithin)
    const unanswered = this.#offers.size + this.#gathering
    const taken: Offer[] = []
    const reuse = (idle: (offer: Pending) => boolean) => {
      for (const [id, offer] of this.#offers) {
        if (taken.length < count && idle(offer)) taken.push(this.#take(id, offer, infoHash))
      }
    }
    reuse((offer) => !offer.infoHash)
    const spare = all.filter((link) => link.spare).length
    const room = Math.min(count - taken.length, Math.min(pendingOffers - answered.length, this.#free + spare) - unanswered)
    const made = await Promise.all(Array.from({ length: room }, () => this.#make(infoHash)))
    for (const offer of made) if (offer) taken.push(offer)
    reuse(({ at, stale }) => at + overdueAfter < clock() && stale > clock())
    return taken
  }

  release(offerIds: readonly string[], spoiled?: boolean): void {
    for (const id of offerIds) spoiled ? this.#discard(id) : this.#pool(id)
  }

  answered(infoHash: string, peerId: string, offerId: string, sdp: string): void {
    const offer = this.#offers.get(offerId)
    if (offer?.infoHash !== infoHash || this.#refuses(peerId, infoHash)) return
    this.#offers.delete(offerId)
    if (!plausible(sdp) || this.#redundant(infoHash, peerId) || !this.#makeRoom()) {
      // Who answered it calls it, and in Chromium nobody else gets through any more. Its place is kept, as others' are.
      offer.pc.close()
      return void this.#keep(offer, infoHash, bringsWithin)
    }
    clearTimeout(offer.timer)
    const link = new Link(offer.pc, this.#owner, peerId, infoHash, offer.first)
    this.#links.add(link)
    offer.pc.setRemoteDescription({ type: 'answer', sdp }).catch(() => link.dismiss())
  }

  async offered(infoHash: string, peerId: string, sdp: string): Promise<string | undefined> {
    if (!plausible(sdp)) return undefined
    const configuration = await this.#options.configuration()
    // One of ours most likely names the extension on a link that is under way: then this one is not needed.
    if (peerId.startsWith(starling)) {
      for (let link; (link = this.#to(peerId).find((other) => other.unsettled)); ) await link.settled
    }
    if (this.#refuses(peerId, infoHash) || this.#to(peerId).some((link) => link.named || link.infoHash === infoHash)) return undefined
    if (!this.#makeRoom()) return undefined
    let link: Link | undefined
    try {
      const pc = this.#connect(configuration)
      link = new Link(pc, this.#owner, peerId, infoHash)
      this.#links.add(link)
      await pc.setRemoteDescription({ type: 'offer', sdp })
      await pc.setLocalDescription(await pc.createAnswer())
      await gathered(pc, configuration.iceServers)
      return link.ended ? undefined : pc.localDescription!.sdp
    } catch {
      link?.dismiss()
      return undefined
    }
  }

  /** Call after any change in what the host knows or lacks: many at once, and soon after another, cost as one. */
  refresh(): void {
    this.#stale = true
    if (this.#refreshing || this.#destroyed) return
    this.#preparing ??= setTimeout(() => this.#prepare())
    queueMicrotask(() => {
      this.#stale = false
      for (const link of this.#links) link.refresh()
    })
    this.#refreshing = setTimeout(() => {
      this.#refreshing = undefined
      if (this.#stale) this.refresh()
    }, refreshAfter)
  }

  /** This side took the torrent away: when it comes again, that is no further try of what failed. */
  forget(infoHash: string): void {
    for (const link of this.#links) link.forget(infoHash)
  }

  stats(): { links: number; channels: number; connectionsMade: number; banned: number } {
    const open = [...this.#links].filter((link) => link.open)
    return {
      links: open.length,
      channels: open.reduce((sum, link) => sum + link.channels, 0),
      connectionsMade: this.#made,
      banned: this.#banned.size,
    }
  }

  destroy(): void {
    this.#destroyed = true
    globalThis.removeEventListener?.('pagehide', this.#leave)
    globalThis.removeEventListener?.('online', this.withdraw)
    clearTimeout(this.#preparing)
    clearTimeout(this.#refreshing)
    this.#leave()
  }

  /** Who lacks something makes offers, and needs no other. */
  #prepare(): void {
    const [lacks] = this.#options.host.lacking()
    try {
      if (!this.#made && !lacks) this.#spare = this.#connect({})
    } catch {
      // WebRTC is switched off. What is here can be used, and web seeds.
    }
  }

  #connect(configuration: RTCConfiguration): RTCPeerConnection {
    const spare = this.#spare
    this.#spare = undefined
    spare?.setConfiguration(configuration)
    if (spare) return spare
    this.#made++
    return this.#options.connection?.(configuration) ?? new RTCPeerConnection(configuration)
  }

  async #make(infoHash: string): Promise<Offer | undefined> {
    this.#gathering++
    let pc: RTCPeerConnection | undefined
    try {
      const configuration = await this.#options.configuration()
      pc = this.#connect(configuration)
      const first = pc.createDataChannel(toHex(random(20)))
      await pc.setLocalDescription(await pc.createOffer())
      await gathered(pc, configuration.iceServers)
      const sdp = pc.localDescription!.sdp
      if (this.#destroyed) throw undefined
      return this.#take('', { pc, first, sdp, stale: clock() + freshFor, at: 0 }, infoHash)
    } catch {
      pc?.close()
      return undefined
    } finally {
      this.#gathering--
    }
  }

  /** Under another id each time, so that no answer is taken for that of another torrent. */
  #take(old: string, offer: Pending, infoHash: string): Offer {
    this.#offers.delete(old)
    return { id: this.#keep(offer, infoHash, answerWithin), sdp: offer.sdp }
  }

  /** Nobody will answer it: for another torrent. */
  #pool(id: string): void {
    const offer = this.#offers.get(id)
    if (!offer) return
    this.#offers.delete(id)
    this.#keep(offer, undefined, offer.stale - clock())
  }

  #keep(offer: Pending, infoHash: string | undefined, delay: number): string {
    const id = toBinary(random(20))
    clearTimeout(offer.timer)
    offer.infoHash = infoHash
    offer.at = clock()
    offer.timer = setTimeout(() => this.#discard(id), delay)
    this.#offers.set(id, offer)
    return id
  }

  #discard(id: string): void {
    const offer = this.#offers.get(id)
    this.#offers.delete(id)
    clearTimeout(offer?.timer)
    offer?.pc.close()
  }

  #refuses(peerId: string, infoHash: string): boolean {
    return this.#destroyed || peerId === this.#id || this.#banned.get(peerId + infoHash)! > clock()
  }

  /** How many more links there may be. */
  get #free(): number {
    return this.#options.maxLinks - this.#links.size
  }

  /** Whether there may be another link: one that carries nothing gives way to it. */
  #makeRoom(): boolean {
    if (this.#free <= 0) [...this.#links].find((link) => link.spare)?.close()
    return this.#free > 0
  }

  #to(peerId: string): Link[] {
    return [...this.#links].filter((link) => link.healthy && link.peerId === peerId)
  }

  /**
   * Whether an answer to an offer of ours brings nothing that a link to the peer does not bring. Where both sides
   * answered each other's offers and neither link is open, the one offered by the smaller peer_id stays.
   */
  #redundant(infoHash: string, peerId: string): boolean {
    for (const link of this.#to(peerId)) {
      if (link.named) return true
      if (link.infoHash !== infoHash && !(link.unsettled && peerId.startsWith(starling))) continue
      if (link.open || link.initiator || peerId < this.#id) return true
      link.dismiss()
    }
    return false
  }

  /** A new link to a peer takes the place of one in doubt. */
  #replace(link: Link): void {
    for (const other of this.#links) if (other.peerId === link.peerId && !other.healthy) other.close()
  }

  /** One pair of peers has one link: the side with the smaller peer_id closes the younger ones. */
  #merge({ peerId }: Link): void {
    if (this.#id > peerId) return
    const [elder, ...younger] = this.#to(peerId).filter((link) => link.open && link.named)
    if (elder?.ready) for (const link of younger) link.close()
  }

  #ended(link: Link): void {
    this.#links.delete(link)
    if (!link.open && !link.dismissed && !this.#to(link.peerId).some((other) => other.open)) {
      this.#options.host.failed(link.infoHash)
    }
    this.refresh()
  }

  #ban({ peerId, infoHash }: Link): void {
    this.#banned.set(peerId + infoHash, clock() + banFor)
    const [oldest] = this.#banned.keys()
    if (this.#banned.size > maxBanned) this.#banned.delete(oldest!)
  }
}
