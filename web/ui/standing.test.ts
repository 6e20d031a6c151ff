import { describe, expect, it } from 'vitest'
import type { PeerState, TorrentState, TrackerState } from '../engine/types.ts'
import type { Reach } from './reach.ts'
import { Remaining } from './remaining.ts'
import { failure, patience, receiving, sending, spoken, titled } from './standing.ts'

const peer = (more: Partial<PeerState> = {}): PeerState => ({
  id: 'p',
  client: '',
  kind: 'direct',
  downloadSpeed: 0,
  uploadSpeed: 0,
  progress: 0.4,
  ...more,
})
const tracker = (more: Partial<TrackerState> = {}): TrackerState => ({ url: 'ws://t', status: 'working', ...more })
const state = (more: Partial<TorrentState> = {}): TorrentState => ({
  infoHash: 'a'.repeat(40),
  name: '',
  private: true,
  status: 'finding',
  ready: false,
  done: false,
  length: 0,
  files: [],
  progress: 0,
  downloaded: 0,
  uploaded: 0,
  downloadSpeed: 0,
  uploadSpeed: 0,
  peers: [],
  trackers: [tracker()],
  linksTried: 0,
  linksFailed: 0,
  magnetURI: '',
  link: '',
  ...more,
})

describe('the receiver', () => {
  it('sees Finding, Connecting, 43 %, Saved', () => {
    const half = {
      status: 'downloading',
      ready: true,
      length: 1_000_000,
      downloaded: 430_000,
      progress: 0.4399,
      downloadSpeed: 51_000,
    } as const
    const stages = [
      undefined,
      state(),
      state({ status: 'connecting' }),
      state({ status: 'downloading' }),
      state({ ...half, peers: [peer()] }),
      state({ ...half, done: true }),
    ]
    const seen = stages.map((stage) => receiving(stage, 0, 'open'))
    expect(seen.map(({ phase }) => phase)).toEqual(['Finding', 'Finding', 'Connecting', 'Connecting', '43 %', 'Saved'])
    expect(seen.map(({ share }) => share)).toEqual([undefined, undefined, undefined, undefined, 0.4399, 1])
    expect(seen[4]!.text).toBe('570 kB to go, 51 kB per second')
    expect(seen.every(({ cause }) => !cause)).toBe(true)
    const alone = receiving(state({ ...half, status: 'finding' }), 0, 'open')
    expect([alone.phase, alone.text]).toEqual(['43 %', '570 kB to go. Looking for whoever has the rest.'])
    expect(receiving(state({ ...half, peers: [peer()], downloadSpeed: 0 }), 0, 'open').text).toBe('570 kB to go')
    const paused = (more: Partial<TorrentState> = {}) => receiving(state({ ...half, ...more, status: 'paused' }), patience, 'open')
    expect(paused()).toMatchObject({ phase: 'Paused', text: expect.stringMatching(/^570 kB to go. Nothing comes/) as string, share: 0.4399 })
    for (const more of [{ ready: false }, { done: true }]) expect(paused(more).text).toMatch(/^Nothing comes/)
    const full = (more: Partial<TorrentState> = {}) => receiving(state({ ...half, ...more }), 0, 'open', true)
    expect(full()).toMatchObject({ phase: '43 %', text: '570 kB to go.', share: 0.4399, cause: { title: 'This device is full' } })
    expect([full({ done: true }).text, full({ ready: false }).phase]).toEqual(['It is not kept yet.', 'Connecting'])
  })

  it('and how long it still takes, where it comes from somebody', () => {
    const coming = { status: 'downloading', ready: true, length: 100e6, progress: 0.4, downloaded: 40e6, downloadSpeed: 1e6 } as const
    const steady = new Remaining()
    for (let at = -9000; at < 0; at += 1000) steady.tell(60e6, 1e6, performance.now() + at)
    const time = (more: Partial<TorrentState>, remaining?: Remaining) =>
      receiving(state({ ...coming, ...more }), 0, 'open', false, remaining).time
    expect(time({ peers: [peer()] }, steady)).toBe('About a minute left')
    expect([time({}, steady), time({ peers: [peer()] }, new Remaining()), time({ peers: [peer()] })]).toEqual(['', '', undefined])
    expect(receiving(state({ status: 'connecting' }), 0, 'open', false, steady).time).toBeUndefined()
  })

  it('learns after a while why nothing moves, each cause in its own words', () => {
    const failed = [tracker({ status: 'failed' }), tracker({ status: 'failed' })]
    const cause = (more: Partial<TorrentState>, reach: Reach = 'open') => receiving(state(more), patience, reach).cause?.title
    expect(cause({}, 'offline')).toBe('You are offline')
    expect(receiving(state(), 1000, 'offline').cause?.title).toBe('You are offline')
    expect(receiving(state(), 999, 'offline').cause).toBeUndefined()
    const retried = (reach: Reach) => !receiving(state(), patience, reach).cause!.idle
    expect([retried('open'), retried('offline'), retried('barred')]).toEqual([true, false, false])
    expect(receiving(state(), 1000, 'barred').cause?.title).toBe('This browser makes no direct connections')
    expect(cause({ trackers: failed })).toBe('The server that introduces peers cannot be reached')
    expect(cause({ trackers: [...failed, tracker()] })).toBe('The sender’s page is closed or offline')
    expect(cause({ linksTried: 3, linksFailed: 3 })).toBe('Your network or theirs blocks the direct connection')
    expect(cause({ linksTried: 3, linksFailed: 2 })).toBe('The sender’s page is closed or offline')
    expect(cause({ status: 'connecting', linksTried: 3, linksFailed: 2 })).toBe('Your network or theirs blocks the direct connection')
    expect(cause({ peers: [peer()], trackers: failed })).toBe('The connection stands, but nothing comes')
    expect(cause({ peers: [peer()], linksTried: 3, linksFailed: 3 })).toBe('The connection stands, but nothing comes')
    expect(cause({ trackers: [] })).toBe('The sender’s page is closed or offline')
    expect(receiving(state(), patience - 1, 'open').cause).toBeUndefined()
    expect(receiving(state({ done: true }), patience, 'open').cause).toBeUndefined()
  })

  it('and what a browser that keeps pages off the local network asks for', () => {
    const blocked = (reach: Reach) => receiving(state({ status: 'connecting', linksTried: 1 }), patience, reach).cause
    expect(blocked('open')!.text).not.toContain('allow')
    expect(blocked('asked')).toMatchObject({ title: blocked('open')!.title, text: expect.stringContaining('If your browser asks') })
    expect(blocked('apart')!.title).toBe('This page may not reach devices in your network')
    expect(blocked('hidden')!.title).toBe('No connection came about through the server')
    expect(receiving(state({ status: 'connecting' }), patience - 1, 'apart').cause).toBeUndefined()
    // Trackers of the link alone that are not asked may know of somebody.
    const trackers = [tracker()]
    const found = (names: string, reach: Reach = 'hidden') =>
      receiving(state({ trackers, magnetURI: `magnet:?xt=urn:btih:aa&tr=ws%3A%2F%2Ft${names}` }), patience, reach).cause!.title
    expect(found('&tr=wss%3A%2F%2Felsewhere')).toBe('Nobody is found through this server')
    expect([found(''), found('&tr=wss%3A%2F%2Felsewhere', 'open')]).toEqual(Array(2).fill('The sender’s page is closed or offline'))
    expect(receiving(state(), patience, 'apart').cause!.title).toBe('The sender’s page is closed or offline')
  })

  it('is told what an error means, and whether trying again helps', () => {
    const codes = ['bad-link', 'wrong-key', 'no-space', 'unsupported', 'removed', 'too-large', 'missing', 'storage']
    const told = codes.map((code) => failure(Object.assign(new Error('words'), { code })))
    expect(new Set(told.map(({ title }) => title)).size).toBe(codes.length)
    expect(told.map(({ again }) => again)).toEqual([false, false, true, false, true, false, false, true])
    // Words of the engine are for people, those of browsers are not.
    expect(told.at(-1)!.text).toBe('words')
    expect([failure('x').text, failure(new Error('Failed to fetch')).text]).toEqual(['Try again.', 'Try again.'])
    expect(failure(new DOMException('', 'QuotaExceededError')).title).toBe('This device is full')
    expect(failure(new DOMException('The operation is insecure.', 'SecurityError')).title).toContain('keeps nothing')
    expect([failure('x'), failure('x', 'share')].map(({ title }) => title)).toEqual(['This could not be received', 'This could not be shared'])
  })
})

describe('who listens', () => {
  it('is told of a transfer at every quarter, and not of its speed', () => {
    const told = Array.from({ length: 100 }, (_, i) =>
      spoken(
        receiving(
          state({ status: 'downloading', ready: true, length: 1e6, downloaded: i * 1e4, progress: i / 100, downloadSpeed: i * 1e3, peers: [peer()] }),
          0,
          'open',
        ),
      ),
    )
    expect([...new Set(told)]).toEqual(['It is coming.', '25 % is here.', '50 % is here.', '75 % is here.'])
    expect(spoken(receiving(state({ done: true }), 0, 'open'))).toBe('Saved. It is kept on this device.')
    expect(spoken(receiving(state(), 0, 'open'))).toBe('Finding. Looking for whoever has it.')
  })

  it('and of somebody who fetches when they come and when they have it', () => {
    const told = [0, 0.1, 0.9].map((progress) => sending(state({ done: true, peers: [peer({ progress })], uploadSpeed: progress * 1e6 }), 0, 'open').spoken)
    expect(new Set(told)).toEqual(new Set(['1 other is fetching it. Keep this page open.']))
  })
})

it('the window is called by how far it is only while it is on its way', () => {
  expect(titled('Tune', 0.439)).toBe('43 % · Tune')
  expect([titled('Tune', undefined), titled('Tune', 1)]).toEqual(['Tune', 'Tune'])
})

describe('the sender', () => {
  const text = (more: Partial<TorrentState>, had = 0, reach: Reach = 'open') =>
    sending(state({ status: 'seeding', done: true, ...more }), had, reach)

  it('is told where nobody gets through who opened the link', () => {
    const tried = (linksTried: number, linksFailed: number, reach?: Reach) => text({ linksTried, linksFailed }, 0, reach).text
    expect(tried(3, 3)).toMatch(/^Somebody opened the link. Your network or theirs blocks the direct connection. Try/)
    expect(text({ linksTried: 3, linksFailed: 3 }).safe).toBe(false)
    expect(tried(3, 3, 'apart')).toContain('This page may not reach devices in your network. If')
    for (const [tries, failures] of [[2, 2], [4, 3]]) expect(tried(tries!, failures!)).toMatch(/^Nobody has it yet/)
    expect(text({ linksTried: 3, linksFailed: 3 }, 1).text).toMatch(/^1 other has all of it/)
  })

  it('who is offline is told so, and not of a server that cannot be reached', () => {
    const trackers = [tracker({ status: 'failed' })]
    expect(text({ trackers }, 0, 'offline')).toMatchObject({ text: expect.stringContaining('You are offline') as string, safe: false })
    expect(text({ trackers }, 1, 'offline').safe).toBe(true)
  })

  it('keeps the page open until somebody else has all of it', () => {
    expect(text({})).toMatchObject({ safe: false })
    expect(text({}).text).toContain('Nobody has it yet')
    expect(text({ peers: [peer()], uploadSpeed: 1_200_000 }).text).toBe(
      '1 other is fetching it: 40 %, 1.2 MB per second. Keep this page open.',
    )
    expect(text({ peers: [peer(), peer({ id: 'q', progress: 0.9 })] })).toMatchObject({
      safe: false,
      text: '2 others are fetching it: 90 %. Keep this page open.',
    })
    expect(text({ peers: [peer({ progress: 0.9999 })] }).text).toContain('99 %')
    expect(text({}, 1)).toEqual({ safe: true, text: '1 other has all of it. You may close this page.' })
    expect(text({ trackers: [tracker({ seeders: 3 })] })).toEqual({
      safe: true,
      text: '2 others have all of it. You may close this page.',
    })
    expect(text({ peers: [peer()] }, 2)).toMatchObject({
      safe: true,
      text: '2 others have it. 1 other is fetching it: 40 %.',
    })
  })

  it('says how long that takes where one alone fetches it, from here alone', () => {
    const told = (had: number, ...peers: PeerState[]) => {
      const remaining = new Remaining()
      for (let at = -9000; at < 0; at += 1000) remaining.tell(60e6, 1e6, performance.now() + at)
      return sending(state({ done: true, length: 100e6, peers }), had, 'open', remaining).time
    }
    const bob = peer({ uploadSpeed: 1e6 })
    expect([told(0, bob), told(0, bob, peer({ kind: 'webseed' }))]).toEqual(Array(2).fill('About a minute left'))
    expect([told(1, bob), told(0, bob, peer({ id: 'q' })), told(0)]).toEqual(Array(3).fill(undefined))
    expect(told(0, peer())).toBe('')
  })

  it('does not count web seeds, nor itself', () => {
    expect(text({ peers: [peer({ kind: 'webseed', progress: 0 })], trackers: [tracker({ seeders: 1 })] }).safe).toBe(
      false,
    )
  })

  it('says when nobody can find it', () => {
    const failed = tracker({ status: 'failed' })
    expect(text({ trackers: [failed] })).toMatchObject({ text: expect.stringContaining('cannot be reached') as string, safe: false })
    for (const trackers of [[], [failed, tracker()]]) expect(text({ trackers }).text).toContain('Nobody has it yet')
    expect(text({}, 0, 'barred')).toMatchObject({ text: expect.stringContaining('WebRTC is switched off') as string, safe: false })
  })
})
