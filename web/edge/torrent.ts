import {
  Bitfield, Choker, Picker,
  type Announcing, type Budget, type Bytes, type Info, type Peer, type PeerHost, type Piece, type Shelf, type Source, type Wanted,
} from '../engine/parts.ts'
import type { Asset, Home } from './asset.ts'
import { figures } from './figures.ts'
import { settings } from './settings.ts'

/** As the site describes it (edge/lookup.go). */
export interface DescribedTorrent {
  infoHash: string
  pieceLength: number
  pieces: number
  /** Whom the tracker knows of; -1 where it is not asked. */
  peers: number
}

/** What a torrent asks of what carries it. */
export interface TorrentHost {
  readonly trackers: readonly string[]
  readonly memory: Budget
  readonly shelf: Shelf
  now(): number
  /** Whether it is hungry may have changed. */
  refresh(torrent: Torrent): void
}

/** What is wanted of an asset: pieces [from, to) of the torrent. */
interface Want {
  asset: Asset
  from: number
  to: number
}

const maxPeers = 40
const desired = 8
const chokeEvery = 10_000
const hungryAfter = 3_000

/** Knows of pieces that end before the torrent's padding, which is never asked for. */
class Picks extends Picker<Source> {
  sizes: ((index: number) => number | undefined) | undefined

  override size(index: number): number {
    return this.sizes?.(index) ?? super.size(index)
  }
}

/**
 * One torrent at work, as far as this page needs it: what is wanted of it are assets, one stretch of pieces each, and
 * whether a piece is right is for its asset to say.
 *
 *   channel ─ Peer ── blocks ──▶ Picks ── whole pieces ──▶ Asset.take: SHA-256 ─▶ got, "have"
 *              ▲ what to ask ◀──┘ windows: what is wanted, most urgent first
 *              └ block: what was asked for ◀── Shelf ◀── Asset.read ◀── memory or Cache
 */
export class Torrent implements Home, PeerHost, Announcing {
  readonly infoHash: string
  readonly info: Info
  readonly had: Bitfield
  readonly picker: Picks
  readonly entry = {}
  /** The site gave it; nobody is asked, and who asks gets none. */
  readonly metadata = { info: undefined, add() {} }
  uploaded = 0
  downloaded = 0
  readonly #host: TorrentHost
  readonly #peers = new Set<Peer>()
  /** Whose each piece is, as far as is known. */
  readonly #owners = new Map<number, { asset: Asset; first: number }>()
  /** Most urgent first. */
  #wants: Want[] = []
  readonly #choker = new Choker<Peer>()
  /** The least milliseconds from asking to having, of each: how near it is. */
  readonly #delays = new WeakMap<Source, number>()
  #fedAt = 0
  #chokedAt = 0

  constructor(host: TorrentHost, { infoHash, pieceLength, pieces }: DescribedTorrent) {
    this.#host = host
    this.infoHash = infoHash
    const length = pieces * pieceLength
    // No more of it is looked at by peers.
    this.info = { pieceLength, length, pieces } as Info
    this.had = new Bitfield(pieces)
    this.picker = new Picks(length, pieceLength, this.had, host.memory, (piece) => void this.#verify(piece))
    this.picker.wantAll = false
    this.picker.sizes = (index) => {
      const owner = this.#owners.get(index)
      return owner?.asset.length(index - owner.first)
    }
  }

  /** An asset lies here from that piece on. */
  lie(asset: Asset, first: number): void {
    if (asset.places.some(({ torrent }) => torrent === this)) return
    asset.places.push({ torrent: this, first })
    for (let i = 0; i < asset.pieces; i++) {
      this.#owners.set(first + i, { asset, first })
      if (asset.has(i)) this.got(first + i)
    }
  }

  forget(asset: Asset, first: number): void {
    this.want(asset)
    for (let i = first; i < first + asset.pieces; i++) {
      this.had.unset(i)
      this.#owners.delete(i)
    }
  }

  want(asset: Asset, from = 0, to = 0, urgent = false): void {
    this.#wants = this.#wants.filter((want) => want.asset !== asset)
    const first = asset.places.find(({ torrent }) => torrent === this)?.first
    if (first !== undefined && from < to) {
      this.#wants[urgent ? 'unshift' : 'push']({ asset, from: first + from, to: first + to })
      this.#fedAt ||= this.#host.now()
    }
    this.picker.windows = this.#wants
    for (const peer of this.#nearest()) peer.update()
    this.#host.refresh(this)
  }

  offered(asset: Asset): boolean {
    const first = asset.places.find(({ torrent }) => torrent === this)?.first ?? 0
    return asset.lacks().every((piece) => [...this.#peers].some(({ have }) => have.has(first + piece)))
  }

  got(index: number): void {
    if (this.had.has(index)) return
    for (const peer of this.#peers) {
      for (const ask of peer.asks.values()) {
        if (ask.piece !== index) continue
        this.picker.drop(peer, ask)
        peer.cancel(ask)
      }
    }
    this.picker.done(index)
    this.#wants = this.#wants.filter((want) => this.#lacks(want))
    this.picker.windows = this.#wants
    for (const peer of [...this.#peers]) {
      peer.gained(index)
      peer.update()
    }
  }

  /** Whether any of this is not here yet, and peer has it. */
  #lacks({ from, to }: Want, peer?: Peer): boolean {
    for (let i = from; i < to; i++) if (!this.had.has(i) && peer?.have.has(i) !== false) return true
    return false
  }

  async #verify(piece: Piece<Source>): Promise<void> {
    const { index, data } = piece
    const owner = this.#owners.get(index)
    const source = piece.from[0]!
    this.#delays.set(source, Math.min(this.#delays.get(source) ?? Infinity, this.#host.now() - piece.time[0]!))
    if (owner && (await owner.asset.take(index - owner.first, data!))) {
      figures.peers += piece.length
      return
    }
    this.picker.failed(piece, true)
    // Where several sent of it, who lied is not known yet: the picker has all of it sent by one the next time.
    const [liar, ...others] = new Set(piece.from)
    if (liar && !others.length) {
      figures.liars++
      liar.ban()
    }
    this.refill()
  }

  // What the carrier asks

  /** Something is wanted of peers. */
  get hungry(): boolean {
    return this.#wants.length > 0
  }
  /** It would take another peer. */
  get lacking(): boolean {
    return this.hungry && this.#peers.size < desired
  }
  get peers(): number {
    return this.#peers.size
  }

  tick(now: number): void {
    for (const peer of this.#peers) peer.tick(now)
    if (now - this.#chokedAt > chokeEvery) {
      this.#chokedAt = now
      this.#choker.round(this.#peers, now)
      if (this.#host.memory.full) this.picker.prune(now)
    }
  }

  /** Parts with all peers. */
  leave(): void {
    for (const peer of [...this.#peers]) peer.close()
  }

  // What rendezvous asks

  get trackers(): readonly string[] {
    return this.#host.trackers
  }
  get left(): number {
    return (this.info.pieces - this.had.count) * this.info.pieceLength
  }
  get wanted(): number {
    return this.lacking ? desired - this.#peers.size : 0
  }
  get stalled(): boolean {
    return this.hungry && (!this.#peers.size || this.#host.now() - this.#fedAt > hungryAfter)
  }

  // What peers ask

  get done(): boolean {
    return this.had.full
  }

  joined(peer: Peer): boolean {
    if (this.#peers.size >= maxPeers) return false
    // Who comes twice on one link would take the place of others.
    for (const { channel } of this.#peers) if (channel.link === peer.channel.link) return false
    this.#peers.add(peer)
    return true
  }

  met(): void {
    // Nobody looks at peers one by one.
  }

  gone(peer: Peer): void {
    if (!this.#peers.delete(peer)) return
    this.picker.leave(peer)
    this.choke()
    this.refill()
    if (this.hungry) this.#host.refresh(this)
  }

  wants(peer: Peer): boolean {
    return this.#wants.some((want) => this.#lacks(want, peer))
  }

  choke(): void {
    this.#choker.fill(this.#peers)
  }

  refill(): void {
    for (const peer of this.#nearest()) peer.request()
  }

  /** Those that answer soonest are asked first; of whom nothing is known before all, so that it will be. */
  #nearest(): Peer[] {
    const delay = (peer: Peer) => (settings.noNearest ? 0 : (this.#delays.get(peer) ?? 0))
    return [...this.#peers].sort((a, b) => delay(a) - delay(b))
  }

  block(peer: Peer, { piece, begin, length }: Wanted): Bytes | undefined {
    const owner = this.#owners.get(piece)
    if (!owner) return undefined
    const { asset, first } = owner
    const load = async (): Promise<Bytes> => {
      try {
        return await asset.read(piece - first)
      } catch (error) {
        asset.expire()
        peer.close()
        throw error
      }
    }
    const data = asset.here(piece - first) ?? this.#host.shelf.get(`${asset.sha} ${piece - first}`, load, peer.resume)
    if (!data) return undefined
    if (begin + length <= data.length) return data.subarray(begin, begin + length)
    // Other clients ask for the padding, too.
    const padded = new Uint8Array(length)
    padded.set(data.subarray(begin))
    return padded
  }

  received(bytes: number): void {
    this.downloaded += bytes
    this.#fedAt = this.#host.now()
  }

  sent(bytes: number): void {
    this.uploaded += bytes
    figures.sent += bytes
  }
}
