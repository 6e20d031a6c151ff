import type { Engine } from '../engine.ts'
import { StarlingError } from '../errors.ts'
import { isCall, isKnown, type Call, type Event, type EventName } from './messages.ts'

interface Follower {
  outbox: BroadcastChannel
  /** Names of readers, and the torrents they read. */
  readers: Map<string, string>
  /** By their calls: what ends those that can be. */
  stops: Map<number, AbortController>
}

/** What serving needs of the election (tabs.ts). */
interface Hall {
  hall: BroadcastChannel
  /** The channel on which a tab is spoken to. */
  open(tab: string): BroadcastChannel
  whenGone(tab: string, then: () => void): void
}

/**
 * Lets other tabs work through this tab's engine: passes its events to the hall, and answers calls. Readers of a tab
 * that is gone are released. The returned function stops it. id is this tab's.
 */
export function serve(engine: Engine, id: string, { hall, open, whenGone }: Hall): () => void {
  const inbox = open(id)
  const followers = new Map<string, Follower>()
  let over = false

  const tell = <Args extends unknown[]>(event: EventName, own: ((...args: Args) => void) | undefined) => {
    return (...args: Args) => {
      // A tab asks before it listens; a state is worth a copy only where somebody does.
      if (!over && followers.size) hall.postMessage({ from: id, event, args } satisfies Event)
      own?.(...args)
    }
  }
  engine.onstate = tell('onstate', engine.onstate)
  engine.onpeer = tell('onpeer', engine.onpeer)
  engine.onremove = tell('onremove', engine.onremove)

  const forget = (tab: string) => {
    const { outbox, readers } = followers.get(tab)!
    followers.delete(tab)
    outbox.close()
    for (const [reader, infoHash] of readers) engine.release(infoHash, reader)
  }

  const follower = (tab: string): Follower => {
    let known = followers.get(tab)
    if (!known) {
      followers.set(tab, (known = { outbox: open(tab), readers: new Map(), stops: new Map() }))
      whenGone(tab, () => !over && forget(tab))
    }
    return known
  }

  inbox.onmessage = async ({ data }: MessageEvent<unknown>) => {
    if (!isCall(data)) return
    const { outbox, readers, stops } = follower(data.from)
    const { call, name, args } = data
    if (name === 'abort') return stops.get(args[0] as number)?.abort()
    const stop = new AbortController()
    if (name === 'seed') stops.set(call, stop)
    const answer = (message: object) => {
      if (!over && followers.has(data.from)) outbox.postMessage({ call, ...message })
    }
    try {
      answer({ value: await run(engine, data, readers, (hashed) => answer({ hashed }), stop.signal) })
    } catch (error) {
      const { code, message } = error instanceof StarlingError ? error : new StarlingError('unsupported', String(error))
      answer({ error: { code, message } })
    } finally {
      stops.delete(call)
    }
  }

  return () => {
    over = true
    inbox.close()
    for (const tab of followers.keys()) forget(tab)
  }
}

function run(
  engine: Engine, { name, args }: Call, readers: Follower['readers'], onHash: (bytes: number) => void, signal: AbortSignal,
) {
  if (!isKnown(name)) {
    throw new StarlingError('unsupported', 'Another tab of this site runs an older version of Starling. Close it, or reload it.')
  }
  if (name === 'seed') args.push(onHash, signal)
  if (name === 'read') readers.set(args[4] as string, args[0] as string)
  if (name === 'release') readers.delete(args[1] as string)
  return (engine[name] as (...args: unknown[]) => unknown)(...args)
}
