/** Parcels that come from others: from a link to a row, and where each stands on its way. */
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { infoHashOf, newId, type Parcel } from './parcel.ts'
import type { Parcels } from './parcels.ts'
import { modest, room, saveData } from './room.ts'

export class Arrival extends Emitter<{ change: void }> {
  /** As it was given. */
  readonly link: string
  torrent: Torrent | undefined
  /** What went wrong for good. */
  error: unknown
  /** Its row's id, once its metadata is here. */
  parcel: string | undefined
  /** This visit made that row. */
  fresh = false
  /** It is large, and only what is looked at is fetched until the user says more. */
  asking = false
  /** Bytes that fit here, where that is less than it has. */
  room: number | undefined
  /** It is for the section Memos. */
  memo = false
  /** When something last moved, milliseconds since 1970. */
  moved = Date.now()

  constructor(link: string) {
    super()
    this.link = link
  }
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

  /** Begins to fetch, or finds the arrival that already does. */
  open(link: string): Arrival {
    const known = this.#arrivals.get(infoHashOf(link) ?? link)
    return known && !known.error ? known : this.retry(known ?? { link }, link)
  }

  /** From the beginning, with the data that is here already. */
  retry(before: Pick<Arrival, 'link'> & Partial<Pick<Arrival, 'torrent'>>, link = before.link): Arrival {
    const arrival = new Arrival(link)
    arrival.on('change', () => this.emit('change', undefined))
    this.#arrivals.set(infoHashOf(link) ?? link, arrival)
    void this.#begin(arrival, before.torrent)
    return arrival
  }

  /** All of it, whatever its size. */
  async fetch(arrival: Arrival): Promise<void> {
    arrival.asking = false
    arrival.moved = Date.now()
    arrival.emit('change', undefined)
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

  async #begin(arrival: Arrival, before?: Torrent): Promise<void> {
    const move = () => {
      arrival.moved = Date.now()
      arrival.emit('change', undefined)
    }
    const fail = (error: unknown) => {
      arrival.error ??= error
      arrival.emit('change', undefined)
    }
    try {
      // One that failed for its key must not keep it for the next, whose key may be right.
      await before?.remove({ destroyStore: before.state.error?.code === 'wrong-key' })
      // How much of it is wanted is decided when it is known how much it is.
      const torrent = (arrival.torrent = await (await this.#node()).add(arrival.link, { onDemand: true }))
      let [last, peers] = [-1, 0]
      torrent.on('progress', ({ downloaded, peers: { length } }) => {
        if (downloaded === last && length === peers) return arrival.emit('change', undefined)
        ;[last, peers] = [downloaded, length]
        move()
      })
      torrent.on('error', fail)
      move()
      await torrent.ready
      if (!torrent.private && torrent.name === 'sealed') {
        await torrent.remove({ destroyStore: true })
        throw Object.assign(new Error('The key is missing.'), { code: 'bad-link' })
      }
      // Its card, which says that it is a memo, may come a moment later than its files.
      const handOver = () => isMemo(torrent) && this.#handOver(arrival)
      torrent.on('card', () => void handOver())
      if (handOver()) return
      const parcel = await this.#row(arrival, torrent)
      if (handOver()) return
      if (!parcel.from!.whole && !torrent.state.done) await this.#decide(arrival, torrent)
      else await this.fetch(arrival)
      await torrent.done
      await this.#parcels.update(parcel.id, ({ from }) => ({ from: from && { ...from, whole: true, done: true } }))
      arrival.asking = false
      move()
    } catch (error) {
      fail(error)
    }
  }

  async #decide(arrival: Arrival, torrent: Torrent): Promise<void> {
    const free = await room()
    const left = torrent.length - torrent.downloaded
    if (modest(left, free, saveData())) return this.fetch(arrival)
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

function isMemo({ card, files }: Torrent): boolean {
  return card?.kind === 'memo' || card?.kind === 'memos' || (files.length === 1 && files[0]!.type === memoBundle)
}

/** Takes a torrent out of the engine, its data with it. */
export async function forget(node: Starling, infoHash: string): Promise<void> {
  const torrent = node.get(infoHash) ?? (await node.add(infoHash, { onDemand: true }))
  await torrent.remove({ destroyStore: true })
}
