import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Bytes } from './bytes.ts'
import { Deferred } from './deferred.ts'
import type { Standing } from './rendezvous/types.ts'
import { memoryStores } from './store/memory.ts'
import { destroyAll, join, noise, Stranger, testNode, type TestNode } from './swarm/testing.ts'
import type { SeedOptions } from './types.ts'

afterEach(destroyAll)
afterEach(() => void vi.unstubAllGlobals())

const bytesOf = async (blob: Blob): Promise<Bytes> => new Uint8Array(await blob.arrayBuffer())
const file = (name: string, data: Bytes | string, type = ''): File => new File([data], name, { type })

/** As toEqual, which takes its time with many bytes. */
const same = (a: Bytes, b: Bytes): void => expect(Buffer.compare(a, b)).toBe(0)

async function shared(data: Bytes, options: SeedOptions = {}, seeder = testNode()) {
  const { infoHash, link, magnetURI } = await seeder.node.seed([file('data.bin', data)], options)
  return { seeder, infoHash, link, magnetURI }
}

async function fetched(to: TestNode, infoHash: string): Promise<Bytes> {
  await to.until(infoHash, (state) => state.done)
  return bytesOf(await to.node.blob(infoHash, 0))
}

describe('from node to node', () => {
  test('a plain torrent, by magnet', async () => {
    const data = noise(50_000)
    const { seeder, infoHash, magnetURI } = await shared(data)
    const leecher = testNode()
    const state = await leecher.node.add(magnetURI, {})
    expect(state).toMatchObject({ infoHash, ready: false, done: false, status: 'finding', progress: 0 })
    join(leecher, seeder, infoHash)
    same(await fetched(leecher, infoHash), data)
    const [after] = await leecher.node.states()
    expect(after).toMatchObject({ name: 'data.bin', status: 'seeding', progress: 1, downloaded: 50_000, length: 50_000 })
    expect(leecher.completed).toEqual([infoHash])
  })

  test('web seeds are added to those of the magnet, and to a torrent that is there', async () => {
    const { seeder, infoHash, magnetURI } = await shared(noise(1000))
    const leecher = testNode()
    await leecher.node.add(`${magnetURI}&ws=https://one.example/`, { webSeeds: ['https://two.example/'] })
    const { magnetURI: all } = await leecher.node.add(infoHash, { webSeeds: ['https://three.example/'] })
    expect(new URLSearchParams(all).getAll('ws')).toEqual(['one', 'two', 'three'].map((name) => `https://${name}.example/`))
    await seeder.node.remove(infoHash, {})
  })

  test('however many trackers a magnet names, those of the page are among the few that are asked', async () => {
    const leecher = testNode()
    const named = Array.from({ length: 40 }, (_, i) => `&tr=wss://${i}.example/`).join('')
    const infoHash = 'a'.repeat(40)
    await leecher.node.add(`magnet:?xt=urn:btih:${infoHash}${named}`, { trackers: ['wss://page.example/'] })
    expect(leecher.announced.get(infoHash)!.trackers.slice(0, 3)).toEqual(
      ['wss://page.example/', 'wss://tracker.test/', 'wss://0.example/'])
  })

  test('a private torrent of several files, by link', async () => {
    const seeder = testNode()
    const parts = [noise(100_000), new Uint8Array(), noise(300_001)]
    const files = parts.map((part, i) => file(`${i}.webm`, part, 'audio/webm'))
    const { link, infoHash } = await seeder.node.seed(files, { private: true, name: 'Three' })
    const leecher = testNode()
    await leecher.node.add(link, {})
    join(seeder, leecher, infoHash)
    const state = await leecher.until(infoHash, ({ done }) => done)
    expect(state).toMatchObject({ name: 'Three', private: true, length: 400_001, link })
    expect(state.files.map(({ size, type, progress }) => [size, type, progress])).toEqual(
      [[100_000, 'audio/webm', 1], [0, 'audio/webm', 1], [300_001, 'audio/webm', 1]])
    for (const [i, part] of parts.entries()) {
      const blob = await leecher.node.blob(infoHash, i)
      expect(blob.type).toBe('audio/webm')
      same(await bytesOf(blob), part)
      same(await bytesOf(await seeder.node.blob(infoHash, i)), part)
    }
  })

  test.each([true, false])('files that lie in one folder are called by it, and lie in it alone: private %s', async (sealed) => {
    const { node } = testNode()
    const seed = async (paths: string[], name?: string) => {
      const state = await node.seed(paths.map((path) => file(path, noise(10))), { private: sealed, ...(name && { name }) })
      return [state.name, ...state.files.map(({ path }) => path)]
    }
    expect(await seed(['birds/a.jpg', 'birds/far/b.jpg'])).toEqual(['birds', 'a.jpg', 'far/b.jpg'])
    expect(await seed(['birds/a.jpg', 'birds/b.jpg'], 'Swifts')).toEqual(['Swifts', 'a.jpg', 'b.jpg'])
    expect(await seed(['birds/a.jpg', 'b.jpg'])).toEqual(['a.jpg', 'birds/a.jpg', 'b.jpg'])
    expect(await seed(['birds/a.jpg', 'birds'])).toEqual(['a.jpg', 'birds/a.jpg', 'birds (2)'])
    expect(await seed(['/a.jpg', '/b.jpg'])).toEqual(['a.jpg', '_/a.jpg', '_/b.jpg'])
    expect(await seed(['birds/a.jpg'])).toEqual(['a.jpg', 'a.jpg'])
  })

  test('larger, in many pieces and several at once', async () => {
    const large = noise(24 << 20)
    const { seeder, infoHash, magnetURI } = await shared(large)
    const leecher = testNode()
    await leecher.node.add(magnetURI, {})
    join(leecher, seeder, infoHash)
    same(await fetched(leecher, infoHash), large)
  })

  test('what was added without its key is opened by the link that has it, and is another torrent for who had it', async () => {
    const data = noise(100_000)
    const { seeder, infoHash, link } = await shared(data, { private: true })
    const leecher = testNode()
    const removed: string[] = []
    leecher.node.onremove = (infoHash) => removed.push(infoHash)
    await leecher.node.add(infoHash, {})
    join(leecher, seeder, infoHash)
    expect(await leecher.until(infoHash, ({ done }) => done)).toMatchObject({ name: 'sealed', private: false })
    await leecher.node.add(link, {})
    expect(removed).toEqual([infoHash])
    // Of what is here already: nobody is joined.
    same(await fetched(leecher, infoHash), data)
    expect((await leecher.node.states())[0]).toMatchObject({ name: 'data.bin', private: true, link })
    await leecher.node.add(infoHash, {})
    expect(removed).toEqual([infoHash])

    const open = await shared(noise(1000))
    await leecher.node.add(open.infoHash, {})
    join(leecher, open.seeder, open.infoHash)
    await leecher.until(open.infoHash, ({ done }) => done)
    const keyed = open.link.replace(open.infoHash, `${open.infoHash}.${'A'.repeat(22)}`)
    await expect(leecher.node.add(keyed, {})).rejects.toMatchObject({ code: 'wrong-key' })
    await leecher.until(open.infoHash, ({ done }) => done)
  })

  test('an empty file', async () => {
    const { seeder, infoHash, link } = await shared(new Uint8Array())
    const leecher = testNode()
    await leecher.node.add(link, {})
    join(leecher, seeder, infoHash)
    expect(await fetched(leecher, infoHash)).toEqual(new Uint8Array())
  })

  test('what one fetched, the next fetches from it', async () => {
    const data = noise(200_000)
    const { seeder, infoHash, link } = await shared(data, { private: true })
    const [one, two] = [testNode(), testNode()]
    await one.node.add(link, {})
    await two.node.add(link, {})
    join(one, seeder, infoHash)
    join(two, one, infoHash)
    same(await fetched(two, infoHash), data)
    const [state] = await one.node.states()
    expect(state!.uploaded).toBeGreaterThanOrEqual(200_000)
    // What the seal takes is no part of it.
    expect(state!.downloaded).toBe(200_000)
  })
})

test.each(['uploadLimit', 'downloadLimit'] as const)('%s is set, and lifted, while it runs', async (limit) => {
  const data = noise(1_500_000)
  const { seeder, infoHash, link } = await shared(data)
  const leecher = testNode()
  await leecher.node.add(link, {})
  for (const { node } of [seeder, leecher]) {
    await node.limit({ [limit]: 100_000 })
    // What is not named stays as it is.
    await node.limit({})
  }
  const started = performance.now()
  join(leecher, seeder, infoHash)
  // One second's worth comes at once, the next in a second.
  await leecher.until(infoHash, ({ downloaded }) => downloaded >= 200_000)
  expect(performance.now() - started).toBeGreaterThan(500)
  // At the limit the rest would take longer than a test may.
  for (const { node } of [seeder, leecher]) await node.limit({ [limit]: 0 })
  same(await fetched(leecher, infoHash), data)
})

test('while the address is hidden, only trackers and web seeds that the page names are asked', async () => {
  const page = 'https://site.test/film.mp4'
  const asked = vi.fn(async (url: string) => new Response(url, { status: 404 }))
  vi.stubGlobal('fetch', asked)
  onTestFinished(() => void vi.unstubAllGlobals())
  const { seeder, infoHash } = await shared(noise(100_000), { webSeeds: [page] })
  const magnet = `magnet:?xt=urn:btih:${infoHash}&tr=wss%3A%2F%2Fstranger.test%2F&ws=https%3A%2F%2Fstranger.test%2Ffilm.mp4`
  const trackers = ['wss://site.test/']
  const leecher = testNode({ relayOnly: true })
  const { node, announced, relinked, until } = leecher
  await node.add(magnet, { trackers, webSeeds: [page] })
  const urls = () => announced.get(infoHash)!.trackers
  expect(urls()).toEqual([...trackers, 'wss://tracker.test/'])
  const [channel] = join(leecher, seeder, infoHash)
  await until(infoHash, ({ ready }) => ready)
  channel.close()
  await vi.waitUntil(() => asked.mock.calls.length)
  expect(new Set(asked.mock.calls.map(([url]) => url))).toEqual(new Set([page]))

  await node.setRelayOnly(false)
  expect(urls()).toEqual([...trackers, 'wss://tracker.test/', 'wss://stranger.test/'])
  await vi.waitUntil(() => asked.mock.calls.some(([url]) => url.includes('stranger')))
  await node.setRelayOnly(true)
  await node.setRelayOnly(true)
  expect(urls()).toEqual([...trackers, 'wss://tracker.test/'])
  expect(relinked).toEqual([false, true])
  expect(await node.stats()).toMatchObject({ relayOnly: true })
})

test('a page that is left leaves its trackers, and is found again when it comes back', async () => {
  const page = new EventTarget()
  for (const name of ['addEventListener', 'removeEventListener'] as const) vi.stubGlobal(name, page[name].bind(page))
  const { seeder, infoHash } = await shared(noise(1000))
  const show = (persisted: boolean): boolean => page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }))
  expect(seeder.announced.has(infoHash)).toBe(true)
  page.dispatchEvent(new Event('pagehide'))
  expect(seeder.announced.size).toBe(0)
  show(false)
  expect(seeder.announced.size).toBe(0)
  show(true)
  expect(seeder.announced.has(infoHash)).toBe(true)
  await seeder.node.destroy()
  seeder.announced.clear()
  show(true)
  expect(seeder.announced.size).toBe(0)
})

test('a tracker that is lost may be started anew, and then what its server gave and relayed is of no use', async () => {
  let renewed = 0
  const iceServers = Object.assign(async () => [], { renew: () => void renewed++ })
  const { seeder, infoHash } = await shared(noise(1000), {}, testNode({ iceServers }))
  const tell = (state: Pick<Standing, 'status' | 'refusal'>) => {
    seeder.trackers[0] = { url: 'wss://tracker.test/', ...state }
    seeder.changed(infoHash)
    return [renewed, seeder.withdrawn()]
  }
  for (const status of ['connecting', 'failed', 'working', 'working'] as const) expect(tell({ status })).toEqual([0, 0])
  expect(tell({ status: 'failed', refusal: 'not served' })).toEqual([0, 0])
  expect(tell({ status: 'failed' })).toEqual([1, 1])
  expect(tell({ status: 'failed' })).toEqual([1, 1])
})

test('other trackers carry their offers on when one is lost, unless its server gave what they name', async () => {
  const iceServers = async () => []
  const { seeder, infoHash } = await shared(noise(1000), {}, testNode({ iceServers, home: 'wss://home.test/' }))
  const tell = (home: Standing['status'], other: Standing['status']) => {
    seeder.trackers.splice(0, Infinity, { url: 'wss://home.test/', status: home }, { url: 'wss://other.test/', status: other })
    seeder.changed(infoHash)
    return seeder.withdrawn()
  }
  expect(tell('working', 'working')).toBe(0)
  expect(tell('working', 'failed')).toBe(0)
  expect(tell('working', 'working')).toBe(0)
  expect(tell('failed', 'working')).toBe(1)
  expect(tell('failed', 'failed')).toBe(2)
})

test('what is still being made when the node is destroyed is not announced any more', async () => {
  const { node, announced, stores } = testNode()
  const seeding = expect(node.seed([file('data.bin', noise(100_000))], {})).rejects.toMatchObject({ code: 'removed' })
  const adding = expect(node.add('a'.repeat(40), {})).rejects.toMatchObject({ code: 'removed' })
  await node.destroy()
  await Promise.all([seeding, adding])
  expect(announced.size).toBe(0)
  expect(await stores.registry.list()).toEqual([])
})

test('a link that led to nobody leaves nothing behind, unless it is paused', async () => {
  const { node, stores } = testNode()
  const [left, paused] = ['a'.repeat(40), 'b'.repeat(40)]
  for (const infoHash of [left, paused]) await node.add(infoHash, {})
  await node.pause(paused, true)
  await node.remove(left, {})
  const kept = async () => (await stores.registry.list()).map(({ infoHash }) => infoHash)
  expect(await kept()).toEqual([paused])
  await node.pause(paused, false)
  expect(await kept()).toEqual([])
})

test('what is being hashed when its signal aborts is not hashed to its end, and not shared', async () => {
  const { node, announced } = testNode()
  const stop = new AbortController()
  const hashed: number[] = []
  const big = file('data.bin', new Uint8Array(40 << 20))
  const seeding = node.seed([big], {}, (bytes) => {
    hashed.push(bytes)
    stop.abort()
  }, stop.signal)
  await expect(seeding).rejects.toMatchObject({ code: 'aborted' })
  expect(hashed.at(-1)).toBeLessThan(big.size)
  expect(announced.size).toBe(0)
})

test('what is being hashed when the node is destroyed is not hashed to its end', async () => {
  const { node } = testNode()
  const hashed: number[] = []
  const seeding = node.seed([file('data.bin', new Uint8Array(40 << 20))], {}, (bytes) => {
    hashed.push(bytes)
    void node.destroy()
  })
  await expect(seeding).rejects.toMatchObject({ code: 'removed' })
  expect(hashed).toHaveLength(1)
})

test('what is being deleted when the node is destroyed is deleted', async () => {
  const stores = memoryStores()
  const deleted: string[] = []
  let open = true
  const { seeder, infoHash } = await shared(noise(1000), {}, testNode({}, {
    ...stores,
    destroy: async (infoHash) => void (open && deleted.push(infoHash)),
    close: async () => void (open = false),
  }))
  const removing = seeder.node.remove(infoHash, { destroyStore: true })
  await seeder.node.destroy()
  expect(deleted).toEqual([infoHash])
  await removing
})

test('what cannot be deleted is removed all the same, which all hear', async () => {
  const held = async () => Promise.reject(new DOMException('', 'NoModificationAllowedError'))
  const stores = { ...memoryStores(), destroy: held }
  const { seeder, infoHash } = await shared(noise(1000), {}, testNode({}, stores))
  const removed: string[] = []
  seeder.node.onremove = (infoHash) => removed.push(infoHash)
  await expect(seeder.node.remove(infoHash, { destroyStore: true })).rejects.toThrow()
  expect([removed, await seeder.node.states()]).toEqual([[infoHash], []])
})

test('what was removed is not made again by who did not hear of that, until somebody else does', async () => {
  const data = file('data.bin', noise(1000))
  const { node } = testNode()
  const { infoHash } = await node.seed([data], {})
  await node.add(infoHash, { again: true })
  await node.remove(infoHash, {})
  await expect(node.add(infoHash, { again: true })).rejects.toMatchObject({ code: 'removed' })
  await expect(node.seed([data], { known: infoHash, again: true })).rejects.toMatchObject({ code: 'removed' })
  expect(await node.states()).toEqual([])
  await node.seed([data], { known: infoHash })
  expect(await node.add(infoHash, { again: true })).toMatchObject({ done: true })
})

test('what is removed while its card is signed stays removed', async () => {
  const { seeder, infoHash } = await shared(noise(1000), { card: { title: 'one' } })
  const setting = seeder.node.setCard(infoHash, { title: 'two' })
  await seeder.node.remove(infoHash, { destroyStore: true })
  await setting
  expect(await seeder.stores.registry.list()).toEqual([])
})

test('a page that was frozen does not write over what another did meanwhile', async () => {
  const data = noise(200_000)
  const { seeder, infoHash, link } = await shared(data)
  const stores = memoryStores()
  const thawed = new Deferred()
  const open = stores.open.bind(stores)
  // Its worker answers no more.
  const frozen = {
    ...stores, close: async () => {},
    open: async (...args: Parameters<typeof open>) => Object.assign(await open(...args), { flush: () => thawed.promise }),
  }
  const first = testNode({}, frozen)
  await first.node.add(link, {})
  join(first, seeder, infoHash)
  await fetched(first, infoHash)
  const over = first.node.destroy(true)
  const next = testNode({}, stores)
  await next.node.add(link, {})
  await next.node.remove(infoHash, { destroyStore: true })
  thawed.resolve()
  await over
  await new Promise(setImmediate)
  expect(await stores.registry.list()).toEqual([])
})

describe('seeding', () => {
  test('what is added meanwhile is the same torrent', async () => {
    const stores = memoryStores()
    const put = stores.registry.put.bind(stores.registry)
    const [putting, go] = [new Deferred(), new Deferred()]
    stores.registry.put = async (entry) => {
      putting.resolve()
      await go.promise
      return put(entry)
    }
    const seeder = testNode({}, stores)
    const data = file('data.bin', noise(1000))
    const { infoHash } = await testNode().node.seed([data], {})
    const seeding = seeder.node.seed([data], {})
    await putting.promise
    expect(await seeder.node.add(infoHash, {})).toMatchObject({ done: true })
    const peer = new Stranger(seeder, infoHash)
    await peer.met.promise
    go.resolve()
    await seeding
    await seeder.node.remove(infoHash, {})
    await peer.closed.promise
  })

  test('tells when a peer has come to have all of it', async () => {
    const { seeder, infoHash, link } = await shared(noise(200_000), { private: true })
    const told = new Promise<string>((resolve) => {
      seeder.node.onpeer = (_, peer) => {
        if (peer.progress === 1) resolve(peer.id)
      }
    })
    const leecher = testNode()
    await leecher.node.add(link, {})
    join(leecher, seeder, infoHash)
    expect(await told).toMatch(/^[0-9a-f]{40}$/)
  })

  test('the same content twice is the same torrent', async () => {
    const data = noise(100_000)
    const { seeder, infoHash } = await shared(data)
    const again = await seeder.node.seed([file('data.bin', data)], {})
    expect(again.infoHash).toBe(infoHash)
    expect(await seeder.node.states()).toHaveLength(1)
  })

  test('after a restart, known files keep key and link, and nothing is hashed', async () => {
    const data = noise(100_000)
    const stores = memoryStores()
    for (const sealed of [true, false]) {
      const first = await shared(data, { private: sealed, card: { title: 'one' } }, testNode({}, stores))
      await first.seeder.node.remove(first.infoHash, {})
      const hashed: number[] = []
      const next = testNode({}, stores)
      const options = { private: sealed, known: first.infoHash, card: { title: 'two' } }
      const state = await next.node.seed([file('data.bin', data)], options, (bytes) => hashed.push(bytes))
      expect(state).toMatchObject({ infoHash: first.infoHash, link: first.link, done: true, card: { title: 'two' } })
      expect(hashed).toEqual([])
      const leecher = testNode()
      await leecher.node.add(state.link, {})
      join(leecher, next, state.infoHash)
      same(await fetched(leecher, state.infoHash), data)
    }
  })

  test.each(['link', 'magnetURI', 'upper case'] as const)('known files by their %s', async (by) => {
    const data = noise(1000)
    const stores = memoryStores()
    const first = await shared(data, {}, testNode({}, stores))
    await first.seeder.node.remove(first.infoHash, {})
    const hashed: number[] = []
    const known = by === 'upper case' ? first.infoHash.toUpperCase() : first[by]
    const { infoHash } = await testNode({}, stores).node.seed([file('data.bin', data)], { known }, (bytes) => hashed.push(bytes))
    expect([infoHash, hashed]).toEqual([first.infoHash, []])
  })

  test('what is known by no infohash is refused', async () => {
    await expect(shared(noise(10), { known: 'data.bin' })).rejects.toMatchObject({ code: 'bad-link' })
  })

  test('known files that are others are hashed', async () => {
    const stores = memoryStores()
    const first = await shared(noise(100_000), {}, testNode({}, stores))
    await first.seeder.node.remove(first.infoHash, {})
    const next = await shared(noise(100_001), { known: first.infoHash }, testNode({}, stores))
    expect(next.infoHash).not.toBe(first.infoHash)
  })

  test('known files that were private stay so, unless the page says otherwise', async () => {
    const data = noise(1000)
    const stores = memoryStores()
    const first = await shared(data, { private: true }, testNode({}, stores))
    await first.seeder.node.remove(first.infoHash, {})
    for (const known of [first.link, first.infoHash]) {
      const next = await shared(data, { known }, testNode({}, stores))
      expect(next.link).toBe(first.link)
      await next.seeder.node.remove(first.infoHash, {})
    }
    // Nothing is known of it any more but its link.
    const anew = await shared(data, { known: first.link })
    expect(anew.link).toMatch(/#[0-9a-f]{40}\.[\w-]{22}&/)
    const open = await shared(data, { known: first.link, private: false }, testNode({}, stores))
    expect(open.link).toMatch(/#[0-9a-f]{40}&/)
  })

  test('known files of the same size that changed are never sent', async () => {
    const data = noise(100_000)
    const stores = memoryStores()
    const first = await shared(data, { private: true }, testNode({}, stores))
    await first.seeder.node.remove(first.infoHash, {})
    const { seeder, infoHash, link } = await shared(data.map((byte) => byte ^ 1), { private: true, known: first.infoHash }, testNode({}, stores))
    expect(infoHash).toBe(first.infoHash)
    const leecher = testNode()
    await leecher.node.add(link, {})
    const [channel] = join(leecher, seeder, infoHash)
    const state = await seeder.until(infoHash, ({ status }) => status === 'failed')
    expect(state.error!.code).toBe('unreadable')
    await leecher.until(infoHash, ({ peers }) => !peers.length)
    expect(channel.open).toBe(false)
    expect((await leecher.node.states())[0]!.downloaded).toBe(0)
    // The right ones put it right.
    const again = await seeder.node.seed([file('data.bin', data)], { known: infoHash })
    expect(again).toMatchObject({ infoHash, status: 'seeding' })
    join(leecher, seeder, infoHash)
    same(await fetched(leecher, infoHash), data)
  })
})
