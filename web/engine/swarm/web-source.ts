import type { Info } from '../torrent/metainfo.ts'
import type { PeerState } from '../types.ts'
import { Bitfield } from '../wire/bitfield.ts'
import type { PeerNode, Source } from './host.ts'
import { nearBytes, type Ask, type Picker, type Window } from './picker.ts'
import { Speed } from '../speed.ts'
import { WebSeed } from './webseed.ts'

/** What a web seed asks of its torrent. */
export interface WebHost {
  readonly info: Info | undefined
  readonly picker: Picker<Source> | undefined
  readonly node: PeerNode
  readonly fetching: boolean
  received(bytes: number): void
}

/** Runs of pieces at once, and bytes of each. */
const runs = 2
const runBytes = 4 << 20
/** How often it is looked whether a limit allows more, ms. */
const lookEvery = 100

/** One request for several pieces. */
interface Run extends Window {
  readonly stop: AbortController
}

/** A web seed (BEP 19) as a source of whole pieces, several in a row. */
class WebSource implements Source {
  readonly have: Bitfield
  readonly asks = new Map<number, Ask>()
  readonly pace = { owed: 0 }
  useful = 0
  dry = -1
  readonly #host: WebHost
  readonly #seed: WebSeed
  readonly #speed = new Speed()
  readonly #runs = new Set<Run>()
  #closed = false

  constructor(url: string, host: WebHost) {
    this.#host = host
    this.#seed = new WebSeed({ url, info: host.info!, room: (bytes, signal) => this.#room(bytes, signal) })
    this.have = new Bitfield(host.info!.pieces).fill()
    host.picker!.join(this)
  }

  get state(): PeerState {
    const downloadSpeed = this.#speed.at(this.#host.node.now())
    return { id: '', client: new URL(this.#seed.url).host, kind: 'webseed', downloadSpeed, uploadSpeed: 0, progress: 1 }
  }

  /** Whether anything can be hoped for from it. */
  get alive(): boolean {
    return this.can() && !this.#seed.failing
  }

  can(): boolean {
    return !this.#seed.failed
  }

  cancel(): void {
    // A request for a whole run goes on: what is left of it is of use.
  }

  ban(): void {
    this.#seed.giveUp()
    this.close()
  }

  close(): void {
    this.#closed = true
    for (const { stop } of this.#runs) stop.abort()
    this.#host.picker?.leave(this)
  }

  tick(now: number): void {
    const { node: { down }, picker, fetching } = this.#host
    if (!fetching || !picker || this.#closed) return
    this.#hurry(picker)
    while (this.can() && this.#runs.size < runs && now >= this.#seed.retryAt) {
      if (!down.take(1, now)) return
      const run = this.#begin(picker, now)
      if (!run) return
      void this.#fetch(run)
    }
  }

  /** Where somebody has gone to read elsewhere, the run that is farthest from there makes way. */
  #hurry({ free, windows }: Picker<Source>): void {
    const [place] = windows
    if (!place || this.#runs.size < runs || !free.has(place.from)) return
    const far = ({ from }: Run): number => Math.abs(from - place.from)
    const [farthest] = [...this.#runs].sort((a, b) => far(b) - far(a))
    farthest!.stop.abort()
  }

  /** Asks for pieces, one after another: those that somebody waits for, else the rarest, in the end what others left. */
  #begin(picker: Picker<Source>, now: number): Run | undefined {
    const { had, free, windows, wantAll } = picker
    let from = -1
    const found = (index: number, urgent?: boolean): boolean => {
      if (from < 0 && picker.whole(this, index, now, urgent)) from = index
      return from >= 0
    }
    const near = Math.ceil(nearBytes / picker.size(0))
    for (const window of windows) for (let i = window.from; i < window.to && !found(i, i <= window.from + near); ) i++
    if (wantAll && free.free) found(free.buckets.find(({ length }) => length)![0]!)
    else if (wantAll) for (let i = 0; i < had.size && !found(i); ) i++
    if (from < 0) return undefined
    let to = from + 1
    for (let bytes = picker.size(from); bytes < runBytes && picker.whole(this, to, now); ) bytes += picker.size(to++)
    const run = { from, to, stop: new AbortController() }
    this.#runs.add(run)
    return run
  }

  async #fetch(run: Run): Promise<void> {
    const { picker } = this.#host
    const { from, to, stop } = run
    const take = (index: number, data: Uint8Array): void => {
      const now = this.#host.node.now()
      this.#speed.add(data.length, now)
      this.#host.received(data.length)
      picker!.receive(this, index, 0, data, now)
    }
    try {
      await this.#seed.fetchPieces(from, to - from, take, stop.signal)
    } catch {
      // It rests, or is given up; others may have what it owed.
    }
    this.#runs.delete(run)
    for (const ask of this.asks.values()) if (ask.piece >= from && ask.piece < to) picker!.drop(this, ask)
    this.tick(this.#host.node.now())
  }

  /** So many bytes came. Resolves when the limit allows more; undefined where it does already. */
  #room(bytes: number, signal: AbortSignal): Promise<void> | undefined {
    const { node } = this.#host
    const free = (): boolean => signal.aborted || node.down.take(0, node.now())
    const wait = async (): Promise<void> => {
      while (!free()) await new Promise((resolve) => setTimeout(resolve, lookEvery))
    }
    node.down.give(-bytes)
    return free() ? undefined : wait()
  }
}

/** The web seeds of a torrent. */
export class WebSources {
  readonly #host: WebHost
  readonly #all = new Map<string, WebSource>()

  constructor(host: WebHost) {
    this.#host = host
  }

  /** Those of which anything can be hoped for. */
  get alive(): WebSource[] {
    return [...this.#all.values()].filter((web) => web.alive)
  }

  /** Takes in those that are new, or were given up before, if there is still anything to fetch. */
  join(urls: readonly string[]): void {
    if (!this.#host.fetching) return
    for (const url of urls) {
      const before = this.#all.get(url)
      if (before?.can()) continue
      before?.close()
      this.#all.set(url, new WebSource(url, this.#host))
    }
  }

  tick(now: number): void {
    for (const web of this.#all.values()) web.tick(now)
  }

  close(): void {
    for (const web of this.#all.values()) web.close()
    this.#all.clear()
  }
}
