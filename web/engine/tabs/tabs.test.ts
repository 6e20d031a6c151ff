import { afterEach, describe, expect, test, vi } from 'vitest'
import { Deferred } from '../deferred.ts'
import type { Engine } from '../engine.ts'
import { StarlingError } from '../errors.ts'
import type { PeerState, TorrentState } from '../types.ts'
import { FakeBrowser, FakeEngine, FakeTab } from './fakes.ts'
import { shareTabs, type Tabs } from './tabs.ts'

const hash = (digit: string) => digit.repeat(40)

/** A tab in the election, with what it was told to use. */
class Seat {
  readonly tab: FakeTab
  readonly tabs: Tabs
  /** This tab's own, each time it led. */
  readonly own: FakeEngine[] = []
  /** Names of the torrents whose states this tab was told. */
  readonly heard: string[] = []
  engine: Engine | undefined
  failure: unknown

  constructor(browser: FakeBrowser, start?: () => Promise<Engine>, prepare?: (tab: FakeTab) => void) {
    this.tab = new FakeTab(browser)
    prepare?.(this.tab)
    open.push(this)
    this.tabs = shareTabs(
      start ?? (async () => this.own[this.own.push(new FakeEngine()) - 1]!),
      (engine) => {
        this.engine = engine
        if (engine) engine.onstate = ({ name }) => this.heard.push(name)
      },
      (error) => (this.failure = error),
      this.tab,
    )
  }

  get leads(): boolean {
    return !!this.engine && this.own.includes(this.engine as FakeEngine)
  }
  get follows(): boolean {
    return !!this.engine && !this.leads
  }
}

const open: Seat[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const seat of open.splice(0)) {
    await seat.tabs.close()
    seat.tab.crash()
  }
})

/** The next time at which followers see whether their leader is awake. */
async function look(): Promise<void> {
  vi.advanceTimersByTime(5000)
  await settle()
}

/** Until all that was sent has come. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
}

/** A tab whose requests for locks, where they are the ones meant, wait until the test lets them go. */
function slow(meant: (name: string, options: LockOptions) => boolean): { go: () => void; prepare: (tab: FakeTab) => void } {
  const gate = new Deferred()
  const prepare = ({ locks }: FakeTab) => {
    const request = locks.request as (name: string, options: LockOptions, work: () => unknown) => Promise<unknown>
    locks.request = (async (name: string, options: LockOptions, work: () => unknown) => {
      if (meant(name, options)) await gate.promise
      return request(name, options, work)
    }) as LockManager['request']
  }
  return { go: gate.resolve, prepare }
}
const itsOwn = (name: string, { mode }: LockOptions) => name !== 'starling/1' && mode !== 'shared'
const ofOthers = (_: string, { mode }: LockOptions) => mode === 'shared'

async function pair(): Promise<[Seat, Seat, FakeBrowser]> {
  const browser = new FakeBrowser()
  const leader = new Seat(browser)
  await vi.waitUntil(() => leader.leads)
  const follower = new Seat(browser)
  await vi.waitUntil(() => follower.follows)
  return [leader, follower, browser]
}

describe('a follower', () => {
  test('calls the engine of the leader', async () => {
    const [leader, { engine }] = await pair()
    const onHash = vi.fn()
    const file = new File(['hello'], 'hello.txt', { type: 'text/plain' })
    const state = await engine!.seed([file], { name: hash('a') }, onHash)
    expect(state).toMatchObject({ infoHash: hash('a'), done: true, length: 5 })
    expect(onHash).toHaveBeenCalledWith(5)
    expect(await (await engine!.blob(hash('a'), 0)).text()).toBe('hello')
    expect(new TextDecoder().decode(await engine!.read(hash('a'), 0, 1, 3, 'r'))).toBe('el')
    expect((await engine!.states()).map(({ infoHash }) => infoHash)).toEqual([hash('a')])
    expect(await engine!.stats()).toMatchObject({ leader: false, torrents: 1 })
    expect(await leader.engine!.stats()).toMatchObject({ leader: true, torrents: 1 })
  })

  test('of a later version is told that the leader cannot do what it asks for', async () => {
    const [leader, , browser] = await pair()
    const inboxes = new Set([...browser.channels].map(({ name }) => name).filter((name) => name.startsWith('starling/1/')))
    const { BroadcastChannel, locks } = new FakeTab(browser)
    void locks.request('starling/1/later', {}, () => new Promise(() => {}))
    const answers: unknown[] = []
    new BroadcastChannel('starling/1/later').onmessage = ({ data }) => answers.push(data.error.code)
    for (const inbox of inboxes) {
      for (const [call, name] of ['dance', 'destroy', 'constructor'].entries()) {
        new BroadcastChannel(inbox).postMessage({ from: 'later', call, name, args: [] })
      }
    }
    await vi.waitUntil(() => answers.length === 3)
    expect(answers).toEqual(['unsupported', 'unsupported', 'unsupported'])
    expect(leader.own[0]!.destroyed).toBe(false)
  })

  test('hears what happens, as the leader does', async () => {
    const [leader, { engine }] = await pair()
    await engine!.add(hash('b'), {})
    const states: TorrentState[] = []
    const peers: [string, PeerState][] = []
    const removed: string[] = []
    engine!.onstate = (state) => states.push(state)
    engine!.onpeer = (infoHash, peer) => peers.push([infoHash, peer])
    engine!.onremove = (infoHash) => removed.push(infoHash)
    const peer: PeerState = { id: 'c', client: '', kind: 'direct', downloadSpeed: 1, uploadSpeed: 2, progress: 1 }
    leader.own[0]!.tell(hash('b'), { name: 'new' })
    leader.own[0]!.onpeer!(hash('b'), peer)
    await engine!.remove(hash('b'), {})
    await vi.waitUntil(() => removed.length)
    expect(states.map(({ name }) => name)).toEqual(['new'])
    expect(peers).toEqual([[hash('b'), peer]])
    expect(removed).toEqual([hash('b')])
    expect(leader.heard).toEqual(['new'])
  })

  test('is told nothing before it asked for anything, nor is anybody once it is gone', async () => {
    const [leader, follower, browser] = await pair()
    const told: unknown[] = []
    const hall = new new FakeTab(browser).BroadcastChannel('starling/1')
    hall.onmessage = ({ data }) => data?.event && told.push(data.event)
    const own = leader.own[0]!
    await leader.engine!.add(hash('a'), {})
    own.tell(hash('a'), { name: 'unheard' })
    await follower.engine!.add(hash('a'), {})
    own.tell(hash('a'), { name: 'heard' })
    await vi.waitUntil(() => told.length)
    expect(told).toEqual(['onstate'])
    follower.tab.crash()
    await new Promise(setImmediate)
    own.tell(hash('a'), { name: 'unheard' })
    await new Promise(setImmediate)
    expect(told).toEqual(['onstate'])
  })

  test('gets errors as they were', async () => {
    const [, { engine }] = await pair()
    const error = await engine!.torrentFile(hash('d')).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(StarlingError)
    expect(error).toMatchObject({ code: 'removed', message: 'There is no such torrent.' })
  })

  test.each(['crashes', 'leaves'])('that %s keeps no reading position in the leader', async (how) => {
    const [leader, follower] = await pair()
    await follower.engine!.add(hash('f'), {})
    follower.engine!.read(hash('f'), 0, 0, 9, 'player').catch(() => {})
    await vi.waitUntil(() => leader.own[0]!.reads.length)
    const { reader } = leader.own[0]!.reads[0]!
    if (how === 'crashes') follower.tab.crash()
    else await follower.tabs.close()
    await vi.waitUntil(() => leader.own[0]!.released.length)
    expect(leader.own[0]!.released).toEqual([reader])
    expect(await leader.engine!.states()).toHaveLength(1)
  })

  test('releases by itself, and two tabs may give readers the same name', async () => {
    const [leader, one, browser] = await pair()
    const two = new Seat(browser)
    await vi.waitUntil(() => two.follows)
    await one.engine!.add(hash('f'), {})
    const read = one.engine!.read(hash('f'), 0, 0, 9, 'r')
    two.engine!.read(hash('f'), 0, 0, 9, 'r').catch(() => {})
    await vi.waitUntil(() => leader.own[0]!.reads.length === 2)
    one.engine!.release(hash('f'), 'r')
    await expect(read).rejects.toMatchObject({ code: 'aborted' })
    expect(leader.own[0]!.released).toHaveLength(1)
    await one.tabs.close()
    await two.tabs.close()
    await vi.waitUntil(() => leader.own[0]!.released.length > 1)
    expect(new Set(leader.own[0]!.released).size).toBe(2)
    expect(leader.own[0]!.released).toHaveLength(2)
  })

  test('keeps what it asked for when another tab comes', async () => {
    const [, follower, browser] = await pair()
    const { engine } = follower
    await engine!.add(hash('f'), {})
    const read = engine!.read(hash('f'), 0, 0, 9, 'r')
    const third = new Seat(browser)
    await vi.waitUntil(() => third.follows)
    await settle()
    expect(follower.engine).toBe(engine)
    engine!.release(hash('f'), 'r')
    await expect(read).rejects.toMatchObject({ code: 'aborted' })
  })

  test('that is closed fails what it asked for, and does not start an engine', async () => {
    const [leader, follower] = await pair()
    const engine = follower.engine!
    await engine.add(hash('f'), {})
    const failed = expect(engine.read(hash('f'), 0, 0, 9, 'r')).rejects.toMatchObject({ code: 'removed' })
    await follower.tabs.close()
    await failed
    await expect(engine.stats()).rejects.toMatchObject({ code: 'removed' })
    follower.tab.events.dispatchEvent(new Event('pageshow'))
    await settle()
    expect(follower.own).toEqual([])
    expect(follower.engine).toBeUndefined()
    expect(leader.leads).toBe(true)
  })

  test('gets answers also where it hears of the leader before it has its lock', async () => {
    const [, , browser] = await pair()
    const { go, prepare } = slow(itsOwn)
    const early = new Seat(browser, undefined, prepare)
    const other = new Seat(browser)
    await vi.waitUntil(() => other.follows)
    await settle()
    const told = early.engine?.stats()
    await settle()
    go()
    await vi.waitUntil(() => early.follows)
    expect(await (told ?? early.engine!.stats())).toMatchObject({ leader: false })
  })
})

test('tabs that are closed leave no channel and no lock behind', async () => {
  const [leader, follower, browser] = await pair()
  await follower.engine!.add(hash('f'), {})
  await follower.tabs.close()
  await settle()
  expect([...browser.channels].map(({ name }) => name.split('/').length)).toEqual([2, 3])
  const brief = new Seat(browser)
  await brief.tabs.close()
  await leader.tabs.close()
  await settle()
  expect(browser.channels.size).toBe(0)
  expect([...browser.queues.values()].flat()).toEqual([])
})

describe('the lead', () => {
  test.each(['crashes', 'leaves', 'is frozen'])('passes on when the leader %s', async (how) => {
    const [leader, second, browser] = await pair()
    const third = new Seat(browser)
    await vi.waitUntil(() => third.follows)
    const before = third.engine
    await third.engine!.add(hash('a'), {})
    const pending = third.engine!.read(hash('a'), 0, 0, 9, 'r')
    const failed = expect(pending).rejects.toBeInstanceOf(StarlingError)
    if (how === 'crashes') leader.tab.crash()
    if (how === 'leaves') await leader.tabs.close()
    if (how === 'is frozen') leader.tab.events.dispatchEvent(new Event('freeze'))
    await vi.waitUntil(() => second.leads)
    await vi.waitUntil(() => third.follows && third.engine !== before)
    await failed
    await third.engine!.add(hash('b'), {})
    expect(second.own[0]!.added.map(({ id }) => id)).toEqual([hash('b')])
    if (how !== 'crashes') expect(leader.own[0]!.destroyed).toBe(true)
  })

  test('passes on also where the new leader learns last that the old one is gone', async () => {
    const [leader, second, browser] = await pair()
    browser.backwards = true
    await second.engine!.add(hash('a'), {})
    const failed = expect(second.engine!.read(hash('a'), 0, 0, 9, 'r')).rejects.toMatchObject({ code: 'removed' })
    leader.tab.crash()
    await vi.waitUntil(() => second.leads)
    await failed
    await settle()
    expect(second.leads).toBe(true)
  })

  test('stays with the new leader where a tab learns late that the old one is gone', async () => {
    const [leader, second, browser] = await pair()
    const { go, prepare } = slow(ofOthers)
    const third = new Seat(browser, undefined, prepare)
    await vi.waitUntil(() => third.follows)
    const before = third.engine
    leader.tab.crash()
    await vi.waitUntil(() => second.leads && third.follows && third.engine !== before)
    const { engine } = third
    go()
    await settle()
    expect(third.engine).toBe(engine)
  })

  test('passes on when the leader stands still, and stays there when that wakes', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const [leader, second, browser] = await pair()
    const third = new Seat(browser)
    await vi.waitUntil(() => third.follows)
    const failed = expect(second.engine!.states()).rejects.toMatchObject({ code: 'removed' })
    leader.tab.stall()
    for (let looks = 0; looks < 4; looks++) await look()
    await vi.waitUntil(() => second.leads !== third.leads && (second.follows || third.follows))
    await failed
    expect(leader.own[0]!.destroyed).toBe(false)
    leader.tab.wake()
    await vi.waitUntil(() => leader.follows)
    expect(leader.own[0]!.destroyed).toBe(true)
    for (let looks = 0; looks < 4; looks++) await look()
    expect([leader, second, third].filter(({ leads }) => leads)).toHaveLength(1)
    for (const { engine } of [leader, second, third]) expect(await engine!.states()).toEqual([])
  })

  test('stays with a tab whose engine takes long to start', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const browser = new FakeBrowser()
    const starting = new Deferred<Engine>()
    const first = new Seat(browser, () => starting.promise)
    const second = new Seat(browser)
    for (let looks = 0; looks < 9; looks++) await look()
    const own = new FakeEngine()
    starting.resolve(own)
    await vi.waitUntil(() => second.follows)
    expect(first.engine).toBe(own)
  })

  test('stays with a leader that answers', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const [leader, follower] = await pair()
    const { engine } = follower
    for (let looks = 0; looks < 9; looks++) await look()
    expect(leader.leads).toBe(true)
    expect(follower.engine).toBe(engine)
  })

  test('is told to those who asked before the engine was there', async () => {
    const browser = new FakeBrowser()
    const starting = new Deferred<Engine>()
    const first = new Seat(browser, () => starting.promise)
    const second = new Seat(browser)
    await settle()
    expect([first.engine, second.engine]).toEqual([undefined, undefined])
    starting.resolve(new FakeEngine())
    await vi.waitUntil(() => second.follows)
  })

  test('is told to nobody who could not see it end', async () => {
    const browser = new FakeBrowser()
    const { go, prepare } = slow(itsOwn)
    const first = new Seat(browser, undefined, prepare)
    const second = new Seat(browser)
    await settle()
    expect([first.engine, second.engine]).toEqual([undefined, undefined])
    go()
    await vi.waitUntil(() => first.leads && second.follows)
  })

  test('is no more that of a tab that was closed while its engine started', async () => {
    const browser = new FakeBrowser()
    const starting = new Deferred<Engine>()
    const start = vi.fn(() => starting.promise)
    const seat = new Seat(browser, start)
    await vi.waitUntil(() => start.mock.calls.length)
    const closed = seat.tabs.close()
    const engine = new FakeEngine()
    starting.resolve(engine)
    await closed
    await settle()
    expect([seat.engine, seat.failure, engine.destroyed]).toEqual([undefined, undefined, true])
  })

  test('is asked for once by a page that is shown', async () => {
    const [leader, follower, browser] = await pair()
    for (const { tab } of [leader, follower]) tab.events.dispatchEvent(new Event('pageshow'))
    await settle()
    expect(browser.queues.get('starling/1')).toHaveLength(2)
    expect([leader.leads, follower.follows]).toEqual([true, true])
  })

  test.each([
    ['pagehide', 'pageshow'],
    ['freeze', 'resume'],
  ])('is given up by a page in the back/forward cache (%s), which follows when it is shown again', async (left, shown) => {
    const [first, second] = await pair()
    first.tab.events.dispatchEvent(new Event(left))
    expect(first.engine).toBeUndefined()
    await vi.waitUntil(() => second.leads)
    first.tab.events.dispatchEvent(new Event(shown))
    await vi.waitUntil(() => first.follows)
    expect(await first.engine!.stats()).toMatchObject({ leader: false })
    expect(first.own).toHaveLength(1)
  })

  test('is passed on only when the engine has let go of what it held', async () => {
    const browser = new FakeBrowser()
    let letGo = () => {}
    const slow = new FakeEngine()
    slow.destroy = () => new Promise((resolve) => (letGo = resolve))
    const first = new Seat(browser, async () => slow)
    await vi.waitUntil(() => first.engine)
    const second = new Seat(browser)
    await vi.waitUntil(() => second.follows)
    const closed = first.tabs.close()
    await vi.waitUntil(() => !second.engine)
    expect(second.own).toHaveLength(0)
    letGo()
    await closed
    await vi.waitUntil(() => second.leads)
  })

  test('does not wait for a frozen page, which may never get to let go', async () => {
    const browser = new FakeBrowser()
    const stuck = new FakeEngine()
    const destroy = vi.fn(() => new Promise<void>(() => {}))
    stuck.destroy = destroy
    const first = new Seat(browser, async () => stuck)
    await vi.waitUntil(() => first.engine)
    const second = new Seat(browser)
    await vi.waitUntil(() => second.follows)
    first.tab.events.dispatchEvent(new Event('pagehide'))
    await vi.waitUntil(() => second.leads)
    expect(destroy).toHaveBeenCalledWith(true)
  })

  test('goes to the next where the engine cannot start, which the page is told', async () => {
    const browser = new FakeBrowser()
    const error = new StarlingError('unsupported', 'No WebRTC here.')
    const first = new Seat(browser, () => Promise.reject(error))
    const second = new Seat(browser)
    await vi.waitUntil(() => second.leads)
    await vi.waitUntil(() => first.failure)
    expect(first.failure).toBe(error)
    expect(first.engine).toBeUndefined()
  })

  test('of a tab where locks are refused is over that tab alone', async () => {
    const browser = new FakeBrowser()
    const seat = new Seat(browser)
    await vi.waitUntil(() => seat.leads)
    const tab = new FakeTab(browser)
    tab.locks.request = () => Promise.reject(new DOMException('', 'SecurityError'))
    const own = new FakeEngine()
    let used: Engine | undefined
    const alone = shareTabs(async () => own, (engine) => (used = engine), () => {}, tab)
    await vi.waitUntil(() => used === own)
    await alone.close()
    expect(own.destroyed).toBe(true)
  })
})

test('tabs that speak another version, or nonsense, harm nobody', async () => {
  const [leader, follower, browser] = await pair()
  const stranger = new FakeTab(browser)
  for (const name of ['starling/1', 'starling/2']) {
    const channel = new stranger.BroadcastChannel(name)
    for (const message of [null, 7, 'x', { leader: 7 }, { from: 7 }, { from: 'x', event: 'destroy', args: [] }, {}]) {
      channel.postMessage(message)
    }
    channel.close()
  }
  const inbox = [...browser.queues.keys()].find((name) => /\/1\/./.test(name))!
  const channel = new stranger.BroadcastChannel(inbox)
  for (const name of ['destroy', 'constructor', '__proto__', 7]) {
    channel.postMessage({ from: 'x', call: 1, name, args: [] })
  }
  channel.postMessage({ call: 99, value: 'nobody asked' })
  channel.postMessage(null)
  await stranger.locks.request('starling/2', {}, async () => {})
  const [, , id] = inbox.split('/')
  const hall = new stranger.BroadcastChannel('starling/1')
  const removed = (follower.engine!.onremove = vi.fn())
  const used = follower.engine
  hall.postMessage({ from: 'x', event: 'onremove', args: [hash('a')] })
  for (const event of ['destroy', 'constructor', 7]) hall.postMessage({ from: id, event, args: [] })
  hall.postMessage({ from: id, event: 'onremove' })
  expect(await follower.engine!.stats()).toMatchObject({ torrents: 0 })
  expect(leader.leads && follower.follows).toBe(true)
  expect(leader.own[0]!.destroyed).toBe(false)
  await settle()
  expect(await used!.stats()).toMatchObject({ leader: false })
  expect(removed).not.toHaveBeenCalled()
  hall.postMessage({ from: id, event: 'onremove', args: [hash('a')] })
  await vi.waitUntil(() => removed.mock.calls.length)
  hall.close()
  channel.close()
})
