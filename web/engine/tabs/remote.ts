import { Deferred } from '../deferred.ts'
import type { Engine } from '../engine.ts'
import { StarlingError } from '../errors.ts'
import { calls, isEvent, type Answer, type Call, type CallName } from './messages.ts'

/** The engine that another tab runs. destroy leaves that as it is, and fails what was still asked of it. */
export interface Remote extends Engine {
  /** The other tab's id. */
  readonly leader: string
  /** Takes a message of the hall. */
  hear(message: unknown): void
}

/** id is this tab's; open gives the channel on which a tab is spoken to. */
export function remote(id: string, leader: string, open: (tab: string) => BroadcastChannel): Remote {
  const inbox = open(id)
  const outbox = open(leader)
  const pending = new Map<number, { result: Deferred<unknown>; onHash: ((bytes: number) => void) | undefined }>()
  let count = 0
  let over: StarlingError | undefined

  const send = (name: Call['name'], args: unknown[]): number => {
    outbox.postMessage({ from: id, call: ++count, name, args } satisfies Call)
    return count
  }

  const ask = async (name: CallName, args: unknown[], onHash?: (bytes: number) => void, signal?: AbortSignal): Promise<unknown> => {
    if (over) throw over
    const call = send(name, args)
    const result = new Deferred<unknown>()
    pending.set(call, { result, onHash })
    // It ends when the leader says so: it may have a torrent by then.
    const abort = () => pending.has(call) && send('abort', [call])
    signal?.addEventListener('abort', abort)
    return result.promise.finally(() => signal?.removeEventListener('abort', abort))
  }

  inbox.onmessage = ({ data }: MessageEvent<Answer | null>) => {
    const asked = pending.get(data?.call as number)
    if (!data || !asked) return
    if ('hashed' in data) return asked.onHash?.(data.hashed)
    pending.delete(data.call)
    if ('error' in data) asked.result.reject(new StarlingError(data.error.code, data.error.message))
    else asked.result.resolve(data.value)
  }

  const plain = Object.fromEntries(calls.map((name) => [name, (...args: unknown[]) => ask(name, args)]))
  const engine: Remote = {
    ...(plain as unknown as Engine),
    leader,
    seed: (files, options, onHash, signal) => ask('seed', [files, options], onHash, signal) as ReturnType<Engine['seed']>,
    // Each tab names its readers by itself: the tab's id keeps them apart.
    read: (infoHash, file, start, end, reader) =>
      ask('read', [infoHash, file, start, end, `${id}/${reader}`]) as ReturnType<Engine['read']>,
    release: (infoHash, reader) => void ask('release', [infoHash, `${id}/${reader}`]).catch(() => {}),
    stats: async () => ({ ...((await ask('stats', [])) as Awaited<ReturnType<Engine['stats']>>), leader: false }),
    async destroy() {
      over ??= new StarlingError('removed', 'The tab that did the work was closed.')
      inbox.close()
      outbox.close()
      for (const { result } of pending.values()) result.reject(over)
      pending.clear()
    },
    hear(message) {
      if (over || !isEvent(message) || message.from !== leader) return
      ;(engine[message.event] as ((...args: unknown[]) => void) | undefined)?.(...message.args)
    },
  }
  return engine
}
