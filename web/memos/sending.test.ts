import 'fake-indexeddb/auto'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { FakeBrowser, FakeTab } from '../engine/tabs/fakes.ts'
import type { Card, SeedOptions, TorrentEvents } from '../engine/types.ts'
import { mentioned, quoted } from '../ui/words.ts'
import { MemoDb } from './db.ts'
import { Library } from './library.ts'
import type { Memo } from './memo.ts'
import { Receiving } from './receiving.ts'
import { Sending } from './sending.ts'

/** As much of a node as sending needs: what is seeded has a link, and a card that can be changed. */
class FakeTorrent extends Emitter<TorrentEvents> {
  readonly infoHash: string
  readonly link: string
  card: Card | undefined
  state = { peers: [], trackers: [] }
  remove = async (): Promise<void> => {}

  constructor(infoHash: string, card?: Card) {
    super()
    this.infoHash = infoHash
    this.link = `https://host/m#${infoHash}.${'k'.repeat(22)}`
    this.card = card
  }
  async setCard(card: Card): Promise<void> {
    this.card = card
  }
}

class FakeNode extends Emitter<{ remove: Torrent }> {
  readonly torrents = new Map<string, FakeTorrent>()
  seeds = 0
  /** What was asked of each seed. */
  readonly asked: SeedOptions[] = []
  /** Runs while something is being seeded. */
  meanwhile: () => Promise<unknown> = async () => {}
  get = (infoHash: string) => this.torrents.get(infoHash)
  async seed(_file: File, options: SeedOptions): Promise<FakeTorrent> {
    const { known, card } = options
    this.asked.push(options)
    await this.meanwhile()
    return this.#enter(new FakeTorrent(known ?? (++this.seeds).toString(16).padStart(40, '0'), card))
  }
  add = async (infoHash: string): Promise<FakeTorrent> => this.#enter(new FakeTorrent(infoHash))
  #enter(torrent: FakeTorrent): FakeTorrent {
    this.torrents.set(torrent.infoHash, torrent)
    torrent.remove = async () => void this.torrents.delete(torrent.infoHash)
    return torrent
  }
}

const memo: Memo = {
  id: 'a',
  title: 'Before',
  description: '',
  created: 1,
  duration: 1,
  type: 'audio/ogg',
  size: 1,
  peaks: new Uint8Array(1),
}

let library: Library
let node: FakeNode
let sending: Sending
let count = 0

beforeEach(async () => {
  library = new Library(new MemoDb(`sending-${count++}`))
  await library.db.add(memo, new Blob(['a']))
  await library.db.add({ ...memo, id: 'b' }, new Blob(['b']))
  await library.reload()
  start()
})

/** As after a reload. */
function start(): void {
  node = new FakeNode()
  const get = async () => node as unknown as Starling
  sending = new Sending(get, library, new Receiving(get, library))
}

const titleOf = (torrent: unknown) => (torrent as FakeTorrent).card?.title

describe('a shared memo', () => {
  it('has one link of each kind, whoever asks and how often', async () => {
    const [one, two] = await Promise.all([sending.share(memo, 'private'), sending.share(memo, 'private')])
    expect(two).toBe(one)
    expect((await sending.share(memo, 'public')).link).not.toBe(one.link)
    expect(node.seeds).toBe(2)
    expect(Object.keys(library.get('a')!.shares!)).toEqual(['private', 'public'])
  })

  it('has one link of each kind also where two tabs make it at once', async () => {
    const browser = new FakeBrowser()
    const made = [1, 2].map(() => {
      vi.stubGlobal('navigator', { locks: new FakeTab(browser).locks })
      const tab = new Library(library.db)
      const receiving = new Receiving(async () => node as unknown as Starling, tab)
      return new Sending(async () => node as unknown as Starling, tab, receiving).share(memo, 'private')
    })
    const [one, two] = await Promise.all(made)
    expect([two!.link, node.seeds]).toEqual([one!.link, 1])
    vi.unstubAllGlobals()
  })

  it('is not brought back where it was deleted while those before it were shared again', async () => {
    const infoHash = 'f'.repeat(40)
    const from = { infoHash, file: 0, link: `https://host/m#${infoHash}`, done: true }
    await library.add({ ...memo, created: 2 })
    await sending.share(memo, 'private')
    await library.add({ ...memo, id: 'c', created: 0, from })
    start()
    node.meanwhile = async () => {
      await library.remove(['c'])
      await library.purge(['c'])
    }
    await sending.resume()
    node.meanwhile = async () => {}
    await sending.share(memo, 'public')
    expect([...node.torrents.keys()]).not.toContain(from.link)
  })

  it('is for those who have its link alone, as are several, unless it is to be public', async () => {
    await sending.bundle(library.memos)
    await sending.share(memo, 'public')
    const open = node.asked.filter((asked) => asked.private !== true)
    expect([node.asked.length, open]).toMatchObject([4, [{ private: false, name: 'Before.ogg', card: { title: 'Before' } }]])
  })

  it('that was received goes on by the link that it came by, unless it is to be public', async () => {
    const link = `https://host/m#${'e'.repeat(40)}.${'k'.repeat(22)}`
    const received = { ...memo, id: 'r', from: { infoHash: 'e'.repeat(40), file: 0, link, done: true } }
    await library.db.add(received, new Blob(['r']))
    await sending.share(received, 'private')
    expect([[...node.torrents.keys()], node.seeds]).toEqual([[link], 0])
    await sending.share(received, 'public')
    expect(node.asked).toMatchObject([{ private: false }])
  })

  it('keeps its link over a reload and a new name', async () => {
    const { link } = await sending.share(memo, 'private')
    const renamed = (await library.update('a', { title: 'After' }))!
    await sending.rename(renamed)
    expect(titleOf([...node.torrents.values()][0])).toBe('After')
    start()
    await sending.resume()
    expect(node.torrents.size).toBe(1)
    const again = await sending.share(memo, 'private')
    expect([again.link, titleOf(again), node.seeds]).toEqual([link, 'After', 0])
  })

  it('carries what was written while it was being seeded', async () => {
    node.meanwhile = () => library.update('a', { title: 'Meanwhile' })
    expect(titleOf(await sending.share(memo, 'private'))).toBe('Meanwhile')
  })

  it('goes with others into one link, the same for the same memos', async () => {
    const bundle = await sending.bundle(library.memos)
    expect(node.seeds).toBe(3)
    expect((await library.db.bundles())[0]!.links.length).toBe(2)
    start()
    await sending.resume()
    expect(node.get(bundle.infoHash)?.card).toEqual({ kind: 'memos', title: '2 memos' })
    expect((await sending.bundle(library.memos)).link).toBe(bundle.link)
    expect(node.seeds).toBe(0)
  })

  it('leaves a link that it is in with others when the last of them is deleted for good', async () => {
    const { infoHash } = await sending.bundle(library.memos)
    const left = async () => [(await library.db.bundles()).length, node.get(infoHash) ? 1 : 0]
    const remove = async (id: string) => {
      const memo = library.get(id)!
      await library.remove([id])
      await sending.resume()
      expect(await left()).toEqual([1, 1])
      await library.purge([id])
      await sending.forget(memo)
    }
    await remove('a')
    expect(await left()).toEqual([1, 1])
    await remove('b')
    expect(await left()).toEqual([0, 0])
    expect(node.torrents.size).toBe(0)
  })

  it('had a link with others before these were all deleted: it is not shared any more', async () => {
    await library.db.addBundle({ infoHash: 'f'.repeat(40), links: [`${'e'.repeat(40)}.${'k'.repeat(22)}`] })
    await sending.resume()
    expect(await library.db.bundles()).toEqual([])
    expect(node.torrents.size).toBe(0)
  })

  it('that came by a public link goes on by it, and is sealed for a private one', async () => {
    const infoHash = 'f'.repeat(40)
    const from = { infoHash, file: 0, link: `https://host/m#${infoHash}`, done: true }
    const come = { ...memo, id: 'c', from }
    await library.db.add(come, new Blob(['c']))
    expect([(await sending.share(come, 'public')).infoHash, node.seeds]).toEqual([from.link, 0])
    await sending.bundle([come, memo])
    expect((await library.db.bundles())[0]!.links[0]).toContain(infoHash)
    await sending.share(come, 'private')
    expect((await library.db.memo('c'))!.shares!.private).toBe(node.seeds.toString(16).padStart(40, '0'))
  })

  it('says how far it is with many, and refuses more than a link can carry', async () => {
    const told: number[] = []
    await sending.bundle(library.memos, (ready) => told.push(ready))
    expect(told).toEqual([0, 1])
    const many = Array.from({ length: 1001 }, () => memo)
    await expect(sending.bundle(many)).rejects.toMatchObject({ code: 'too-large' })
  })

  it('in the making is given up when nobody waits for it any more', async () => {
    const given = new AbortController()
    node.meanwhile = async () => given.abort()
    await expect(sending.bundle(library.memos, undefined, given.signal)).rejects.toMatchObject({ name: 'AbortError' })
    expect(node.torrents.size).toBe(1)
    expect(await library.db.bundles()).toEqual([])
    node.meanwhile = async () => {}
    expect((await sending.bundle(library.memos)).link).toBeTruthy()
    expect(node.seeds).toBe(3)
  })

  it('whose sound the browser lost says which it is, alone and among others', async () => {
    const lost = { ...memo, id: 'lost', title: `Lost ${'and '.repeat(45)}lost` }
    await library.add(lost)
    const missing = { code: 'missing', message: expect.stringContaining(quoted(mentioned(lost.title))) as string }
    await expect(sending.share(lost, 'private')).rejects.toMatchObject(missing)
    await expect(sending.bundle(library.memos)).rejects.toMatchObject(missing)
    // Its row is there, and its bytes cannot be read.
    const unreadable = Object.assign(new Blob(['a']), { slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('', 'NotReadableError')) }) })
    library.db.audio = async () => unreadable as unknown as Blob
    await expect(sending.share(lost, 'public')).rejects.toMatchObject(missing)
  })

  it('that could not be shared at first can be when that is tried again', async () => {
    node.meanwhile = async () => Promise.reject(new Error('no room'))
    await expect(sending.share(memo, 'private')).rejects.toThrow('no room')
    node.meanwhile = async () => {}
    expect((await sending.share(memo, 'private')).link).toBeTruthy()
  })

  it('whose sound the browser lost does not keep the others from being shared again', async () => {
    const { infoHash } = await sending.share(library.get('b')!, 'private')
    await library.add({ ...memo, id: 'lost', created: 2, shares: { private: 'e'.repeat(40) } })
    start()
    await expect(sending.resume()).rejects.toMatchObject({ errors: [{ code: 'missing' }] })
    expect([...node.torrents.keys()]).toEqual([infoHash])
  })

  it('that is gone cannot be shared', async () => {
    await library.db.delete('a')
    await expect(sending.share(memo, 'private')).rejects.toThrow('deleted')
  })
})
