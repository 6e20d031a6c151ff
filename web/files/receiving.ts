/** Parcels that come from others: from a link to a row, and where each stands on its way. */
import type { Starling, Torrent } from 'starling'
import { Fetching, Fetchings } from '../ui/fetching.ts'
import { forget } from '../ui/forgetting.ts'
import { keepsNothing } from '../ui/full.ts'
import { persist } from '../ui/persist.ts'
import { newId, type Parcel } from './parcel.ts'
import type { Parcels } from './parcels.ts'
import { modest, room, saveData } from '../ui/room.ts'
import { isSound } from '../ui/sound.ts'
import { alone } from '../ui/turn.ts'

export class Arrival extends Fetching {
  /** Its row's id, once its metadata is here. */
  parcel: string | undefined
  /** This visit made that row. */
  fresh = false
  /** It is large, and only what is looked at is fetched until the user says more. */
  asking = false
  /** Bytes that fit here, where that is less than it has. */
  room: number | undefined
  /** Not all of it is fetched unasked, whatever its size: there was no room for that. */
  frugal = false
  /** It is for the section Memos. */
  memo = false
  /** The browser keeps nothing for the page: it has no row, and is here as long as the page is. */
  unkept = false

  get rows(): readonly string[] {
    return this.parcel === undefined ? [] : [this.parcel]
  }
}

/** Files of this type lead to memos. */
const memoBundle = 'application/vnd.starling.links+json'

export class Receiving extends Fetchings<Arrival> {
  readonly #parcels: Parcels

  constructor(node: () => Promise<Starling>, parcels: Parcels) {
    super(node, parcels)
    this.#parcels = parcels
  }

  protected make(link: string): Arrival {
    return new Arrival(link)
  }

  /** frugal: only what is looked at is fetched. */
  override retry(arrival: Arrival, frugal = false): void {
    arrival.frugal = frugal
    super.retry(arrival)
  }

  /** All of it, whatever its size. */
  async fetch(arrival: Arrival): Promise<void> {
    arrival.asking = false
    arrival.move()
    if (arrival.parcel) {
      await this.#parcels.update(arrival.parcel, ({ from }) => ({ from: from && { ...from, whole: true } }))
    }
    await (await this.node()).add(arrival.link)
  }

  /** The parcel was deleted for good. */
  async forget({ from }: Parcel): Promise<void> {
    const { infoHash } = from!
    this.arrivals.delete(infoHash)
    // Perhaps it is sent from here, too.
    if (!(await this.#parcels.of(infoHash)).length) await forget(await this.node(), infoHash)
  }

  protected async work(arrival: Arrival): Promise<void> {
    arrival.asking = arrival.memo = false
    arrival.room = undefined
    const unkept = this.#parcels.db.parcels().then(() => false, keepsNothing)
    const torrent = await arrival.meet(await this.node())
    arrival.unkept = await unkept
    // Its card, which says that it is a memo, may come a moment later than its files.
    const handOver = () => isMemo(torrent, arrival) && this.#handOver(arrival)
    torrent.on('card', () => void handOver())
    if (handOver()) return
    // The link may be opened in several tabs at once.
    const row = () => alone(`parcel of ${torrent.infoHash}`, () => this.#row(arrival, torrent))
    const parcel = arrival.unkept ? undefined : await row()
    if (handOver()) return
    if ((arrival.frugal || !parcel?.from!.whole) && !torrent.state.done) await this.#decide(arrival, torrent)
    else await this.fetch(arrival)
    await torrent.done
    if (parcel) {
      await this.#parcels.update(parcel.id, ({ from }) => ({ from: from && { ...from, whole: true, done: true } }))
      if (!parcel.from!.done) void persist()
    }
    arrival.asking = false
    arrival.move()
  }

  async #decide(arrival: Arrival, torrent: Torrent): Promise<void> {
    const free = await room()
    const left = torrent.length - torrent.downloaded
    // What is not kept lies in memory.
    if (!arrival.frugal && modest(left, free, saveData() || arrival.unkept)) return this.fetch(arrival)
    arrival.asking = true
    arrival.room = free !== undefined && free < left ? free : undefined
    arrival.emit('change', undefined)
  }

  /** It turned out to be a memo. */
  #handOver(arrival: Arrival): true {
    if (arrival.memo) return true
    arrival.memo = true
    if (arrival.fresh && arrival.parcel) void this.#parcels.discard(arrival.parcel).catch(reportError)
    arrival.emit('change', undefined)
    return true
  }

  async #row(arrival: Arrival, torrent: Torrent): Promise<Parcel> {
    const { infoHash, name, length: size, files } = torrent
    const known = (await this.#parcels.of(infoHash)).find(({ from }) => from)
    const link = torrent.private ? torrent.link : arrival.link
    const parcel: Parcel = known ?? {
      id: newId(),
      name,
      size,
      count: files.length,
      added: Date.now(),
      from: { infoHash, link, whole: false, done: false },
    }
    arrival.parcel = parcel.id
    arrival.fresh = !known
    if (!known) await this.#parcels.add(parcel)
    else if (arrival.brings(known)) await this.#parcels.restore([known.id])
    return parcel
  }
}

/**
 * Memos are kept, and come unasked; or they are files like others. What the section Memos would send back here is none, whatever
 * its card says.
 */
function isMemo({ card, files, length }: Torrent, { unkept }: Arrival): boolean {
  return (
    (files.length === 1 && files[0]!.type === memoBundle) ||
    (card?.kind === 'memo' && files.some(isSound) && !unkept && modest(length, undefined, saveData()))
  )
}
