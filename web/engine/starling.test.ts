import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Deferred } from './deferred.ts'
import type { Engine } from './engine.ts'
import { Starling, StarlingError, type StarlingOptions, type Torrent, type TorrentFile } from './index.ts'
import type { FindSource } from './stream/source.ts'
import { FakeBrowser, FakeEngine, FakeTab } from './tabs/fakes.ts'

const world = vi.hoisted(() => ({
  engines: [] as FakeEngine[],
  options: [] as object[],
  fail: undefined as unknown,
  prepare: undefined as ((engine: FakeEngine) => void) | undefined,
  gone: undefined as (() => never) | undefined,
  find: undefined as FindSource | undefined,
  rangeURL: undefined as string | undefined,
}))

vi.mock('./node.ts', () => ({
  get startNode() {
    world.gone?.()
    return start
  },
}))
vi.mock('./stream/serve.ts', () => ({
  serveRanges: (find: FindSource) => ((world.find = find), () => (world.find = undefined)),
}))
vi.mock('./stream/url.ts', () => ({ fileURL: async () => world.rangeURL }))

async function start(options: object): Promise<Engine> {
  if (world.fail) throw world.fail
  world.options.push(options)
  const engine = new FakeEngine()
  world.prepare?.(engine)
  world.engines.push(engine)
  return engine
}

const hash = (digit: string) => digit.repeat(40)
const memo = () => new File(['a memo'], 'memo.txt', { type: 'text/plain' })
const open: [Starling, FakeTab][] = []
let browser: FakeBrowser

beforeEach(() => {
  browser = new FakeBrowser()
  vi.stubGlobal('document', {})
  const none = { fail: undefined, gone: undefined, prepare: undefined, rangeURL: undefined }
  Object.assign(world, { engines: [], options: [], ...none })
})
afterEach(async () => {
  for (const [node, tab] of open.splice(0)) {
    await node.destroy()
    tab.crash()
  }
  vi.unstubAllGlobals()
})

/** A page's Starling, in a tab of its own. */
function page(options: StarlingOptions = {}): { node: Starling; tab: FakeTab } {
  const tab = new FakeTab(browser)
  vi.stubGlobal('navigator', { locks: tab.locks })
  vi.stubGlobal('BroadcastChannel', tab.BroadcastChannel)
  vi.stubGlobal('addEventListener', tab.events.addEventListener.bind(tab.events))
  vi.stubGlobal('removeEventListener', tab.events.removeEventListener.bind(tab.events))
  const node = new Starling(options)
  open.push([node, tab])
  return { node, tab }
}

const code = (promise: Promise<unknown>) => promise.then(() => 'fulfilled', (error: StarlingError) => error.code)

/** Once all that is under way in this turn is through. */
const later = () => new Promise<string>((resolve) => setTimeout(resolve, 0, 'not yet'))

/** A page that leads and one that follows. */
async function pages() {
  const one = page()
  await one.node.ready
  const two = page()
  await two.node.ready
  return [one, two] as const
}

test.each<StarlingOptions>([{ linkBase: 'https://' }, { linkBase: '/watch' }, { server: 'https://' }, { server: 'starling' }])(
  'refuses what is no URL in plain words: %o',
  (options) => {
    const error = { name: 'StarlingError', code: 'unsupported', message: expect.stringContaining('must be a') }
    expect(() => new Starling(options)).toThrow(expect.objectContaining(error))
  },
)

test('asks another server than that of starling.js, where the page names one', async () => {
  const asked: string[] = []
  vi.stubGlobal('fetch', async (url: URL) => {
    asked.push(url.href)
    return { json: async () => ({ iceServers: [{ urls: 'turn:one' }] }) }
  })
  const server = 'https://starling.example'
  await page({ server }).node.ready
  const options = { trackers: ['wss://starling.example/announce'], linkBase: `${server}/m` }
  expect(world.options[0]).toMatchObject(options)
  const { iceServers } = world.options[0] as { iceServers(): Promise<unknown> }
  expect(await iceServers()).toEqual([{ urls: 'turn:one' }])
  expect(asked).toEqual([`${server}/api/ice`])
  const own = { trackers: ['wss://own.example/'], linkBase: 'https://own.example/watch' }
  await page({ server, ...own, store: 'memory' }).node.ready
  expect(world.options[1]).toMatchObject(own)
  for (const wrong of ['starling.example', '/', '']) expect(() => new Starling({ server: wrong })).toThrow(/https:/)
})

test('relayOnly without a TURN server is refused, as nobody would be reached', async () => {
  const stun = { urls: 'stun:stun.example' }
  expect(() => new Starling({ relayOnly: true, iceServers: [stun] })).toThrow(/TURN/)
  const turn = { urls: ['stun:turn.example', 'turns:turn.example'], username: 'u', credential: 'c' }
  await page({ relayOnly: true, iceServers: [stun, turn] }).node.ready
  await page({ iceServers: [stun] }).node.ready
})

describe('seed', () => {
  test('gives a torrent that is there', async () => {
    const { node } = page()
    const onHash = vi.fn()
    const torrent = await node.seed(memo(), { name: hash('a'), private: true, onHash })
    await torrent.ready
    await torrent.done
    expect(torrent).toMatchObject({ infoHash: hash('a'), private: true, name: 'memo.txt', length: 6 })
    expect(torrent.status).toBe('seeding')
    expect(torrent.link).toBe(`https://localhost/m#${hash('a')}`)
    const file = { name: 'memo.txt', path: 'memo.txt', size: 6, type: 'text/plain', progress: 1 }
    expect(torrent.files[0]).toMatchObject(file)
    expect(onHash).toHaveBeenCalledWith(6)
    expect(node.torrents).toEqual([torrent])
    expect(node.get(hash('A'))).toBe(torrent)
  })

  test.each<[string, () => Parameters<Starling['seed']>[0], string[]]>([
    ['a Blob', () => new Blob(['x']), ['x']],
    ['several files', () => [memo(), new Blob(['y'])], ['a memo', 'y']],
    ['text', () => 'hello', ['hello']],
    ['bytes', () => new Uint8Array([104, 105, 106]).subarray(0, 2), ['hi']],
    ['a buffer', () => new Uint8Array([104, 105]).buffer, ['hi']],
    ['what a file input gives', () => new Set([memo()]), ['a memo']],
  ])('takes %s', async (_, what, expected) => {
    const { node } = page()
    await node.seed(what(), { name: hash('a') })
    expect(await Promise.all(world.engines[0]!.seeded[0]!.files.map((file) => file.text()))).toEqual(expected)
  })

  test('keeps the paths of a folder', async () => {
    const { node } = page()
    const file = Object.assign(memo(), { webkitRelativePath: 'folder/sub/memo.txt' })
    await node.seed([file], { name: hash('a') })
    expect((world.engines[0]!.seeded[0]!.files[0] as File).name).toBe('folder/sub/memo.txt')
  })

  test('of nothing is refused', async () => {
    expect(await code(page().node.seed([]))).toBe('unreadable')
  })

  test('what is of no use to it is refused in plain words', async () => {
    const { node } = page()
    for (const what of [undefined, null, 3, {}, Promise.resolve(memo())]) {
      await expect(node.seed(what as never)).rejects.toMatchObject({ code: 'unreadable', message: expect.stringMatching(/cannot be shared/) })
      await expect(node.add(what as never)).rejects.toMatchObject({ code: 'bad-link', message: expect.stringMatching(/not a link/) })
    }
    const callback = (() => expect.unreachable()) as object
    await expect(node.seed(memo(), callback)).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching(/await/) })
    await expect(node.add(hash('a'), callback)).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching(/await/) })
    const { seed, add } = node as unknown as Record<'seed' | 'add', (...args: unknown[]) => Promise<unknown>>
    for (const call of [seed.bind(node, memo()), add.bind(node, hash('a'))]) {
      await expect(call({}, callback)).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching(/await/) })
    }
    const trackers = 'wss://tracker.example/announce' as unknown as string[]
    expect(() => new Starling({ trackers })).toThrow(StarlingError)
    expect(await code(node.seed(memo(), { trackers }))).toBe('unsupported')
    expect(await code(node.add(hash('a'), { trackers }))).toBe('unsupported')
  })

  test('null in the place of options leaves them out', async () => {
    const nothing = null as never
    const { node } = page(nothing)
    const shared = await node.seed(memo(), nothing)
    expect(shared.files[0]!.stream(nothing)).toBeInstanceOf(ReadableStream)
    await shared.remove(nothing)
    expect((await node.add(hash('a'), nothing)).infoHash).toBe(hash('a'))
  })

  test('trackers of which browsers can ask none are refused; one that they can ask is enough', async () => {
    const others = ['udp://tracker.example:1337', 'https://tracker.example/announce']
    const { node } = page({ trackers: [...others, 'wss://tracker.example'] })
    expect(() => new Starling({ trackers: others })).toThrow(/wss:/)
    expect(await code(node.seed(memo(), { trackers: others }))).toBe('unsupported')
    // These come on top of those that are known.
    await node.add(hash('b'), { trackers: others })
    await new Starling({ trackers: [], store: 'memory' }).destroy()
  })

  test('web seeds are meant from where the page lies; what is no URL of one is refused', async () => {
    vi.stubGlobal('location', { href: 'https://site.example/films/' })
    const { node } = page()
    const webSeeds = ['one.mp4', '/two.mp4', 'https://cdn.example/three.mp4']
    const whole = ['https://site.example/films/one.mp4', 'https://site.example/two.mp4', 'https://cdn.example/three.mp4']
    await node.seed(memo(), { name: hash('a'), webSeeds })
    await node.add(hash('b'), { webSeeds })
    const { seeded, added } = world.engines[0]!
    expect([seeded[0]!.options.webSeeds, added[0]!.options.webSeeds]).toEqual([whole, whole])
    // One text would be as many web seeds as it has letters.
    for (const wrong of ['https://cdn.example/one.mp4', ['https://'], ['ftp://cdn.example/one.mp4']] as never[]) {
      expect(await code(node.seed(memo(), { webSeeds: wrong }))).toBe('unsupported')
      expect(await code(node.add(hash('b'), { webSeeds: wrong }))).toBe('unsupported')
    }
  })

  test('ICE servers that the browser does not take are refused with its words', async () => {
    const close = vi.fn()
    vi.stubGlobal('RTCPeerConnection', class {
      close = close
      constructor({ iceServers }: RTCConfiguration) {
        for (const { username } of iceServers!) if (!username) throw new TypeError('A username is required.')
      }
    })
    const urls = 'turn:turn.example'
    for (const iceServers of [[{ urls }], { urls }] as RTCIceServer[][]) {
      expect(() => new Starling({ iceServers })).toThrow(expect.objectContaining({ name: 'StarlingError', code: 'unsupported' }))
    }
    expect(() => new Starling({ iceServers: [{ urls }] })).toThrow(/A username is required/)
    await page({ iceServers: [{ urls, username: 'ann', credential: 'secret' }] }).node.ready
    expect(close).toHaveBeenCalledOnce()
  })

  test('what a framework watches for changes is taken in every tab, and what is no option is not sent there', async () => {
    const watched = <T extends object>(value: T): T => new Proxy(value, {})
    const some = () => ({ trackers: watched(['wss://one']), webSeeds: watched(['https://cdn.example/a']), onDone: () => {} })
    await page().node.ready
    const { node } = page(watched({ trackers: watched(['wss://two']) }))
    await node.seed(memo(), watched({ name: hash('a') }))
    await node.seed(memo(), watched({ name: hash('b'), ...some() }))
    await node.add(hash('c'), watched(some()))
    await node.limit(watched({ uploadLimit: 1000 }))
    expect((await node.stats()).leader).toBe(false)
    const { seeded, added, limits } = world.engines[0]!
    expect(seeded.map(({ options }) => options.trackers)).toEqual([['wss://two'], ['wss://one']])
    expect(added[0]!.options.trackers).toEqual(['wss://one', 'wss://two'])
    expect(limits).toEqual([{ uploadLimit: 1000 }])
  })

  test.each([0, 1])('ends by its signal, in the tab that leads and in one that follows', async (which) => {
    const { node } = (await pages())[which]!
    const engine = world.engines[0]!
    engine.hashing = new Promise(() => {})
    const stop = new AbortController()
    const begun = new Deferred()
    const seeding = code(node.seed(memo(), { name: hash('a'), onHash: () => begun.resolve(), signal: stop.signal }))
    await begun.promise
    stop.abort()
    expect(await seeding).toBe('aborted')
    expect(await code(node.seed(memo(), { name: hash('a'), signal: stop.signal }))).toBe('aborted')
    expect(engine.seeded).toHaveLength(1)
    expect(node.torrents).toEqual([])
  })

  test('a file that is gone from the disk is told of in plain words', async () => {
    const { node } = page()
    const { files: [file] } = await node.seed(memo(), { name: hash('a') })
    const cause = new DOMException('The requested file could not be read', 'NotReadableError')
    const gone = () => Promise.reject(cause)
    vi.spyOn(world.engines[0]!, 'blob').mockResolvedValue(Object.assign(new Blob(), { text: gone, arrayBuffer: gone }))
    const error = { name: 'StarlingError', code: 'unreadable', message: expect.stringContaining('share it again'), cause }
    await expect(file!.text()).rejects.toMatchObject(error)
    await expect(file!.arrayBuffer()).rejects.toMatchObject(error)
  })

  test('an onHash that throws ends no share', async () => {
    const reported = vi.fn()
    vi.stubGlobal('reportError', reported)
    const error = new TypeError('bar is null')
    const onHash = () => {
      throw error
    }
    await (await page().node.seed(memo(), { name: hash('a'), onHash })).done
    expect(reported).toHaveBeenCalledWith(error)
  })

  test('a base of links is meant from where the page lies', async () => {
    vi.stubGlobal('location', { href: 'https://site.example/films/' })
    await page({ linkBase: 'watch.html' }).node.ready
    expect(world.options.at(-1)).toMatchObject({ linkBase: 'https://site.example/films/watch.html' })
  })

  test('a page that a link has opened may name itself as that base', async () => {
    vi.stubGlobal('location', { href: `https://site.example/watch#${hash('a')}.key` })
    const { node } = page({ linkBase: location.href })
    expect((await node.add(hash('b'))).link).toBe(`https://site.example/watch#${hash('b')}`)
  })

  test('links lead where their own page has it, whichever tab runs the engine', async () => {
    const one = page({ linkBase: 'https://site.example/album' })
    await one.node.ready
    const two = page({ linkBase: 'https://site.example/watch' })
    const [here, there] = [await one.node.add(hash('b')), await two.node.add(hash('b'))]
    // The engine leaves a tracker out where it is that of the link's own place.
    world.engines[0]!.tell(hash('b'), {
      link: `https://site.example/album#${hash('b')}.key`,
      magnetURI: `magnet:?xt=urn:btih:${hash('b')}&dn=Rain&tr=wss%3A%2F%2Fsite.example%2Fannounce`,
    })
    await vi.waitUntil(() => there.link.includes('.key'))
    expect(here.link).toBe(`https://site.example/album#${hash('b')}.key`)
    expect(there.link).toBe(`https://site.example/watch#${hash('b')}.key&tr=wss%3A%2F%2Fsite.example%2Fannounce`)
    expect(there.state.link).toBe(there.link)
  })
})

describe('add', () => {
  test('gives a handle at once, and promises and events as it gets on', async () => {
    const { node } = page()
    const torrent = await node.add(` ${hash('b')}\n`)
    expect(torrent).toMatchObject({ status: 'finding', files: [], name: '', length: 0 })
    const events: string[] = []
    for (const name of ['ready', 'done', 'peer', 'card', 'progress', 'error'] as const) {
      torrent.on(name, () => events.push(name))
    }
    const engine = world.engines[0]!
    const peer = { id: 'c', client: '', kind: 'direct', downloadSpeed: 1, uploadSpeed: 2, progress: 1 } as const
    engine.onpeer!(hash('b'), peer)
    engine.tell(hash('b'), { card: { title: 'x' }, peers: [peer] })
    engine.tell(hash('b'), { card: { title: 'x' } })
    engine.arrive(hash('b'), memo())
    await torrent.ready
    await torrent.done
    expect(events).toEqual(['peer', 'card', 'progress', 'progress', 'ready', 'progress', 'done'])
    expect(torrent).toMatchObject({ progress: 1, downloaded: 6, card: { title: 'x' }, peers: [peer] })
  })

  test.each<[string, () => Parameters<Starling['add']>[0]]>([
    ['bytes', () => new Uint8Array([0, 100, 101]).subarray(1)],
    ['a buffer', () => new Uint8Array([100, 101]).buffer],
    ['a Blob', () => new Blob(['de'])],
  ])('takes a torrent file as %s', async (_, what) => {
    const { node } = page()
    await node.add(what())
    expect(world.engines[0]!.added[0]!.id).toEqual(new Uint8Array([100, 101]))
  })

  test('takes a link as a URL', async () => {
    const { node } = page()
    await node.add(new URL(`https://starling.example/f#${hash('b')}`))
    expect(world.engines[0]!.added[0]!.id).toBe(`https://starling.example/f#${hash('b')}`)
  })

  test('refuses what is too large for a torrent file', async () => {
    const { node } = page()
    const film = new Blob()
    Object.defineProperty(film, 'size', { value: 1e9 })
    expect(await code(node.add(film))).toBe('too-large')
  })

  test('says that a torrent file cannot be read any more', async () => {
    const file = new File(['de'], 'film.torrent')
    file.arrayBuffer = () => Promise.reject(new DOMException('It has changed.', 'NotReadableError'))
    expect(await code(page().node.add(file))).toBe('unreadable')
  })

  test('of the same twice is one torrent, and one that was seeded stays so', async () => {
    const { node } = page()
    const seeded = await node.seed(memo(), { name: hash('a') })
    expect(await node.add(hash('a'))).toBe(seeded)
    expect(node.torrents).toHaveLength(1)
  })

  test('passes on the trackers that the page chose', async () => {
    const { node } = page({ trackers: ['wss://one'] })
    await node.add(hash('b'), { trackers: ['wss://two'] })
    await node.seed(memo(), { name: hash('a') })
    expect(world.engines[0]!.added[0]!.options.trackers).toEqual(['wss://two', 'wss://one'])
    expect(world.engines[0]!.seeded[0]!.options.trackers).toEqual(['wss://one'])
  })

  test('misses nothing that was told before its answer came', async () => {
    const [, { node }] = await pages()
    const engine = world.engines[0]!
    const { add } = engine
    engine.add = async (...args) => {
      const early = await add.apply(engine, args)
      engine.arrive(hash('b'), memo())
      return early
    }
    const torrent = await node.add(hash('b'))
    await torrent.done
    expect(torrent.progress).toBe(1)
  })
})

describe('a torrent', () => {
  test('that fails says why, in its promises and an event', async () => {
    const { node } = page()
    const torrent = await node.add(hash('b'))
    const errors: Error[] = []
    torrent.on('error', (error) => errors.push(error))
    const error = { code: 'wrong-key', message: 'The key does not fit.' } as const
    world.engines[0]!.tell(hash('b'), { status: 'failed', error })
    world.engines[0]!.tell(hash('b'), { status: 'failed', error })
    expect(await code(torrent.ready)).toBe('wrong-key')
    expect(await code(torrent.done)).toBe('wrong-key')
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatchObject(error)
  })

  test('that has failed in one tab is known to have in another that adds it later', async () => {
    const [one, two] = await pages()
    await one.node.add(hash('b'))
    const error = { code: 'no-space', message: 'This browser has no room left.' } as const
    world.engines[0]!.tell(hash('b'), { status: 'failed', ready: true, error })
    const torrent = await two.node.add(hash('b'))
    expect(torrent.state.error).toMatchObject(error)
    await torrent.ready
    expect(await Promise.race([code(torrent.done), later()])).toBe('no-space')
  })

  test('is removed once; what waited for it fails', async () => {
    const { node } = page()
    const torrent = await node.add(hash('b'))
    const removed: Torrent[] = []
    node.on('remove', (torrent) => removed.push(torrent))
    await torrent.remove({ destroyStore: true })
    await torrent.remove()
    expect(await code(torrent.done)).toBe('removed')
    expect(await code(torrent.setCard({}))).toBe('removed')
    expect(removed).toEqual([torrent])
    expect(node.torrents).toEqual([])
    expect(await code(torrent.torrentFile())).toBe('removed')
  })

  test('keeps its data when it is removed, unless that is to go as well', async () => {
    const [, { node }] = await pages()
    for (const options of [undefined, {}, { destroyStore: false }, { destroyStore: true }]) {
      await (await node.add(hash('b'))).remove(options)
    }
    const infoHash = hash('b')
    const kept = { infoHash, destroyStore: false }
    expect(world.engines[0]!.removed).toEqual([kept, kept, kept, { infoHash, destroyStore: true }])
  })

  test('that was removed and is added again begins anew, also while another is hashed', async () => {
    const { node } = page()
    await node.ready
    const engine = world.engines[0]!
    const hashed = new Deferred()
    engine.hashing = hashed.promise
    const seeding = node.seed(memo(), { name: hash('a') })
    const before = await node.add(hash('b'))
    engine.arrive(hash('b'), memo())
    await before.done
    await before.remove({ destroyStore: true })
    const torrent = await node.add(hash('b'))
    expect(torrent).toMatchObject({ status: 'finding', progress: 0, files: [] })
    expect(await Promise.race([code(torrent.done), later()])).toBe('not yet')
    hashed.resolve()
    await seeding
    await before.remove()
    expect(node.torrents).toContain(torrent)
  })

  test('that cannot be removed stays, and whoever asked is told', async () => {
    const { node } = page()
    const torrent = await node.add(hash('b'))
    world.engines[0]!.remove = async () => {
      throw new StarlingError('storage', 'The disk is gone.')
    }
    expect(await code(torrent.remove())).toBe('storage')
    expect(node.torrents).toEqual([torrent])
  })

  test('removed in one tab is removed in all', async () => {
    const [one, two] = await pages()
    const here = await one.node.seed(memo(), { name: hash('a') })
    const there = await two.node.add(hash('a'))
    await there.remove()
    await vi.waitUntil(() => !one.node.torrents.length)
    expect(await code(here.setCard({}))).toBe('removed')
  })

  test('paused in one tab is paused in all, until any resumes it', async () => {
    const [one, two] = await pages()
    const here = await one.node.add(hash('a'))
    const there = await two.node.add(hash('a'))
    await there.pause()
    expect(there.status).toBe('paused')
    await vi.waitUntil(() => here.status === 'paused')
    await here.resume()
    await vi.waitUntil(() => there.status === 'finding')
  })

  test('has a card and a torrent file', async () => {
    const { node } = page()
    const torrent = await node.seed(memo(), { name: hash('a'), card: { title: 'one' } })
    await torrent.setCard({ title: 'two', nothing: () => {} })
    // Peers would take none of these.
    for (const card of ['three', ['three'], 3, null, undefined] as never[]) {
      await expect(torrent.setCard(card)).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching(/must be an object/) })
    }
    expect(await code(node.seed(memo(), { name: hash('b'), card: 'three' as never }))).toBe('unsupported')
    expect(torrent.card).toEqual({ title: 'two' })
    expect((await torrent.torrentFile()).length).toBeGreaterThan(0)
    expect(world.engines[0]!.seeded).toHaveLength(1)
  })
})

describe('a file', () => {
  async function file(size = 6) {
    const { node } = page()
    const data = new Uint8Array(size).map((_, i) => i)
    const torrent = await node.seed(new File([data], 'data.bin'), { name: hash('a') })
    return { node, torrent, data, file: torrent.files[0]!, engine: world.engines[0]! }
  }
  const all = async (stream: ReadableStream<Uint8Array>) => new Uint8Array(await new Response(stream).arrayBuffer())

  test('is read as a blob, a buffer, text', async () => {
    const { node } = page()
    const torrent = await node.seed(memo(), { name: hash('a') })
    const [file] = torrent.files
    expect(await (await file!.blob()).text()).toBe('a memo')
    expect(await file!.text()).toBe('a memo')
    expect((await file!.arrayBuffer()).byteLength).toBe(6)
  })

  test('streams all of it, in pieces of at most 1 MiB, by one reader that is released', async () => {
    const { file: large, data, engine } = await file((2 << 20) + 5)
    expect(Buffer.compare(await all(large.stream()), data)).toBe(0)
    expect(engine.reads.map(({ start, end }) => end - start)).toEqual([1 << 20, 1 << 20, 5])
    await vi.waitUntil(() => engine.released.length)
    expect(engine.released).toEqual([engine.reads[0]!.reader])
  })

  test('streams a range, its end included', async () => {
    const { file: small } = await file(10)
    expect([...(await all(small.stream({ start: 2, end: 4 })))]).toEqual([2, 3, 4])
    expect([...(await all(small.stream({ start: 8, end: 99 })))]).toEqual([8, 9])
    expect([...(await all(small.stream({ start: 10 })))]).toEqual([])
  })

  test('reads nothing before somebody does, and stops when that somebody stops', async () => {
    const { file: large, engine } = await file(3 << 20)
    const reader = large.stream().getReader()
    expect(engine.reads).toHaveLength(0)
    await reader.read()
    await reader.cancel()
    await vi.waitUntil(() => engine.released.length)
    expect(engine.reads).toHaveLength(1)
  })

  test('has the URL of the service worker, where there is one', async () => {
    world.rangeURL = 'https://host/torrent/x'
    const { file: small, torrent } = await file()
    expect(await small.url()).toBe('https://host/torrent/x')
    await torrent.remove()
    expect(await code(small.url())).toBe('removed')
  })

  test('otherwise has a blob URL, the same each time, until its torrent is removed', async () => {
    const { file: small, torrent } = await file()
    const url = await small.url()
    expect(await small.url()).toBe(url)
    expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(6)
    await torrent.remove()
    await vi.waitFor(async () => expect(await fetch(url).catch(() => 'gone')).toBe('gone'))
    expect(await code(small.url())).toBe('removed')
  })

  test.each([
    ['text/html', 'application/octet-stream'],
    ['image/svg+xml', 'application/octet-stream'],
    ['audio/webm;codecs=opus', 'audio/webm'],
  ])('of type %s has a blob URL of type %s', async (type, served) => {
    const { node } = page()
    const { files } = await node.seed(new File(['x'], 'x', { type }), { name: hash('a') })
    const response = await fetch(await files[0]!.url())
    expect(response.headers.get('Content-Type')).toBe(served)
  })

  test('stays the one it is where the page sorts what it was given', async () => {
    const { node } = page()
    const torrent = await node.add(hash('b'))
    const file = (name: string, size: number) => ({ name, path: name, size, type: '', progress: 1 })
    world.engines[0]!.tell(hash('b'), { ready: true, files: [file('words', 1), file('film', 2)] })
    torrent.state.files.sort((a, b) => b.size - a.size)
    const largest = [...torrent.files].sort((a, b) => b.size - a.size)[0]!
    expect((torrent.files as TorrentFile[]).sort((a, b) => b.size - a.size)[0]).toBe(largest)
    expect(largest.name).toBe('film')
    expect(await world.find!(hash('b'), 1)).toMatchObject({ name: 'film', size: 2 })
    expect(await world.find!(hash('b'), 0)).toMatchObject({ name: 'words', size: 1 })
  })

  test('is found for the service worker: of this page, and of a tab that follows another', async () => {
    const [one, two] = await pages()
    await one.node.seed(memo(), { name: hash('a') })
    const found = await world.find!(hash('a'), 0)
    expect(found).toMatchObject({ name: 'memo.txt', type: 'text/plain', size: 6 })
    expect(new TextDecoder().decode(await found!.read(2, 6, 'r'))).toBe('memo')
    found!.release('r')
    await vi.waitUntil(() => world.engines[0]!.released.length)
    expect(await world.find!(hash('c'), 0)).toBeUndefined()
    expect(await world.find!(hash('a'), 1)).toBeUndefined()
    const later = await two.node.add(hash('b'))
    const waiting = world.find!(hash('b'), 0)
    world.engines[0]!.arrive(hash('b'), memo())
    expect(await waiting).toMatchObject({ size: 6 })
    await later.remove()
    const never = await two.node.add(hash('d'))
    const gone = world.find!(hash('d'), 0)
    await never.remove()
    expect(await gone).toBeUndefined()
  })
})

describe('when the tab that runs the engine is gone', () => {
  test('another runs it, and every page makes its torrents there again', async () => {
    const [one, two] = await pages()
    const three = page()
    await three.node.ready
    const seeded = await two.node.seed(memo(), { name: hash('a'), private: true, card: { title: 'one' } })
    const link = `${hash('b')}.thekeythekeythekeythek`
    const added = await three.node.add(link, { onDemand: true })
    await one.node.add(hash('c'))
    await seeded.setCard({ title: 'two' })
    const reading = added.torrentFile()
    one.tab.crash()
    await vi.waitUntil(() => world.engines.length === 2 && world.engines[1]!.added.length)
    const engine = world.engines[1]!
    expect(engine.seeded.map(({ options }) => options)).toMatchObject([
      { known: hash('a'), private: true, again: true },
    ])
    expect(await engine.seeded[0]!.files[0]!.text()).toBe('a memo')
    expect(engine.added).toMatchObject([{ id: link, options: { onDemand: true } }])
    engine.arrive(hash('b'), memo())
    await added.done
    expect((await reading).length).toBeGreaterThan(0)
    expect(await two.node.stats()).toMatchObject({ leader: true, torrents: 2 })
    expect(await three.node.stats()).toMatchObject({ leader: false })
    expect(await added.files[0]!.text()).toBe('a memo')
  })

  test('every page is told, as what the other page alone had goes on nowhere', async () => {
    const [one, two] = await pages()
    const told: boolean[] = []
    for (const { node } of [one, two]) node.on('takeover', async () => void told.push((await node.stats()).leader))
    await one.node.seed(memo(), { name: hash('a') })
    one.tab.crash()
    await vi.waitUntil(() => told.length)
    expect(told).toEqual([true])
    expect(world.engines[1]!.seeded).toEqual([])
  })

  test('what the other page alone had is whole no more, though its names stay', async () => {
    const [one, two] = await pages()
    await one.node.seed(memo(), { name: hash('a') })
    expect([two.node.torrents, (await two.node.states()).map(({ infoHash }) => infoHash)]).toEqual([[], [hash('a')]])
    const torrent = await two.node.add(hash('a'), { onDemand: true })
    await torrent.done
    one.tab.crash()
    await vi.waitUntil(() => torrent.status === 'finding')
    expect(torrent.state).toMatchObject({ name: 'memo.txt', ready: true, done: false, progress: 0, downloaded: 0 })
    expect((await two.node.states()).map(({ done }) => done)).toEqual([false])
  })

  test('what was to be fetched whole still is, though it was added on demand later', async () => {
    const [one, two] = await pages()
    await two.node.add(hash('b'))
    await two.node.add(hash('b'), { onDemand: true })
    one.tab.crash()
    await vi.waitUntil(() => world.engines[1]?.added.length)
    expect(world.engines[1]!.added[0]!.options.onDemand).toBeFalsy()
  })

  test('what was added, and then seeded here, is seeded again', async () => {
    const [one, two] = await pages()
    const torrent = await two.node.add(hash('b'))
    expect(await two.node.seed(memo(), { name: hash('b') })).toBe(torrent)
    one.tab.crash()
    await vi.waitUntil(() => world.engines[1]?.seeded.length)
    expect(world.engines[1]!.added).toEqual([])
  })

  test('it is loaded for the next one where that failed while it was not needed', async () => {
    const one = page()
    await one.node.ready
    const gone = (world.gone = vi.fn(() => {
      throw new TypeError('Failed to fetch dynamically imported module')
    }))
    const two = page()
    await two.node.ready
    await vi.waitUntil(() => gone.mock.calls.length)
    world.gone = undefined
    one.tab.crash()
    await vi.waitUntil(async () => (await two.node.stats()).leader)
  })

  test('limits that a page set hold for the next one too', async () => {
    const [one, two] = await pages()
    await two.node.limit({ uploadLimit: 1000, downloadLimit: 5 })
    await two.node.limit({ downloadLimit: 0 })
    expect(world.engines[0]!.limits).toEqual([{ uploadLimit: 1000, downloadLimit: 5 }, { downloadLimit: 0 }])
    one.tab.crash()
    await vi.waitUntil(() => world.engines[1]?.limits.length)
    expect(world.engines[1]!.limits).toEqual([{ uploadLimit: 1000, downloadLimit: 0 }])
  })

  test('where one page hides the address, the engine does, whichever tab runs it', async () => {
    const [one, two] = await pages()
    const three = page({ relayOnly: true })
    await three.node.ready
    expect(world.engines[0]!.relayOnly).toEqual([true])
    await two.node.setRelayOnly(false)
    expect(world.engines[0]!.relayOnly).toEqual([true, false])
    await two.node.setRelayOnly(true)
    one.tab.crash()
    await vi.waitUntil(() => world.engines[1])
    await two.node.stats()
    expect(world.engines[1]!.relayOnly[0]).toBe(true)
  })

  test.each([true, false])('whether a page hides the address, by what it said last: %s', async (on) => {
    const one = page()
    await one.node.ready
    const two = page({ relayOnly: !on })
    await two.node.ready
    await two.node.setRelayOnly(on)
    one.tab.crash()
    await vi.waitUntil(() => world.options[1])
    expect(world.options[1]).toMatchObject({ relayOnly: on })
    await two.node.stats()
    expect(world.engines[1]!.relayOnly).toEqual(on ? [true] : [])
  })

  test('an engine that cannot hide the address gets nothing from a page that is to', async () => {
    const one = page()
    await one.node.ready
    // As a tab of an older version answers.
    world.engines[0]!.setRelayOnly = async () => {
      throw new StarlingError('unsupported', 'Another tab of this site runs an older version of Starling.')
    }
    const two = page({ relayOnly: true })
    await two.node.ready.catch(() => {})
    await expect(two.node.seed(memo())).rejects.toMatchObject({ code: 'unsupported' })
    expect(world.engines[0]!.seeded).toEqual([])
    // When it is gone this page's own does.
    one.tab.crash()
    await vi.waitUntil(() => world.engines[1])
    await two.node.seed(memo())
    expect(world.engines[1]!.relayOnly).toEqual([true])
  })

  test('a call that was under way is made again', async () => {
    const [one, two] = await pages()
    world.engines[0]!.hashing = new Promise(() => {})
    const seeding = two.node.seed(memo(), { name: hash('a') })
    await vi.waitUntil(() => world.engines[0]!.seeded.length)
    one.tab.crash()
    const torrent = await seeding
    await torrent.done
    expect(world.engines[1]!.seeded).toHaveLength(1)
  })

  test('a stream goes on where it was', async () => {
    const [one, two] = await pages()
    const data = new Uint8Array(3 << 20).map((_, i) => i % 251)
    const torrent = await two.node.seed(new Blob([data]), { name: hash('a') })
    const reader = torrent.files[0]!.stream().getReader()
    const parts = [await reader.read()]
    await one.node.destroy()
    for (;;) {
      const part = await reader.read()
      if (part.done) break
      parts.push(part)
    }
    expect(Buffer.compare(Buffer.concat(parts.map(({ value }) => value!)), data)).toBe(0)
  })

  test('what was known of a torrent stays known until the new engine knows it too', async () => {
    const [one, two] = await pages()
    const torrent = await two.node.add(hash('b'))
    world.engines[0]!.arrive(hash('b'), memo())
    await torrent.done
    const [file] = torrent.files
    one.tab.crash()
    await vi.waitUntil(() => world.engines[1]?.added.length)
    expect(torrent).toMatchObject({ name: 'memo.txt', length: 6 })
    await vi.waitUntil(() => torrent.status === 'finding')
    expect(torrent.files).toEqual([file])
    expect(file!.size).toBe(6)
    world.engines[1]!.tell(hash('b'), { status: 'downloading' })
    expect(torrent).toMatchObject({ name: 'memo.txt', status: 'downloading' })
  })

  test('a share whose key died with it fails with words', async () => {
    const [one, two] = await pages()
    const torrent = await two.node.seed(memo(), { name: hash('a'), private: true })
    const failed = new Promise<Error>((resolve) => torrent.once('error', resolve))
    world.prepare = (engine) => {
      const { seed } = engine
      engine.seed = (files, options) => seed.call(engine, files, { ...options, known: hash('e') })
    }
    one.tab.crash()
    expect(await failed).toMatchObject({ code: 'unreadable' })
    expect(torrent.status).toBe('failed')
    expect(await world.engines[1]!.states()).toEqual([])
    await torrent.remove()
    expect(two.node.torrents).toEqual([])
  })

  test('what was removed while a page was frozen is not brought back by it', async () => {
    const [one, two] = await pages()
    const seeded = await two.node.seed(memo(), { name: hash('a') })
    const added = await two.node.add(hash('b'))
    two.tab.events.dispatchEvent(new Event('freeze'))
    for (const infoHash of [hash('a'), hash('b')]) await (await one.node.add(infoHash)).remove()
    const gone: Torrent[] = []
    two.node.on('remove', (torrent) => gone.push(torrent))
    two.tab.events.dispatchEvent(new Event('resume'))
    await vi.waitUntil(() => !two.node.torrents.length)
    expect(gone).toHaveLength(2)
    expect(await code(added.done)).toBe('removed')
    expect(await code(seeded.setCard({}))).toBe('removed')
    expect(await world.engines[0]!.states()).toEqual([])
    const [file] = (await two.node.seed(memo(), { name: hash('a') })).files
    expect(await file!.text()).toBe('a memo')
  })

  test('a card that was changed while a page was frozen stays as it is', async () => {
    const [one, two] = await pages()
    const seeded = await two.node.seed(memo(), { name: hash('a'), card: { title: 'one' } })
    two.tab.events.dispatchEvent(new Event('freeze'))
    await (await one.node.add(hash('a'))).setCard({ title: 'two' })
    two.tab.events.dispatchEvent(new Event('resume'))
    await vi.waitUntil(() => seeded.card!.title === 'two')
    expect((await world.engines[0]!.states())[0]!.card).toEqual({ title: 'two' })
  })

  test('a page in the back/forward cache finds its torrents again', async () => {
    const [one, two] = await pages()
    const torrent = await one.node.seed(memo(), { name: hash('a') })
    one.tab.events.dispatchEvent(new Event('pagehide'))
    const text = torrent.files[0]!.text()
    await vi.waitUntil(() => world.engines.length === 2)
    one.tab.events.dispatchEvent(new Event('pageshow'))
    expect(await text).toBe('a memo')
    expect(await one.node.stats()).toMatchObject({ leader: false, torrents: 1 })
    expect(await two.node.stats()).toMatchObject({ leader: true })
  })
})

describe('the node', () => {
  test('runs alone where a page wants that, or the browser cannot share', async () => {
    // One after another: of imports at once, Vitest mocks only one.
    for (const options of [{ shareTabs: false }, { store: 'memory' as const }, {}]) await page(options).node.ready
    vi.stubGlobal('navigator', {})
    const node = new Starling()
    await node.ready
    expect(world.engines).toHaveLength(4)
    expect(await node.stats()).toMatchObject({ leader: true })
    await node.destroy()
  })

  test('is destroyed once: its engine ends, its handles and calls fail', async () => {
    const { node } = page()
    const torrent = await node.add(hash('b'))
    const streaming = code(new Response((await node.seed(memo(), { name: hash('a') })).files[0]!.stream()).text())
    const removed = vi.fn()
    node.on('remove', removed)
    await Promise.all([node.destroy(), node.destroy()])
    expect(removed).not.toHaveBeenCalled()
    expect(world.engines[0]!.destroyed).toBe(true)
    expect(world.find).toBeUndefined()
    expect(await code(torrent.done)).toBe('removed')
    expect(await code(node.add(hash('c')))).toBe('removed')
    expect(await code(node.stats())).toBe('removed')
    expect(node.torrents).toEqual([])
    await streaming
  })

  test.each([true, false])('destroyed while a torrent is added has none afterwards (tabs share: %s)', async (shareTabs) => {
    const { node } = page({ shareTabs })
    await node.ready
    const engine = world.engines[0]!
    const [asked, added] = [new Deferred(), new Deferred()]
    const { add } = engine
    engine.add = async (...args) => {
      const state = await add.apply(engine, args)
      asked.resolve()
      await added.promise
      return state
    }
    const came = vi.fn()
    node.on('torrent', came)
    const adding = code(node.add(hash('b')))
    await asked.promise
    const destroyed = node.destroy()
    added.resolve()
    expect(await adding).toBe('removed')
    await destroyed
    expect([node.torrents, came.mock.calls]).toEqual([[], []])
  })

  test('does not run where there is no page, such as in a worker, and leads no tab from there', async () => {
    vi.stubGlobal('document', undefined)
    for (const options of [{}, { shareTabs: false }]) {
      const { node } = page(options)
      expect(await code(node.ready)).toBe('unsupported')
      expect(await code(node.add(hash('b')))).toBe('unsupported')
    }
    expect(world.engines).toEqual([])
    vi.stubGlobal('document', {})
    expect(await page().node.stats()).toMatchObject({ leader: true })
  })

  test('fails with a StarlingError, whatever went wrong, in the tab that leads as in others', async () => {
    const both = await pages()
    world.engines[0]!.stats = () => Promise.reject(new TypeError('x is not iterable'))
    for (const { node } of both) expect(await code(node.stats())).toBe('unsupported')
  })

  test('destroyed at once starts no engine that stays', async () => {
    for (const options of [{}, { shareTabs: false }]) {
      const { node } = page(options)
      await node.destroy()
      expect(await code(node.ready)).toBe('removed')
    }
    expect(world.engines.every(({ destroyed }) => destroyed)).toBe(true)
  })

  test('works alone where the browser, with all its storage, keeps the other tabs from the page', async () => {
    const tab = new FakeTab(browser)
    vi.stubGlobal('navigator', { locks: tab.locks })
    const refuse = class {
      constructor() {
        throw new DOMException('The operation is insecure.', 'SecurityError')
      }
    }
    vi.stubGlobal('BroadcastChannel', refuse)
    const events = new EventTarget()
    vi.stubGlobal('addEventListener', events.addEventListener.bind(events))
    const uncaught = vi.fn()
    process.once('uncaughtException', uncaught)
    const node = new Starling()
    await node.ready
    events.dispatchEvent(new Event('pageshow'))
    await new Promise(setImmediate)
    process.off('uncaughtException', uncaught)
    expect(uncaught).not.toHaveBeenCalled()
    expect((await node.add(hash('b'))).infoHash).toBe(hash('b'))
    await node.destroy()
    expect(world.engines.map(({ destroyed }) => destroyed)).toEqual([true])
  })

  test('says why it cannot run', async () => {
    world.fail = new StarlingError('unsupported', 'This browser has no WebRTC.')
    for (const options of [{}, { shareTabs: false }]) {
      const { node } = page(options)
      const errors: Error[] = []
      node.on('error', (error) => errors.push(error))
      expect(await code(node.ready)).toBe('unsupported')
      expect(await code(node.add(hash('b')))).toBe('unsupported')
      expect(errors).toEqual([world.fail])
    }
  })

  test('tells of torrents that this page came to have', async () => {
    const { node } = page()
    const told: Torrent[] = []
    node.once('torrent', (torrent) => told.push(torrent))
    const torrent = await node.add(hash('b'))
    expect(told).toEqual([torrent])
  })
})
