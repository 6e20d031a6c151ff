import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Starling, Torrent } from 'starling'
import { Deferred } from '../engine/deferred.ts'
import { Emitter } from '../engine/emitter.ts'
import { StarlingError, type ErrorCode } from '../engine/errors.ts'
import { FakeBrowser, FakeTab } from '../engine/tabs/fakes.ts'
import type { TorrentEvents } from '../engine/types.ts'
import { infoHashOf } from '../ui/fetching.ts'
import { bundleType } from './bundle.ts'
import { MemoDb } from './db.ts'
import { Library } from './library.ts'
import { Receiving } from './receiving.ts'

class FakeTorrent extends Emitter<TorrentEvents> {
  readonly infoHash: string
  readonly files: { name: string; type: string; size: number; text(): Promise<string>; blob(): Promise<Blob> }[]
  readonly link: string
  readonly name = 'Sounds'
  readonly length: number
  readonly private = true
  readonly ready = Promise.resolve()
  readonly #done = new Deferred()
  readonly done = this.#done.promise
  state: object = { ready: true, done: false, private: true, peers: [] }
  readonly #node: FakeNode

  constructor(node: FakeNode, infoHash: string, files: File[]) {
    super()
    this.#node = node
    this.infoHash = infoHash
    this.link = linkOf(infoHash)
    this.length = files.reduce((sum, { size }) => sum + size, 0)
    this.files = files.map((file) => ({
      name: file.name, type: file.type, size: file.size, text: () => file.text(), blob: async () => file,
    }))
  }
  finish(): void {
    this.state = { ...this.state, done: true }
    this.#done.resolve()
  }
  fail(code: ErrorCode): void {
    const error = new StarlingError(code, '')
    this.#done.reject(error)
    this.emit('error', error)
  }
  /** In every tab. */
  async remove(): Promise<void> {
    if (!this.#node.torrents.delete(this.infoHash)) return
    this.#done.reject(new StarlingError('removed', ''))
    this.#node.emit('remove', this as unknown as Torrent)
  }
}

class FakeNode extends Emitter<{ remove: Torrent }> {
  readonly torrents = new Map<string, FakeTorrent>()
  readonly content = new Map<string, File[]>()
  get = (infoHash: string) => this.torrents.get(infoHash)
  async add(link: string): Promise<FakeTorrent> {
    const infoHash = infoHashOf(link)!
    const torrent = this.torrents.get(infoHash) ?? new FakeTorrent(this, infoHash, this.content.get(infoHash)!)
    this.torrents.set(infoHash, torrent)
    return torrent
  }
}

const hashOf = (letter: string): string => letter.repeat(40)
const linkOf = (infoHash: string): string => `https://host/m#${infoHash}.${'k'.repeat(22)}`
const sound = (name: string): File => new File(['x'], name, { type: 'audio/ogg' })
const [one, two, both] = [hashOf('1'), hashOf('2'), hashOf('b')]

afterEach(() => void vi.unstubAllGlobals())

let library: Library
let node: FakeNode
let receiving: Receiving
/** What was deleted for good is forgotten then. */
let forgotten: Promise<void>
let count = 0

beforeEach(async () => {
  vi.stubGlobal('navigator', {})
  library = new Library(new MemoDb(`receiving-${count++}`))
  await library.reload()
  start()
})

/** As after a reload. */
function start(): void {
  const mine = (node = new FakeNode())
  for (const infoHash of [one, two]) mine.content.set(infoHash, [sound(`${infoHash[0]}.ogg`)])
  const here = new Receiving(async () => mine as unknown as Starling, library)
  receiving = here
  library.on('purged', (memo) => here === receiving && (forgotten = here.forget(memo)))
}

/** The torrent, once it is being fetched. */
const fetched = (infoHash: string) => vi.waitUntil(() => node.get(infoHash))

it('one of several memos in a link that failed can be tried again, and then all are saved', async () => {
  const links = [one, two].map((infoHash) => linkOf(infoHash).split('#')[1])
  node.content.set(both, [new File([JSON.stringify({ links })], 'memos.json', { type: bundleType })])
  const arrival = receiving.open(linkOf(both))
  for (const infoHash of [both, one]) (await fetched(infoHash)).finish()
  const failing = await fetched(two)
  failing.fail('storage')
  const [, second] = arrival.bundle!
  await vi.waitUntil(() => second!.error)
  expect(arrival.saved).toBe(false)
  receiving.retry(second!)
  await vi.waitUntil(() => node.get(two) && node.get(two) !== failing)
  node.get(two)!.finish()
  await vi.waitUntil(() => arrival.saved)
  expect(library.memos.map(({ title }) => title).sort()).toEqual(['Sounds', 'Sounds'])
})

it('of a link to several nothing is left when the last that came by it is deleted', async () => {
  const links = [one, two].map((infoHash) => linkOf(infoHash).split('#')[1])
  node.content.set(both, [new File([JSON.stringify({ links })], 'memos.json', { type: bundleType })])
  const arrival = receiving.open(linkOf(both))
  for (const infoHash of [both, one, two]) (await fetched(infoHash)).finish()
  await vi.waitUntil(() => arrival.saved)
  for (const left of [[both, two], []]) {
    const { id } = library.memos.find(({ from }) => from!.infoHash === (left.length ? one : two))!
    await library.remove([id])
    await library.purge([id])
    await forgotten
    expect([...node.torrents.keys()]).toEqual(left)
  }
})

it('of a link to several that was made here, what was shared from here stays as it is, and comes no second time', async () => {
  const facts = { description: '', created: 1, duration: 1, type: 'audio/ogg', size: 1, peaks: new Uint8Array(1) }
  await library.add({ id: 'own', title: 'Own', ...facts, shares: { private: one } })
  const links = [one, two].map((infoHash) => linkOf(infoHash).split('#')[1]!)
  await library.db.addBundle({ infoHash: both, links })
  node.content.set(both, [new File([JSON.stringify({ links })], 'memos.json', { type: bundleType })])
  ;(await node.add(linkOf(one))).finish()
  const arrival = receiving.open(linkOf(both))
  for (const infoHash of [both, two]) (await fetched(infoHash)).finish()
  await vi.waitUntil(() => arrival.saved)
  expect(library.memos.map(({ title }) => title).sort()).toEqual(['Own', 'Sounds'])
  expect(arrival.bundle![0]!.memos).toEqual(['own'])

  const { id } = library.memos.find(({ from }) => from)!
  await library.remove([id])
  await library.purge([id])
  await forgotten
  expect([...node.torrents.keys()].sort()).toEqual([one, both].sort())
})

it('what another tab takes away to try again goes on here; what it deletes is said to be gone', async () => {
  const arrival = receiving.open(linkOf(one))
  await vi.waitUntil(() => arrival.memos.length)
  const first = node.get(one)!
  await first.remove()
  await vi.waitUntil(() => arrival.torrent && (arrival.torrent as unknown) !== first)
  expect(arrival.error).toBe(undefined)
  node.get(one)!.finish()
  await vi.waitUntil(() => arrival.saved)

  await library.db.delete(arrival.memos[0]!)
  await node.get(one)!.remove()
  expect(arrival.error).toMatchObject({ code: 'removed' })
  // Whoever opens the link again fetches it anew.
  expect(receiving.open(linkOf(one)).error).toBe(undefined)
  await fetched(one)
})

it('what is deleted on its way, and opened again before Undo is over, stays', async () => {
  const arrival = receiving.open(linkOf(one))
  await vi.waitUntil(() => arrival.memos.length)
  const ids = arrival.memos
  await library.remove(ids)
  expect([receiving.follow(linkOf(one)), library.memos]).toEqual([arrival, []])
  receiving.open(linkOf(one))
  await vi.waitUntil(() => library.memos.length)
  await library.purge(ids)
  node.get(one)!.finish()
  await vi.waitUntil(() => arrival.saved)
  expect(library.memos.map(({ id }) => id)).toEqual(ids)
})

it('what is deleted before it could be looked through stays so, until its link is opened again', async () => {
  let clock = Date.now()
  const now = vi.spyOn(Date, 'now').mockImplementation(() => ++clock)
  const facts = { title: 'One', description: '', created: 1, duration: 1, type: 'audio/ogg', size: 1, peaks: new Uint8Array(1) }
  await library.add({ id: 'a', ...facts, from: { infoHash: one, file: 0, link: linkOf(one), done: true } })
  const add = node.add.bind(node)
  const started = new Deferred()
  node.add = async (link) => (await started.promise, add(link))
  // As after a reload, for all that is here.
  const arrival = receiving.open(linkOf(one))
  await library.remove(['a'])
  started.resolve()
  await vi.waitUntil(() => arrival.memos.length)
  expect(library.memos).toEqual([])
  receiving.open(linkOf(one))
  await vi.waitUntil(() => library.memos.length)
  now.mockRestore()
})

it('what two tabs open at once has one row', async () => {
  const browser = new FakeBrowser()
  const all = [library, new Library(library.db)]
  for (const one of all) {
    vi.stubGlobal('navigator', { locks: new FakeTab(browser).locks })
    await one.reload()
  }
  const arrivals = all.map((library) => new Receiving(async () => node as unknown as Starling, library).open(linkOf(one)))
  ;(await fetched(one))!.finish()
  await vi.waitUntil(() => arrivals.every(({ saved }) => saved))
  expect((await library.list()).length).toBe(1)
  expect(arrivals[1]!.memos).toEqual(arrivals[0]!.memos)
})

it('what only looks does not try again', async () => {
  const here = receiving
  const arrival = here.follow(linkOf(one))
  ;(await fetched(one)).fail('no-space')
  await vi.waitUntil(() => arrival.error)
  arrival.on('change', () => here.follow(linkOf(one)))
  expect(receiving.follow(linkOf(one)).error).toBeDefined()
  expect(receiving.open(linkOf(one)).error).toBe(undefined)
})

it('of several sounds in one torrent, the one that was deleted stays so', async () => {
  const titles = () => library.memos.map(({ title }) => title).sort().join()
  const arrive = async () => {
    node.content.set(both, ['a', 'b', 'c'].map((name) => sound(`${name}.ogg`)))
    const arrival = receiving.open(linkOf(both))
    ;(await fetched(both)).finish()
    await vi.waitUntil(() => arrival.saved)
  }
  await arrive()
  expect(titles()).toBe('a,b,c')
  const idOf = (wanted: string) => library.memos.find(({ title }) => title === wanted)!.id
  const ids = [idOf('a'), idOf('b')]
  await library.remove(ids)
  await library.purge([ids[0]!])
  for (let reload = 0; reload < 2; reload++) {
    start()
    await arrive()
    expect(titles()).toBe('c')
  }
  // Once all are gone, the link brings all.
  ids.push(idOf('c'))
  await library.remove(ids)
  await library.purge(ids)
  await vi.waitUntil(() => !node.get(both))
  start()
  await arrive()
  expect(titles()).toBe('a,b,c')
})

it('a link to several sounds brings back none that was deleted while others are here, and all where none is', async () => {
  node.content.set(both, ['a', 'b', 'c'].map((name) => sound(`${name}.ogg`)))
  const arrival = receiving.open(linkOf(both))
  expect(await receiving.find(linkOf(both))).toBeUndefined()
  ;(await fetched(both)).finish()
  await vi.waitUntil(() => arrival.saved)
  const [first, ...others] = arrival.memos.toSorted() as [string, ...string[]]
  await library.remove([first])
  expect(others).toContain((await receiving.find(linkOf(both)))!.id)
  expect(library.memos).toHaveLength(2)
  await library.remove(others)
  expect(await receiving.find(linkOf(both))).toBeUndefined()
  receiving.open(linkOf(both))
  await vi.waitUntil(() => library.memos.length === 3)
})

it('a link to a memo of one’s own leads to it, and brings it back where it was deleted', async () => {
  const facts = { description: '', created: 1, duration: 1, type: 'audio/ogg', size: 1, peaks: new Uint8Array(1) }
  await library.add({ id: 'own', title: 'Own', ...facts, shares: { private: two, public: one } })
  await library.remove(['own'])
  expect((await receiving.find(linkOf(one)))?.id).toBe('own')
  expect(library.memos).toHaveLength(1)
  expect(await receiving.find('no link')).toBeUndefined()
})

it('what the sender writes later is read, but not over what was written here', async () => {
  const arrival = receiving.open(linkOf(one))
  ;(await fetched(one))!.finish()
  await vi.waitUntil(() => arrival.saved)
  const [id] = arrival.memos as [string]
  const card = (card: { title: string; duration: number }) => {
    const torrent = node.get(one)!
    torrent.state = { ...torrent.state, card: { kind: 'memo', ...card } }
    torrent.emit('card', card)
    return vi.waitUntil(() => library.get(id)!.duration === card.duration)
  }
  await card({ title: 'Theirs', duration: 1 })
  expect(library.get(id)!.title).toBe('Theirs')
  await library.rewrite(id, { title: 'Mine' })
  await card({ title: 'Theirs, too', duration: 2 })
  expect(library.get(id)!.title).toBe('Mine')
})

it('leaves what is too large to come unasked to Files, and goes on with what was begun', async () => {
  const huge = Object.defineProperty(sound('long.ogg'), 'size', { value: 2e9 })
  node.content.set(one, [huge])
  const arrival = receiving.open(linkOf(one))
  await vi.waitUntil(() => arrival.elsewhere)
  expect(library.memos).toEqual([])

  const other = receiving.open(linkOf(two))
  await vi.waitUntil(() => other.memos.length)
  start()
  node.content.set(two, [huge])
  const again = receiving.open(linkOf(two))
  ;(await fetched(two))!.finish()
  await vi.waitUntil(() => again.saved)
})

it('asks the browser to keep what came', async () => {
  const persist = vi.fn(async () => true)
  vi.stubGlobal('localStorage', { getItem: () => null, setItem() {} })
  vi.stubGlobal('navigator', { storage: { persisted: async () => false, persist } })
  receiving.open(linkOf(one))
  ;(await fetched(one))!.finish()
  await vi.waitUntil(() => persist.mock.calls.length)
})
