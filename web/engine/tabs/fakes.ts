/** For tests in Node: tabs of one browser, and an engine that fetches nothing. */
import type { Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import type { Again, Engine } from '../engine.ts'
import { StarlingError, aborted } from '../errors.ts'
import type { AddOptions, Card, Limits, NodeStats, SeedOptions, TorrentState } from '../types.ts'

interface Request {
  tab: FakeTab
  shared: boolean
  grant(): void
  /** Somebody steals it. False where it is not yet held. */
  rob(): boolean
  done: Promise<unknown>
}

/** Web Locks as a browser's tabs share them: those who hold come first in a queue, the others wait their turn. */
export class FakeBrowser {
  readonly queues = new Map<string, Request[]>()
  readonly channels = new Set<FakeChannel>()
  /** Set: who ends has its locks passed on in the other order. */
  backwards = false

  grant(name: string): void {
    const queue = this.queues.get(name) ?? []
    const first = queue[0]
    for (const [at, request] of queue.entries()) {
      if (at > 0 && !(request.shared && first?.shared)) break
      request.grant()
    }
  }

  drop(unwanted: (request: Request) => boolean): void {
    const queues = [...this.queues]
    for (const [name, queue] of this.backwards ? queues.reverse() : queues) {
      const kept = queue.filter((request) => !unwanted(request))
      this.queues.set(name, kept)
      if (kept.length < queue.length) this.grant(name)
    }
  }
}

/** A BroadcastChannel. Node's own takes a Blob only where there are two ends. */
class FakeChannel {
  readonly name: string
  onmessage: ((event: { data: unknown }) => void) | undefined
  readonly #all: Set<FakeChannel>
  /** Runs what happens in its tab. */
  readonly #run: (work: () => void) => void

  constructor(all: Set<FakeChannel>, name: string, run: (work: () => void) => void) {
    this.#all = all
    this.name = name
    this.#run = run
    all.add(this)
  }

  postMessage(message: unknown): void {
    if (!this.#all.has(this)) throw new DOMException('The channel is closed.', 'InvalidStateError')
    for (const other of this.#all) {
      if (other === this || other.name !== this.name) continue
      const data = structuredClone(message)
      setImmediate(() => other.#run(() => this.#all.has(other) && other.onmessage?.({ data })))
    }
  }

  close(): void {
    this.#all.delete(this)
  }
}

/** One tab: what Tabs needs of it, and the ways in which it ends. */
export class FakeTab {
  readonly events = new EventTarget()
  readonly locks: Pick<LockManager, 'request' | 'query'>
  readonly BroadcastChannel: typeof BroadcastChannel
  readonly #browser: FakeBrowser
  readonly #channels: FakeChannel[] = []
  /** What waits while it stands still. */
  #later: (() => void)[] | undefined

  constructor(browser: FakeBrowser) {
    this.#browser = browser
    this.locks = {
      request: this.#request as LockManager['request'],
      query: async () => ({ held: [...browser.queues].flatMap(([name, { length }]) => (length ? { name } : [])) }),
    }
    const channels = this.#channels
    const run = this.#run
    this.BroadcastChannel = class extends FakeChannel {
      constructor(name: string) {
        super(browser.channels, name, run)
        channels.push(this)
      }
    } as unknown as typeof BroadcastChannel
  }

  /** As the browser ends it: nothing of it runs any more, and its locks pass on. */
  crash(): void {
    for (const channel of this.#channels) channel.close()
    this.#browser.drop(({ tab }) => tab === this)
  }

  /** As iOS suspends a tab in the background: it is told nothing of that, and keeps its locks. */
  stall(): void {
    this.#later = []
  }

  wake(): void {
    const later = this.#later ?? []
    this.#later = undefined
    for (const work of later) work()
  }

  readonly #run = (work: () => void): void => {
    if (this.#later) this.#later.push(work)
    else work()
  }

  readonly #request = (name: string, options: LockOptions, work: () => unknown): Promise<unknown> => {
    const { promise: done, resolve, reject } = new Deferred<unknown>()
    const granted = new Deferred()
    let [given, held] = [false, false]
    const grant = () => {
      given = true
      granted.resolve()
    }
    const rob = () => {
      if (given) this.#run(() => reject(new DOMException('', 'AbortError')))
      return given
    }
    const request: Request = { tab: this, shared: options.mode === 'shared', grant, rob, done }
    const queues = this.#browser.queues
    const before = queues.get(name) ?? []
    queues.set(name, options.steal ? [request, ...before.filter((other) => !other.rob())] : [...before, request])
    void granted.promise.then(async () => {
      held = true
      resolve(await work())
      this.#browser.drop((other) => other === request)
    })
    options.signal?.addEventListener('abort', () => {
      if (held) return
      reject(new DOMException('', 'AbortError'))
      this.#browser.drop((other) => other === request)
    })
    this.#browser.grant(name)
    return done
  }
}

/** Keeps to engine.ts, for torrents of one file whose infohash the test chooses: seed's is its name. */
export class FakeEngine implements Engine {
  onstate: Engine['onstate']
  onpeer: Engine['onpeer']
  onremove: Engine['onremove']
  destroyed = false
  readonly seeded: { files: readonly Blob[]; options: SeedOptions }[] = []
  readonly added: { id: string | Bytes; options: AddOptions }[] = []
  readonly removed: { infoHash: string; destroyStore?: boolean }[] = []
  readonly released: string[] = []
  readonly limits: Limits[] = []
  readonly relayOnly: boolean[] = []
  readonly reads: { start: number; end: number; reader: string }[] = []
  readonly #torrents = new Map<string, TorrentState>()
  readonly #data = new Map<string, Blob>()
  readonly #waiting = new Map<string, Deferred<never>>()
  readonly #arrived = new Deferred()
  readonly #removed = new Set<string>()
  /** Set: seed waits for it after it told onHash. */
  hashing: Promise<void> | undefined

  async seed(
    files: readonly Blob[], options: SeedOptions & Again, onHash?: (bytes: number) => void, signal?: AbortSignal,
  ): Promise<TorrentState> {
    this.seeded.push({ files, options })
    const file = files[0]!
    onHash?.(file.size)
    const stopped = new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(aborted(signal))))
    await Promise.race([this.hashing, stopped])
    this.#alive()
    const infoHash = options.known ?? options.name ?? ''
    this.#wanted(infoHash, options)
    this.#data.set(infoHash, file)
    const card = options.card ?? this.#torrents.get(infoHash)?.card
    return this.#keep({ ...made(infoHash), ...whole(file), private: !!options.private, card })
  }

  async add(id: string | Bytes, options: AddOptions & Again): Promise<TorrentState> {
    this.#alive()
    this.added.push({ id, options })
    const infoHash = typeof id === 'string' ? id.slice(0, 40) : 'f'.repeat(40)
    this.#wanted(infoHash, options)
    return this.#torrents.get(infoHash) ?? this.#keep(made(infoHash))
  }

  /** The data of an added torrent comes from somewhere. */
  arrive(infoHash: string, file: Blob): void {
    this.#data.set(infoHash, file)
    this.tell(infoHash, whole(file))
    this.#arrived.resolve()
  }

  /** A state changes. */
  tell(infoHash: string, change: Partial<TorrentState>): void {
    this.onstate?.(this.#keep({ ...this.#torrents.get(infoHash)!, ...change }))
  }

  async read(infoHash: string, _file: number, start: number, end: number, reader: string): Promise<Bytes> {
    this.#state(infoHash)
    this.reads.push({ start, end, reader })
    const stop = new Deferred<never>()
    this.#waiting.set(reader, stop)
    if (!this.#data.has(infoHash)) await Promise.race([stop.promise, this.#arrived.promise])
    return new Uint8Array(await this.#data.get(infoHash)!.slice(start, Math.min(end, start + (1 << 20))).arrayBuffer())
  }

  release(_infoHash: string, reader: string): void {
    this.released.push(reader)
    this.#waiting.get(reader)?.reject(new StarlingError('aborted', 'Released.'))
  }

  async blob(infoHash: string): Promise<Blob> {
    this.#state(infoHash)
    return this.#data.get(infoHash)!
  }

  async torrentFile(infoHash: string): Promise<Bytes> {
    this.#state(infoHash)
    return new TextEncoder().encode('d4:infod4:name')
  }

  async setCard(infoHash: string, card: Card): Promise<void> {
    this.#state(infoHash)
    this.tell(infoHash, { card })
  }

  async pause(infoHash: string, on: boolean): Promise<void> {
    this.#state(infoHash)
    this.tell(infoHash, { status: on ? 'paused' : 'finding' })
  }

  async limit(limits: Limits): Promise<void> {
    this.limits.push(limits)
  }

  async setRelayOnly(on: boolean): Promise<void> {
    this.relayOnly.push(on)
  }

  async remove(infoHash: string, options: { destroyStore?: boolean }): Promise<void> {
    this.#state(infoHash)
    this.removed.push({ infoHash, ...options })
    this.#torrents.delete(infoHash)
    this.#removed.add(infoHash)
    this.onremove?.(infoHash)
  }

  async states(): Promise<TorrentState[]> {
    return [...this.#torrents.values()]
  }

  async stats(): Promise<NodeStats> {
    const torrents = this.#torrents.size
    const none = { links: 0, channels: 0, lanes: 0, connectionsMade: 0, banned: 0, downloadSpeed: 0, uploadSpeed: 0 }
    return { leader: true, torrents, ...none, relayOnly: false, store: 'memory' }
  }

  async destroy(): Promise<void> {
    this.destroyed = true
    for (const stop of this.#waiting.values()) stop.reject(new StarlingError('removed', 'Destroyed.'))
  }

  #wanted(infoHash: string, { again }: Again): void {
    if (again && this.#removed.has(infoHash)) throw new StarlingError('removed', 'It was removed.')
    this.#removed.delete(infoHash)
  }

  #keep(state: TorrentState): TorrentState {
    this.#torrents.set(state.infoHash, state)
    return state
  }

  #state(infoHash: string): TorrentState {
    this.#alive()
    const state = this.#torrents.get(infoHash)
    if (!state) throw new StarlingError('removed', 'There is no such torrent.')
    return state
  }

  #alive(): void {
    if (this.destroyed) throw new StarlingError('removed', 'Destroyed.')
  }
}

function made(infoHash: string): TorrentState {
  const none = { name: '', length: 0, progress: 0, downloaded: 0, uploaded: 0, downloadSpeed: 0, uploadSpeed: 0 }
  const empty = { files: [], peers: [], trackers: [], linksTried: 0, linksFailed: 0, private: false }
  const links = { magnetURI: `magnet:?xt=urn:btih:${infoHash}`, link: `https://localhost/m#${infoHash}` }
  return { infoHash, status: 'finding', ready: false, done: false, ...none, ...empty, ...links }
}

function whole(file: Blob): Partial<TorrentState> {
  const [name, type, size] = [file instanceof File ? file.name : 'file', file.type, file.size]
  const files = [{ name, path: name, size, type, progress: 1 }]
  return { name, files, length: size, downloaded: size, progress: 1, ready: true, done: true, status: 'seeding' }
}
