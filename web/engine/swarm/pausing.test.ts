import { afterEach, expect, test, vi } from 'vitest'
import { Deferred } from '../deferred.ts'
import { Node } from '../node.ts'
import { memoryStores } from '../store/memory.ts'
import { destroyAll, join, noise, Stranger, testNode, type TestNode } from './testing.ts'

afterEach(destroyAll)

const data = noise(3 << 20)
const seed = async (options = {}): Promise<TestNode> => {
  const node = testNode(options)
  await node.node.seed([new File([data], 'data.bin')], {})
  return node
}
const slow = { uploadLimit: 1 << 20 }

/** Who has a part of it, and who has all. */
async function midway(stores = memoryStores()) {
  const from = await seed(slow)
  const { infoHash, magnetURI } = (await from.node.states())[0]!
  const to = testNode({}, stores)
  await to.node.add(magnetURI, {})
  const [channel] = join(to, from, infoHash)
  await to.until(infoHash, ({ downloaded }) => downloaded > 0)
  return { from, to, infoHash, magnetURI, channel }
}

async function whole({ node, until }: TestNode, infoHash: string): Promise<void> {
  await until(infoHash, ({ done }) => done)
  const blob = await node.blob(infoHash, 0)
  expect(Buffer.compare(new Uint8Array(await blob.arrayBuffer()), data)).toBe(0)
}

test('a torrent that is paused leaves everybody and lets nobody in, and goes on where it was', async () => {
  const { to, infoHash, channel } = await midway()
  await to.node.pause(infoHash, true)
  const [state] = await to.node.states()
  expect(state).toMatchObject({ status: 'paused', peers: [] })
  expect(channel.open).toBe(false)
  expect(to.announced.size).toBe(0)
  expect([...to.node.known(), ...to.node.lacking()]).toEqual([])
  const stranger = new Stranger(to, infoHash)
  await stranger.closed.promise
  expect(stranger.handshake).toBeUndefined()
  // Adding it again, as pages do when they open, resumes nothing.
  await to.node.add(infoHash, {})
  expect(to.announced.size).toBe(0)

  await to.node.pause(infoHash, false)
  expect([...to.announced.keys()]).toEqual([infoHash])
  expect(to.forgotten).toContain(infoHash)
  expect([...to.node.lacking()]).toEqual([infoHash])
  const other = await seed()
  const before = state!.downloaded
  join(to, other, infoHash)
  await whole(to, infoHash)
  expect((await other.node.states())[0]!.uploaded).toBeLessThanOrEqual(data.length - before)
})

test('nobody is told of it before it would survive the page', async () => {
  const stores = memoryStores()
  const { to, infoHash } = await midway(stores)
  const put = stores.registry.put.bind(stores.registry)
  const [asked, written] = [new Deferred(), new Deferred()]
  stores.registry.put = async (entry) => (asked.resolve(), await written.promise, put(entry))
  const [another, told] = ['ab'.repeat(20), new Map<string, string>()]
  await to.node.add(another, {})
  to.node.onstate = (state) => void told.set(state.infoHash, state.status)
  const paused = to.node.pause(infoHash, true)
  await asked.promise
  told.clear()
  // What has changed is told in that order.
  for (const changed of [infoHash, another]) to.changed(changed)
  await vi.waitUntil(() => told.has(another))
  expect(told.get(infoHash)).toBeUndefined()
  written.resolve()
  await paused
  expect(told.get(infoHash)).toBe('paused')
  expect(await stores.registry.get(infoHash)).toMatchObject({ paused: true })
})

test('what is here can be read meanwhile; who waits for more waits until it goes on', async () => {
  const { to, infoHash } = await midway()
  await to.until(infoHash, ({ files }) => !!files.length)
  const first = await to.node.read(infoHash, 0, 0, 100, 'player')
  await to.node.pause(infoHash, true)
  expect(await to.node.read(infoHash, 0, 0, 100, 'player')).toEqual(first)
  const rest = to.node.read(infoHash, 0, data.length - 100, data.length, 'player')
  await to.node.pause(infoHash, false)
  join(to, await seed(), infoHash)
  expect(Buffer.compare(await rest, data.subarray(-100))).toBe(0)
})

test('it stays paused in the next engine; who removes it and adds it again wants it', async () => {
  const stores = memoryStores()
  const { to, infoHash, magnetURI } = await midway(stores)
  await to.node.pause(infoHash, true)
  // Before anything is closed, which the browser may leave no time for.
  expect(await stores.registry.get(infoHash)).toMatchObject({ paused: true })
  await to.node.destroy()

  const next = testNode({}, stores)
  expect(await next.node.add(magnetURI, {})).toMatchObject({ status: 'paused', name: 'data.bin' })
  expect(next.announced.size).toBe(0)
  await next.node.remove(infoHash, {})
  expect(await next.node.add(magnetURI, {})).toMatchObject({ status: 'finding' })
  expect(next.announced.size).toBe(1)
})

test('no tracker hears of it before it is known whether it is paused', async () => {
  const stores = memoryStores()
  const { to, infoHash, magnetURI } = await midway(stores)
  await to.node.pause(infoHash, true)
  await to.node.destroy()

  const heard: { infoHash: string; event?: string }[] = []
  class Socket {
    readyState = 0
    onopen: (() => void) | undefined
    constructor() {
      setTimeout(() => {
        this.readyState = 1
        this.onopen?.()
      })
    }
    send(text: string): void {
      const { info_hash, event } = JSON.parse(text) as { info_hash: string; event?: string }
      heard.push({ infoHash: Buffer.from(info_hash, 'latin1').toString('hex'), event })
    }
    close(): void {}
  }
  vi.stubGlobal('WebSocket', Socket)
  const open = new Deferred()
  const fresh = 'ab'.repeat(20)
  const options = { trackers: ['wss://tracker.test/'], iceServers: async () => [], linkBase: 'https://host.test/m' }
  const node = new Node(options, {
    stores: () => open.promise.then(() => stores), unknown: async (hash) => hash === fresh, close: () => stores.close(),
  })
  const added = node.add(magnetURI, {})
  // What nothing is kept of waits for no store.
  await node.add(fresh, {})
  await vi.waitUntil(() => heard.length)
  expect(heard).toEqual([{ infoHash: fresh, event: 'started' }])
  open.resolve()
  expect(await added).toMatchObject({ status: 'paused' })
  await node.pause(infoHash, false)
  await vi.waitUntil(() => heard.length > 1)
  expect(heard[1]).toEqual({ infoHash, event: 'started' })
  await node.destroy()
  vi.unstubAllGlobals()
})

test('who has all of it sends none while it is paused', async () => {
  const from = await seed()
  const [state] = await from.node.states()
  await from.node.pause(state!.infoHash, true)
  const early = new Stranger(from, state!.infoHash)
  await early.closed.promise
  expect([...from.node.lacking()]).toEqual([])
  await from.node.pause(state!.infoHash, false)
  // For a while it calls those who asked in vain.
  expect([...from.node.lacking()]).toEqual([state!.infoHash])
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 61_000)
  expect([...from.node.lacking()]).toEqual([])
  vi.restoreAllMocks()
  const late = new Stranger(from, state!.infoHash)
  await late.hears(/have all/)
  expect((await from.node.states())[0]).toMatchObject({ status: 'seeding' })
})

test('web seeds rest as well', async () => {
  const node = testNode()
  const from = await seed()
  const { infoHash } = (await from.node.states())[0]!
  const torrent = await from.node.torrentFile(infoHash)
  await node.node.add(torrent, { onDemand: true, webSeeds: ['http://127.0.0.1:9/'] })
  const kinds = async () => (await node.node.states())[0]!.peers.map(({ kind }) => kind)
  await vi.waitUntil(async () => (await kinds()).includes('webseed'))
  await node.node.pause(infoHash, true)
  expect((await node.node.states())[0]).toMatchObject({ status: 'paused', peers: [] })
  await node.node.pause(infoHash, false)
  expect(await kinds()).toEqual(['webseed'])
})

test('what is read elsewhere meanwhile is fetched first when it goes on', async () => {
  const from = await seed()
  const { infoHash, magnetURI } = (await from.node.states())[0]!
  const to = testNode()
  await to.node.add(magnetURI, { onDemand: true })
  join(to, from, infoHash)
  await to.until(infoHash, ({ ready }) => ready)
  await to.node.pause(infoHash, true)
  const end = to.node.read(infoHash, 0, data.length - 100, data.length, 'player')
  await to.node.pause(infoHash, false)
  join(to, from, infoHash)
  expect(Buffer.compare(await end, data.subarray(-100))).toBe(0)
})
