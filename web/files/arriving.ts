/** Parcels that come from others: from a link to a row, and where each stands on its way. */
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { Fetching, forget, infoHashOf } from '../ui/fetching.ts'
import { keepsNothing } from '../ui/full.ts'
import { newId, type Parcel } from './parcel.ts'
import type { Parcels } from './parcels.ts'
import { modest, room, saveData } from './room.ts'

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
}

/** Files of this type lead to memos. */
const memoBundle = 'application/vnd.starling.links+json'

export class Arriving extends Emitter<{ change: void }> {
  readonly #node: () => Promise<Starling>
  readonly #parcels: Parcels
  readonly #arrivals = new Map<string, Arrival>()

  constructor(node: () => Promise<Starling>, parcels: Parcels) {
    super()
    this.#node = node
    this.#parcels = parcels
  }

  /** Something is arriving right now. */
  get busy(): boolean {
    return [...this.#arrivals.values()].some(({ error, torrent }) => !error && torrent?.status === 'downloading')
  }

  /** Begins to fetch, or finds the arrival that already does; one that failed is tried again. */
  open(link: string): Arrival {
    const known = this.#arrivals.get(keyOf(link))
    if (known && !known.error) return known
    const arrival = known ?? new Arrival(link)
    if (!known) arrival.on('change', () => this.emit('change', undefined))
    arrival.link = link
    this.retry(arrival)
    return arrival
  }

  /** The same for what looks again and again: one that failed waits for the user. */
  follow(link: string): Arrival {
    return this.#arrivals.get(keyOf(link)) ?? this.open(link)
  }

  /** From the beginning, with the data that is here already. frugal: only what is looked at is fetched. */
  retry(arrival: Arrival, frugal = false): void {
    this.#arrivals.set(keyOf(arrival.link), arrival)
    arrival.frugal = frugal
    void arrival.begin(() => this.#begin(arrival), () => this.#wanted(arrival))
  }

  /** What has no row, nobody can have deleted. */
  async #wanted({ link, parcel }: Arrival): Promise<boolean> {
    if (!this.#arrivals.has(keyOf(link))) return false
    return !parcel || (await this.#parcels.db.parcels()).some(({ id }) => id === parcel)
  }

  /** All of it, whatever its size. */
  async fetch(arrival: Arrival): Promise<void> {
    arrival.asking = false
    arrival.move()
    if (arrival.parcel) {
      await this.#parcels.update(arrival.parcel, ({ from }) => ({ from: from && { ...from, whole: true } }))
    }
    await (await this.#node()).add(arrival.link)
  }

  /** The torrent of a row, wherever it stands. */
  async forget({ from }: Parcel): Promise<void> {
    const { infoHash } = from!
    this.#arrivals.delete(infoHash)
    await forget(await this.#node(), infoHash)
  }

  async #begin(arrival: Arrival): Promise<void> {
    arrival.asking = arrival.memo = false
    arrival.room = undefined
    const unkept = this.#parcels.db.parcels().then(() => false, keepsNothing)
    const torrent = await arrival.meet(await this.#node())
    arrival.unkept = await unkept
    // Its card, which says that it is a memo, may come a moment later than its files.
    const handOver = () => isMemo(torrent, arrival) && this.#handOver(arrival)
    torrent.on('card', () => void handOver())
    if (handOver()) return
    const parcel = arrival.unkept ? undefined : await this.#row(arrival, torrent)
    if (handOver()) return
    if ((arrival.frugal || !parcel?.from!.whole) && !torrent.state.done) await this.#decide(arrival, torrent)
    else await this.fetch(arrival)
    await torrent.done
    if (parcel) await this.#parcels.update(parcel.id, ({ from }) => ({ from: from && { ...from, whole: true, done: true } }))
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
    const all = await this.#parcels.db.parcels()
    const known = all.find(({ from }) => from?.infoHash === infoHash)
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
    else if (known.deleted) await this.#parcels.restore(known.id)
    return parcel
  }
}

const keyOf = (link: string): string => infoHashOf(link) ?? link

/** Memos are kept, or they are files like others. */
function isMemo({ card, files }: Torrent, { unkept }: Arrival): boolean {
  return (card?.kind === 'memo' && !unkept) || card?.kind === 'memos' || (files.length === 1 && files[0]!.type === memoBundle)
}
