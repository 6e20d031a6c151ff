/**
 * One tab per origin runs the engine; the others work through it. Each tab's calls and the engine's answers:
 *
 *   follower: Starling ── Remote ──► "<hall>/<leader>"   ──► serve ── the leader's engine
 *                           ▲  ◄──── "<hall>/<follower>" ◄──  │
 *                           └─────── "<hall>": states      ◄──┘          each "…" is a BroadcastChannel
 *
 * Web Locks say who leads and who is gone, so as a rule nothing here waits for a clock:
 * - every tab asks for the lock <hall>; who has it leads: it starts the engine, then says so in the hall;
 * - every tab holds a lock named by its id, and who depends on it asks for that one too: granted, the tab is gone.
 *   Followers then forget the leader until the next one speaks; the leader lets go of what the follower was reading.
 *
 * A tab that is left or frozen (pagehide, freeze) leaves the election, and comes back with a new id when it is shown
 * again; so a page in the back/forward cache holds nobody up. A follower's torrents go on in the leader without it.
 *
 * iOS suspends tabs in the background without a word, and their locks stay theirs. So whoever does not lead asks now and
 * then who does, and takes the lead from one that says nothing; which leaves when it wakes, and comes back as a follower.
 *
 * Messages, in the hall:   { hello: true }                  who leads?
 *                          { leader: id }                   I do
 *                          { coming: true }                 somebody will, whose engine still starts
 *                          { from: id, event, args }        of Engine's on…
 *           to a leader:   { from: id, call: n, name, args }; the name abort ends a seed, whose call is in args
 *         to a follower:   { call: n, value } | { call: n, error: { code, message } } | { call: n, hashed: bytes }
 */
import { random, toHex } from '../bytes.ts'
import { Deferred } from '../deferred.ts'
import type { Engine } from '../engine.ts'
import { remote, type Remote } from './remote.ts'
import { serve } from './serve.ts'

/**
 * Ends in the version of the messages. Tabs with another version share neither engine nor election: each version has a
 * leader of its own until the older tabs are closed.
 */
const hallName = 'starling/1'

/** Milliseconds between questions who leads, and how many may go without an answer: a busy leader takes its time. */
const lookEvery = 5000
const patience = 2

/** What tabs need of the browser. */
export interface TabHost {
  locks: Pick<LockManager, 'request'>
  BroadcastChannel: typeof BroadcastChannel
  /** The window: pagehide, pageshow, freeze, resume. */
  events: Pick<EventTarget, 'addEventListener' | 'removeEventListener'>
}

export interface Tabs {
  /** Stops the engine where this tab runs it. */
  close(): Promise<void>
}

/**
 * Takes this tab into the election. use is told the engine to work with whenever that changes, undefined while there is
 * none; failed, that this tab was elected and could not start it. Throws where the browser lets tabs not hear each other.
 */
export function shareTabs(
  start: () => Promise<Engine>,
  use: (engine: Engine | undefined) => void,
  failed: (error: unknown) => void,
  { locks, events, BroadcastChannel }: TabHost,
): Tabs {
  /** frozen: nothing of this page may run from here on. */
  let leave: ((frozen?: boolean) => Promise<void>) | undefined

  const visit = () => {
    const id = toHex(random(8))
    const open = (name?: string) => new BroadcastChannel(name ? `${hallName}/${name}` : hallName)
    const hall = open()
    const abort = new AbortController()
    const leaving = new Deferred()
    const left = new Deferred()
    let other: Remote | undefined
    let started: Promise<Engine> | undefined
    let unserve: (() => void) | undefined
    let unanswered = 0
    let looking: ReturnType<typeof setInterval> | undefined

    /**
     * Resolves when this tab holds the lock, which it then does until the end. Also where the browser refuses locks (a
     * sandboxed frame): such a tab leads for itself.
     */
    const hold = (name: string, end: Deferred, options: LockOptions = { signal: abort.signal }) =>
      new Promise<void>((resolve) => {
        const held = () => (resolve(), end.promise)
        locks.request(name, options, held).catch((error: Error) => (error.name === 'AbortError' ? robbed() : resolve()))
      })
    /** This tab stood still, and another one leads. */
    const robbed = () => {
      if (abort.signal.aborted) return
      go()
      come()
    }
    const whenGone = (tab: string, then: () => void) =>
      void locks.request(`${hallName}/${tab}`, { signal: abort.signal, mode: 'shared' }, then).catch(() => {})

    const follow = (leader: string | undefined) => {
      const old = other
      const current = (other = leader ? remote(id, leader, open) : undefined)
      use(current)
      void old?.destroy()
      if (!leader) return
      whenGone(leader, () => {
        if (other !== current || abort.signal.aborted) return
        follow(undefined)
        hall.postMessage({ hello: true })
      })
    }

    const hear = ({ data }: MessageEvent<{ hello?: true; leader?: unknown; coming?: true } | null>) => {
      if (data?.leader || data?.coming) unanswered = 0
      if (typeof data?.leader === 'string' && !started && data.leader !== other?.leader) follow(data.leader)
      else if (data?.hello && started) hall.postMessage(unserve ? { leader: id } : { coming: true })
      else other?.hear(data)
    }

    const look = () => {
      if (unanswered++ < patience) return hall.postMessage({ hello: true })
      clearInterval(looking)
      lead({ steal: true })
    }

    const elected = async () => {
      if (abort.signal.aborted || started) return
      clearInterval(looking)
      started = start()
      if (other) follow(undefined)
      const [engine] = await Promise.all([started, named])
      if (abort.signal.aborted) return
      use(engine)
      unserve = serve(engine, id, { hall, open, whenGone })
      hall.postMessage({ leader: id })
    }

    leave = async (frozen) => {
      leave = undefined
      abort.abort()
      clearInterval(looking)
      leaving.resolve()
      if (frozen) left.resolve()
      use(undefined)
      void other?.destroy()
      unserve?.()
      hall.close()
      await started?.then((engine) => engine.destroy(frozen)).catch(() => {})
      left.resolve()
    }

    // Nobody hears of this tab before it holds its own lock, nor does it hear: a leader that it called would take it for
    // gone. Asking for both at once saves time.
    const named = hold(`${hallName}/${id}`, leaving).then(() => {
      if (abort.signal.aborted) return
      hall.onmessage = hear
      hall.postMessage({ hello: true })
      if (!started) looking = setInterval(look, lookEvery)
    })
    const lead = (options?: LockOptions) =>
      void hold(hallName, left, options)
        .then(elected)
        .catch(async (error: unknown) => {
          await close()
          failed(error)
        })
    lead()
  }

  const come = () => {
    if (!leave) visit()
  }
  const go = () => void leave?.(true)
  const listen = (method: 'addEventListener' | 'removeEventListener') => {
    // freeze and resume are the document's and do not bubble: the window hears them only on their way down.
    for (const name of ['pagehide', 'freeze']) events[method](name, go, { capture: true })
    for (const name of ['pageshow', 'resume']) events[method](name, come, { capture: true })
  }
  const close = async () => {
    listen('removeEventListener')
    await leave?.()
  }
  come()
  listen('addEventListener')
  return { close }
}
