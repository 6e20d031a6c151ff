import type { Bytes } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import type { Engine } from '../engine.ts'
import { StarlingError } from '../errors.ts'
import type { AddOptions, Card, NodeStats, SeedOptions, TorrentState } from '../types.ts'
import { isEvent, type Answer, type CallName } from './messages.ts'

interface Pending {
  result: Deferred<unknown>
  onHash: ((bytes: number) => void) | undefined
}

/** The engine that another tab runs. When that tab is gone, destroy fails what was still asked of it. */
export class Remote implements Engine {
  readonly leader: string
  onstate: Engine['onstate']
  onpeer: Engine['onpeer']
  onremove: Engine['onremove']

  readonly #id: string
  readonly #inbox: BroadcastChannel
  readonly #outbox: BroadcastChannel
  readonly #pending = new Map<number, Pending>()
  #calls = 0
  #over = false

  /** id is this tab's; open gives the channel on which a tab is spoken to. */
  constructor(id: string, leader: string, open: (tab: string) => BroadcastChannel) {
    this.leader = leader
    this.#id = id
    this.#inbox = open(id)
    this.#outbox = open(leader)
    this.#inbox.onmessage = ({ data }) => this.#answered(data)
  }

  seed(files: readonly Blob[], options: SeedOptions, onHash?: (bytes: number) => void): Promise<TorrentState> {
    return this.#call('seed', [files, options], onHash)
  }
  add(id: string | Bytes, options: AddOptions): Promise<TorrentState> {
    return this.#call('add', [id, options])
  }
  read(infoHash: string, file: number, start: number, end: number, reader: string): Promise<Bytes> {
    return this.#call('read', [infoHash, file, start, end, reader])
  }
  release(infoHash: string, reader: string): void {
    void this.#call('release', [infoHash, reader]).catch(() => {})
  }
  blob(infoHash: string, file: number): Promise<Blob> {
    return this.#call('blob', [infoHash, file])
  }
  torrentFile(infoHash: string): Promise<Bytes> {
    return this.#call('torrentFile', [infoHash])
  }
  setCard(infoHash: string, card: Card): Promise<void> {
    return this.#call('setCard', [infoHash, card])
  }
  remove(infoHash: string, options: { destroyStore?: boolean }): Promise<void> {
    return this.#call('remove', [infoHash, options])
  }
  states(): Promise<TorrentState[]> {
    return this.#call('states', [])
  }
  async stats(): Promise<NodeStats> {
    return { ...(await this.#call<NodeStats>('stats', [])), leader: false }
  }

  /** Leaves the other tab's engine as it is. */
  async destroy(): Promise<void> {
    this.#over = true
    this.#inbox.close()
    this.#outbox.close()
    for (const { result } of this.#pending.values()) result.reject(gone())
    this.#pending.clear()
  }

  /** A message in the hall. */
  hear(message: unknown): void {
    if (!this.#over && isEvent(message) && message.from === this.leader) {
      ;(this[message.event] as ((...args: unknown[]) => void) | undefined)?.(...message.args)
    }
  }

  async #call<T>(name: CallName, args: unknown[], onHash?: (bytes: number) => void): Promise<T> {
    if (this.#over) throw gone()
    const call = ++this.#calls
    const result = new Deferred<unknown>()
    this.#outbox.postMessage({ from: this.#id, call, name, args })
    this.#pending.set(call, { result, onHash })
    return result.promise as Promise<T>
  }

  #answered(answer: Answer | null): void {
    const pending = this.#pending.get(answer?.call as number)
    if (!pending || !answer) return
    if ('hashed' in answer) return pending.onHash?.(answer.hashed)
    this.#pending.delete(answer.call)
    if ('error' in answer) pending.result.reject(new StarlingError(answer.error.code, answer.error.message))
    else pending.result.resolve(answer.value)
  }
}

const gone = () => new StarlingError('removed', 'The tab that did the work was closed.')
