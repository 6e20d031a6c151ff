import { Deferred } from '../deferred.ts'
import { Bucket } from '../link/bucket.ts'
import type { OfferDesk } from '../link/host.ts'
import { Timers } from '../link/timers.ts'
import { announce, answer, parse, type Message, type Speaker } from './messages.ts'
import type { Announcing, Standing } from './types.ts'

/** What is used of a WebSocket. */
export type Socket = Pick<WebSocket, 'readyState' | 'send' | 'close' | 'onopen' | 'onmessage' | 'onclose'>

export interface TrackerOptions extends Speaker {
  url: string
  desk: OfferDesk
  socket: (url: string) => Socket
  onchange: (infoHash: string) => void
}

/** One torrent at this tracker. Times are those of Date.now, which goes on while a machine sleeps. */
interface Entry {
  readonly torrent: Announcing
  readonly sharing: number
  state: Standing
  /** Other peers as of the last reply. */
  others: number | undefined
  /** Milliseconds. */
  interval: number
  floor: number
  /** When it is announced next: because something happened, by the interval, or, if it is stalled, sooner. */
  wakeDue: number
  regularDue: number
  stalledDue: number
  /** How often it was announced while stalled. */
  stalls: number
  lastAt: number
  started: boolean
  completed: boolean
  /** Waits for offers. */
  busy: boolean
  /** Waits for the reply. */
  awaiting: boolean
  /** Offers of the last announce that were relayed, as far as is known. */
  offers: string[]
  /** Offers of others being answered. */
  answering: number
}

const open = 1
const connectWithin = 15_000
const replyWithin = 30_000
const closeWithin = 1_000
const firstRetry = 1_000
const slowestRetry = 30_000
/** A timer that is this much too late, which none is in a hidden page either, tells that the machine slept. */
const slept = 90_000
const shortestInterval = 15_000
const longestInterval = 30 * 60_000
const usualInterval = 120_000
/** A torrent the tracker refuses is not announced again before this, stalled or not. */
const refusedFor = 60_000
/** Between announces of a torrent that wants peers and has none. */
const stalledAfter = [2_000, 5_000, 10_000]
const slowestStalled = 15_000
/** A torrent that asks to be announced again is not announced more often than this. */
const wakeAfter = 2_000
/** Announces at once, and per second; one for a stalled torrent counts as several. */
const burst = 100
const rate = 50
const stalledCost = 5
/** Offers for a swarm of unknown size, over all its trackers: each takes time, and most swarms are small. */
const firstOffers = 2
const maxAnswering = 64
const maxAnsweringEach = 16

/**
 * One tracker: a socket for all torrents that name it, connected again when it breaks. What is due is sent from a
 * timer that may be late; every message that comes sends it as well.
 */
export class Tracker {
  readonly #options: TrackerOptions
  readonly #entries = new Map<string, Entry>()
  readonly #timers = new Timers()
  readonly #bucket = new Bucket(burst, rate)
  #socket: Socket | undefined
  /** Resolves when the first socket is open, or given up; later ones are announced to only once they are. */
  readonly #opened = new Deferred()
  #retries = 0
  /** When the next one was planned for. */
  #tickDue = NaN
  #answering = 0

  constructor(options: TrackerOptions) {
    this.#options = options
  }

  get idle(): boolean {
    return !this.#entries.size
  }

  state(infoHash: string): Standing | undefined {
    return this.#entries.get(infoHash)?.state
  }

  /** sharing: how many trackers the torrent has. */
  add(torrent: Announcing, sharing: number): void {
    if (this.#entries.has(torrent.infoHash)) return
    this.#entries.set(torrent.infoHash, {
      torrent,
      sharing,
      state: { url: this.#options.url, status: 'connecting' },
      others: undefined,
      interval: usualInterval,
      floor: 0,
      wakeDue: Date.now(),
      regularDue: Infinity,
      stalledDue: 0,
      stalls: 0,
      lastAt: 0,
      started: false,
      completed: false,
      busy: false,
      awaiting: false,
      offers: [],
      answering: 0,
    })
    if (!this.#socket && !this.#timers.has('retry')) this.#connect()
    this.#soon()
  }

  completed(infoHash: string): void {
    const entry = this.#entries.get(infoHash)
    if (!entry) return
    entry.completed = true
    entry.wakeDue = Date.now()
    this.#soon()
  }

  wake(infoHash: string): void {
    const entry = this.#entries.get(infoHash)
    if (!entry) return
    entry.wakeDue = Math.min(entry.wakeDue, entry.lastAt + Math.max(wakeAfter, entry.floor))
    this.#soon()
  }

  remove(infoHash: string): void {
    const entry = this.#entries.get(infoHash)
    if (!entry) return
    this.#stop(entry)
    this.#entries.delete(infoHash)
  }

  /**
   * The network or the page came back: no reason to wait any longer. anew: a socket of before is dead, and nobody says so.
   */
  retry(anew: boolean): void {
    if (anew) this.#broken()
    if (!this.#socket) this.#connect()
    this.#tick()
  }

  async close(): Promise<void> {
    for (const entry of this.#entries.values()) this.#stop(entry)
    this.#entries.clear()
    this.#timers.close()
    this.#opened.resolve()
    const socket = this.#socket
    this.#socket = undefined
    if (!socket) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, closeWithin)
      socket.onclose = () => {
        clearTimeout(timer)
        resolve()
      }
      socket.close()
    })
  }

  #connect(): void {
    this.#timers.clear('retry')
    let socket: Socket
    try {
      socket = this.#options.socket(this.#options.url)
    } catch {
      return this.#broken() // an address the browser refuses, such as ws: from a page over https
    }
    this.#socket = socket
    this.#timers.set('reply', connectWithin, () => this.#broken())
    socket.onopen = () => {
      this.#timers.clear('reply')
      this.#opened.resolve()
      this.#tick()
    }
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(data)
    socket.onclose = () => this.#socket === socket && this.#broken()
  }

  #broken(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.close()
    this.#opened.resolve()
    this.#timers.clear('reply')
    for (const entry of this.#entries.values()) {
      this.#spoil(entry)
      entry.started = entry.awaiting = false
      entry.wakeDue = 0
      this.#change(entry, { status: 'failed' })
    }
    const ceiling = Math.min(slowestRetry, firstRetry * 2 ** this.#retries++)
    this.#timers.set('retry', Math.max(firstRetry / 2, ceiling * Math.random()), () => this.#connect())
  }

  #due(entry: Entry): number {
    return Math.min(entry.wakeDue, entry.regularDue, entry.torrent.stalled && entry.started ? entry.stalledDue : Infinity)
  }

  /** Announced only because it is stalled. */
  #early(entry: Entry): boolean {
    return Math.min(entry.wakeDue, entry.regularDue) > Date.now()
  }

  #soon(): void {
    if (!this.#timers.has('soon')) this.#timers.set('soon', 0, () => this.#tick())
  }

  /** Announces what is due, oldest first, as fast as is allowed. */
  #tick(): void {
    const now = Date.now()
    const late = now - this.#tickDue
    this.#tickDue = NaN
    // It slept; or somebody set the clock back, and so all that was planned is far away.
    if (late > slept || late < -longestInterval) return this.retry(true)
    if (!this.#socket || (this.#retries && this.#socket.readyState !== open)) return
    const due: { entry: Entry; at: number }[] = []
    let next = Infinity
    for (const entry of this.#entries.values()) {
      const at = entry.busy ? Infinity : this.#due(entry)
      if (at <= now) due.push({ entry, at })
      else next = Math.min(next, at)
    }
    for (const { entry } of due.sort((a, b) => a.at - b.at)) {
      const cost = this.#early(entry) ? stalledCost : 1
      if (this.#bucket.take(cost)) void this.#announce(entry)
      else {
        next = now + this.#bucket.wait(cost)
        break
      }
    }
    if (next === Infinity) return
    this.#tickDue = next
    this.#timers.set('tick', next - now, () => this.#tick())
  }

  async #announce(entry: Entry): Promise<void> {
    const { torrent, others } = entry
    const socket = this.#socket
    const opened = this.#opened.promise
    const early = this.#early(entry)
    const event = entry.started ? (entry.completed ? 'completed' : undefined) : 'started'
    // Counts lag: somebody may have come.
    const most = others === undefined ? Math.ceil(firstOffers / entry.sharing) : others || +torrent.stalled
    const count = event === 'completed' ? 0 : Math.min(torrent.wanted, most)
    entry.busy = true
    const all = others && entry.sharing === 1 ? others : undefined
    const offers = count > 0 ? await this.#options.desk.offers(torrent.infoHash, count, all) : []
    const ids = offers.map(({ id }) => id)
    // The first offers are made while the socket opens.
    await opened
    entry.busy = false
    if (this.#entries.get(torrent.infoHash) !== entry || socket?.readyState !== open) {
      this.#soon()
      return this.#options.desk.release(ids)
    }
    const now = Date.now()
    entry.stalledDue = now + Math.max(stalledAfter[entry.stalls] ?? slowestStalled, entry.floor)
    if (!torrent.stalled) entry.stalls = 0
    // All that a stalled torrent has to say more often is an offer.
    if (!early || offers.length) {
      if (torrent.stalled) entry.stalls++
      entry.lastAt = now
      entry.started = entry.awaiting = true
      if (event === 'completed') entry.completed = false
      entry.wakeDue = entry.completed ? now : Infinity
      this.#plan(entry)
      entry.offers = ids
      socket.send(announce(torrent, this.#options, event, offers))
      if (!this.#timers.has('reply')) this.#timers.set('reply', replyWithin, () => this.#broken())
    }
    this.#soon()
  }

  #stop(entry: Entry): void {
    if (!entry.started) return
    this.#spoil(entry)
    this.#send(announce(entry.torrent, this.#options, 'stopped', []))
  }

  #send(text: string): void {
    if (this.#socket?.readyState === open) this.#socket.send(text)
  }

  /** Somebody may have answered them, and is not heard any more. */
  #spoil(entry: Entry): void {
    this.#options.desk.release(entry.offers.splice(0), true)
  }

  #receive(data: unknown): void {
    const message = parse(data)
    if (!message) return
    this.#timers.clear('reply')
    this.#retries = 0
    const entry = this.#entries.get(message.infoHash)
    if (!entry) return
    if (message.kind === 'reply') this.#reply(entry, message)
    else if (message.kind === 'failure') this.#failed(entry, message.reason)
    else if (message.peerId === this.#options.peerId) return
    else if (message.kind === 'offer') void this.#offered(entry, message)
    else this.#options.desk.answered(message.infoHash, message.peerId, message.offerId, message.sdp)
    this.#soon()
  }

  #reply(entry: Entry, { interval = usualInterval / 1000, floor = 0, seeders, leechers }: Message & { kind: 'reply' }): void {
    entry.awaiting = false
    entry.floor = Math.min(floor * 1000, longestInterval)
    entry.interval = Math.min(Math.max(interval * 1000, shortestInterval, entry.floor), longestInterval)
    this.#plan(entry)
    entry.stalledDue = Math.max(entry.stalledDue, entry.lastAt + entry.floor)
    if (seeders !== undefined && leechers !== undefined) {
      const first = entry.others === undefined
      entry.others = Math.max(0, seeders + leechers - 1)
      if (first && entry.others > entry.offers.length && entry.torrent.wanted) this.wake(entry.torrent.infoHash)
      // Trackers relay the first ones, one to each.
      this.#options.desk.release(entry.offers.splice(entry.others))
    }
    this.#change(entry, { status: 'working', seeders, leechers })
  }

  #failed(entry: Entry, reason: string): void {
    if (!entry.awaiting) return // about an answer that came too late
    entry.awaiting = false
    entry.floor = refusedFor
    entry.stalledDue = Date.now() + refusedFor
    this.#options.desk.release(entry.offers.splice(0))
    this.#change(entry, { status: 'failed', refusal: reason })
  }

  async #offered(entry: Entry, { infoHash, peerId, offerId, sdp }: Message & { kind: 'offer' | 'answer' }): Promise<void> {
    if (this.#answering >= maxAnswering || entry.answering >= maxAnsweringEach) return
    this.#answering++
    entry.answering++
    const ours = await this.#options.desk.offered(infoHash, peerId, sdp)
    this.#answering--
    entry.answering--
    if (ours && this.#entries.get(infoHash) === entry) this.#send(answer(infoHash, this.#options.peerId, peerId, offerId, ours))
  }

  /** With jitter, so that torrents that started together spread. */
  #plan(entry: Entry): void {
    entry.regularDue = entry.lastAt + entry.interval * (0.85 + 0.15 * Math.random())
  }

  #change(entry: Entry, change: Partial<Standing>): void {
    const before = JSON.stringify(entry.state)
    entry.state = { url: this.#options.url, status: 'connecting', ...change }
    if (JSON.stringify(entry.state) !== before) this.#options.onchange(entry.torrent.infoHash)
  }
}
