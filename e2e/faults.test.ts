/** What goes wrong, and what then happens: each fault at the engine's door. The pages' own are in memos-faults.test.ts and memos-share.test.ts. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { AddOptions, StarlingOptions, TorrentState } from '../web/engine/types.ts'
import { enter, harness, until, type Lab, type Server } from './harness/index.ts'
import type { FileSpec } from './pages/files.ts'
import { openLabs, Peer, whole, type Labs } from './pages/people.ts'

declare const lab: typeof import('./pages/liar.page.ts')

const kit = harness()
let server: Server
let labs: Labs
let liars: Lab

beforeAll(async () => {
  server = await kit.serve({ pages: false })
  labs = await openLabs(kit)
  liars = await kit.lab(new URL('./pages/liar.page.ts', import.meta.url))
})

/** Unreachable servers are told to the console by the browser itself. */
const lost = { allow: [/WebSocket|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED/] }
const peer = (node: StarlingOptions = {}, more: { allow?: RegExp[]; own?: boolean } = {}) =>
  Peer.open(kit, labs, { ...more, node: { trackers: [server.tracker], ...node } })

const film: FileSpec[] = [{ name: 'film', size: 2_000_000, seed: 1 }]
/** So slow that a transfer of the film does not end by itself while a test looks on. */
const slow: StarlingOptions = { uploadLimit: 200_000 }
const fast: StarlingOptions = { uploadLimit: undefined }

function reaches(one: Peer, infoHash: string, what: string, condition: (state: TorrentState) => boolean): Promise<TorrentState> {
  return until(what, async () => {
    const state = await one.state(infoHash)
    return state && condition(state) ? state : undefined
  })
}
const halfway = (one: Peer, infoHash: string, more = 0.2) =>
  reaches(one, infoHash, `${more * 100} % to be there`, ({ progress }) => progress >= more)

describe('the tracker', () => {
  test('is unreachable when the link is opened: it says so, and goes on when it is there', async () => {
    const ann = await peer({}, lost)
    const shared = await ann.seed(film)
    await server.stop()
    const bob = await peer({}, lost)
    await bob.add(shared.link)
    const state = await reaches(bob, shared.infoHash, 'the tracker to be called failed', ({ trackers }) => trackers[0]?.status === 'failed')
    expect(state).toMatchObject({ status: 'finding', trackers: [{ error: expect.stringMatching(/\w/) }] })
    await server.restart()
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
  })

  test('is killed and restarted in mid-transfer: the transfer goes on, and newcomers find both', async () => {
    const [ann, bob] = [await peer(slow, lost), await peer({}, lost)]
    const shared = await ann.seed(film)
    await bob.add(shared.link)
    const { progress } = await halfway(bob, shared.infoHash, 0.1)
    await server.kill()
    await halfway(bob, shared.infoHash, progress + 0.1)
    await server.restart()
    const cyd = await peer()
    await cyd.add(shared.link)
    await halfway(cyd, shared.infoHash, 0.1)
    expect((await bob.stats()).links).toBeGreaterThan(0)
  })
})

describe('the seeder', () => {
  test('closes the tab in mid-transfer and opens it again: only what lacks is sent', async () => {
    const [ann, bob] = [await peer(slow), await peer()]
    const shared = await ann.seed(film)
    await bob.add(shared.link)
    await halfway(bob, shared.infoHash)
    await ann.person.page.goto('about:blank')
    const { downloaded } = await reaches(bob, shared.infoHash, 'the seeder to be missed', ({ status }) => status === 'finding')
    await ann.start(fast)
    await ann.seed(film)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
    const sent = (await ann.state(shared.infoHash))!.uploaded
    expect(sent).toBeLessThanOrEqual(film[0]!.size - downloaded + 500_000)
  })

  test('is fetched from by somebody who loads the page again in between: what was there stays', async () => {
    const [ann, bob] = [await peer(slow), await peer()]
    const shared = await ann.seed(film)
    await bob.add(shared.link)
    await halfway(bob, shared.infoHash, 0.5)
    await bob.start()
    await bob.add(shared.link)
    const again = await reaches(bob, shared.infoHash, 'the torrent to be known again', ({ ready }) => ready)
    // What came in the last seconds may not have been written down yet.
    expect(again.progress).toBeGreaterThan(0.1)
    await ann.start(fast)
    await ann.seed(film)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
  })
})

describe('a peer', () => {
  /** A torrent of which only the liar is there, until the liar has been met. */
  async function met(kind: Parameters<typeof lab.lie>[0], { by = 'link' as 'link' | 'torrentFile', options = {} as AddOptions } = {}) {
    const ann = await peer()
    const shared = await ann.seed(film)
    await ann.person.page.goto('about:blank')
    const liar = await kit.person('chromium', { allow: [/./] })
    await enter(liar.page, liars)
    await liar.page.evaluate((how, tracker, file) => lab.lie(how, tracker, file), kind, server.tracker, shared.torrentFile)
    const bob = await peer()
    await bob.add(shared[by], options)
    await until('the liar to be met', () => liar.page.evaluate(() => lab.met > 0))
    if (kind !== 'nothing') await until('the liar to lie', () => liar.page.evaluate(() => lab.lies > 0))
    return { ann, bob, liar, shared }
  }

  async function arrives({ ann, bob, shared }: Awaited<ReturnType<typeof met>>): Promise<void> {
    await ann.start()
    await ann.seed(film)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
  }

  test.each([
    ['garbage', 'link'],
    ['oversized', 'link'],
    ['flood', 'torrentFile'],
    ['absurd metadata', 'link'],
  ] as const)('sends %s: its link is closed, and another gives the data', async (kind, by) => {
    const all = await met(kind, { by })
    await until('the link to be closed', () => all.liar.page.evaluate(() => lab.dropped === lab.met))
    await arrives(all)
  })

  test.each([
    ['wrong pieces', 'torrentFile'],
    ['one wrong block', 'torrentFile'],
    ['endless metadata', 'link'],
  ] as const)('sends %s: it is banned, and another gives the data', async (kind, by) => {
    const all = await met(kind, { by })
    if (kind !== 'one wrong block') await until('the ban', async () => (await all.bob.stats()).banned === 1)
    await arrives(all)
    expect((await all.bob.stats()).banned).toBe(1)
  })

  test.each([
    ['nothing', 'link'],
    ['no pieces', 'torrentFile'],
  ] as const)('sends %s: another gives the data', async (kind, by) => {
    await arrives(await met(kind, { by }))
  })
})

describe('a link', () => {
  test('cut short is said to be so, wherever it was cut', async () => {
    const [ann, bob] = [await peer(), await peer()]
    const { link } = await ann.seed(film, { private: true })
    const end = link.split('&')[0]!
    for (const cut of [end.slice(0, -1), end.slice(0, -10), end.slice(0, -22), end.slice(0, -24), end.slice(0, end.indexOf('#') + 1)]) {
      expect(await bob.add(cut)).toMatch(/^bad-link: .*cut short/)
    }
    expect(await bob.stats()).toMatchObject({ torrents: 0 })
  })

  test('with a wrong key is said to be so, and harms nothing else', async () => {
    const [ann, bob] = [await peer(), await peer()]
    const good = await ann.seed(film, { private: true })
    const other = await ann.seed([{ name: 'other', size: 1000, seed: 2 }], { private: true })
    const key = /\.([\w-]{22})/
    await bob.add(good.link.replace(key, `.${key.exec(other.link)![1]}`))
    expect(await bob.fetched(good.infoHash)).toMatch(/^wrong-key: /)
    await bob.add(other.link)
    expect(await bob.fetched(other.infoHash)).toEqual(await whole([{ name: 'other', size: 1000, seed: 2 }]))
  })

  test('with an infohash that nobody has goes on looking, and harms nothing else', async () => {
    const [ann, bob] = [await peer(), await peer()]
    const shared = await ann.seed(film)
    const nobody = await bob.add('0123456789abcdef0123456789abcdef01234567')
    await bob.add(shared.link)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
    expect(await bob.state(nobody)).toMatchObject({ status: 'finding', ready: false })
  })
})

describe('the disk', () => {
  test('is full: an error says so, what was there stays, and it goes on when there is room', async () => {
    const [ann, bob] = [await peer(), await peer({}, { own: true })]
    const small: FileSpec[] = [{ name: 'small', size: 500_000, seed: 3 }]
    const large: FileSpec[] = [{ name: 'large', size: 40_000_000, seed: 4 }]
    const [first, second] = [await ann.seed(small), await ann.seed(large)]
    await bob.add(first.link)
    expect(await bob.fetched(first.infoHash)).toEqual(await whole(small))

    const session = await bob.person.page.createCDPSession()
    const origin = labs.starling.origin
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 8_000_000 })
    await bob.add(second.link)
    expect(await bob.fetched(second.infoHash)).toMatch(/^no-space: /)
    expect(await bob.fetched(first.infoHash)).toEqual(await whole(small))

    await session.send('Storage.overrideQuotaForOrigin', { origin })
    await bob.remove(second.infoHash)
    await bob.add(second.link)
    expect(await bob.fetched(second.infoHash)).toEqual(await whole(large))
  })
})

describe('the network', () => {
  test('is gone when a link is opened: it waits, and goes on when it is back', async () => {
    const [ann, bob] = [await peer(), await peer({}, lost)]
    const shared = await ann.seed(film)
    await bob.person.page.setOfflineMode(true)
    await bob.add(shared.link)
    await reaches(bob, shared.infoHash, 'the tracker to be called failed', ({ trackers }) => trackers[0]?.status === 'failed')
    await bob.person.page.setOfflineMode(false)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
  })

  test('is gone when the page is loaded again: what had arrived is there', async () => {
    const [ann, bob] = [await peer(), await peer({}, lost)]
    const shared = await ann.seed(film)
    await bob.add(shared.link)
    await bob.fetched(shared.infoHash)
    await ann.person.page.close()
    await server.stop()
    await bob.start()
    await bob.add(shared.link)
    expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
    await server.restart()
  })
})
