import 'fake-indexeddb/auto'
import { beforeEach, expect, it, vi } from 'vitest'
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { StarlingError } from '../engine/errors.ts'
import type { SeedOptions, TorrentEvents } from '../engine/types.ts'
import { FilesDb } from './db.ts'
import { Parcels } from './parcels.ts'
import { Sending } from './sending.ts'

class FakeTorrent extends Emitter<TorrentEvents> {
  readonly infoHash: string
  readonly link: string
  readonly status = 'seeding'
  state: { done: boolean; peers: []; trackers: []; error?: StarlingError } = { done: true, peers: [], trackers: [] }
  readonly #node: FakeNode

  constructor(node: FakeNode, infoHash: string) {
    super()
    this.#node = node
    this.infoHash = infoHash
    this.link = `https://host/m#${infoHash}`
  }
  async remove(): Promise<void> {
    this.#node.torrents.delete(this.infoHash)
  }
}

class FakeNode extends Emitter<{ remove: Torrent; takeover: void }> {
  readonly torrents = new Map<string, FakeTorrent>()
  seeds = 0
  /** How often files were given. */
  given = 0
  /** Of each seed: whether it is private. */
  readonly sealed: unknown[] = []
  /** Files are read as long as this is pending. */
  reading = Promise.resolve()
  get = (infoHash: string): FakeTorrent | undefined => this.torrents.get(infoHash)
  states = async () => [...this.torrents.values()].map(({ infoHash, state }) => ({ ...state, infoHash }))
  async seed(_files: readonly File[], { known, signal, private: sealed }: SeedOptions): Promise<FakeTorrent> {
    this.given++
    this.sealed.push(sealed)
    const infoHash = known ?? (++this.seeds).toString(16).padStart(40, '0')
    const aborted = new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    await Promise.race([this.reading, aborted])
    const torrent = new FakeTorrent(this, infoHash)
    this.torrents.set(infoHash, torrent)
    return torrent
  }
}

let node: FakeNode
let parcels: Parcels
let sending: Sending
let count = 0

beforeEach(() => {
  vi.stubGlobal('location', { origin: 'https://host' })
  vi.stubGlobal('navigator', { onLine: true })
  node = new FakeNode()
  parcels = new Parcels(new FilesDb(`sending-${count++}`))
  sending = new Sending(async () => node as unknown as Starling, parcels)
  parcels.on('purged', (parcel) => void sending.forget(parcel))
})

const file = (name: string): File => new File([name], name)

/** Files take until the returned function is called. */
function slowly(): () => void {
  let go!: () => void
  node.reading = new Promise((resolve) => (go = resolve))
  return go
}

it('files are for those who have their link alone, unless they are to be public', async () => {
  const parcel = await sending.send([file('one')])
  await sending.share(parcel, 'private')
  expect(node.sealed).toEqual([true])
  const share = await sending.share(parcel, 'public')
  expect(node.sealed).toEqual([true, false])
  // Both are noted down, and there is one of each.
  expect(parcels.get(parcel.id)!.sent).toMatchObject({ private: parcel.sent!.private, public: share })
  expect([await sending.share(parcels.get(parcel.id)!, 'public'), node.given]).toEqual([share, 2])
})

it('says that the files are not at hand where another kind of link is to be made of them after a reload', async () => {
  const parcel = await sending.send([file('one')])
  const after = new Sending(async () => node as unknown as Starling, new Parcels(new FilesDb(`none-${count}`)))
  await expect(after.share(parcel, 'public')).rejects.toMatchObject({ code: 'missing' })
})

it('what is deleted for good while it is opened again is not there in the end', async () => {
  const parcel = await sending.send([file('one')])
  await parcels.db.keep(parcel.id, [file('one')])
  node.torrents.clear()
  const after = new Sending(async () => node as unknown as Starling, parcels)
  const go = slowly()
  const opened = after.torrent(parcel, 'private')
  await vi.waitUntil(() => node.given === 2)
  await parcels.db.delete(parcel.id)
  const forgotten = after.forget(parcel)
  // It looks there, too, and would be done before the files are read.
  for (let looks = 0; looks < 3; looks++) await parcels.list()
  go()
  await Promise.all([opened, forgotten])
  expect(node.torrents.size).toBe(0)
})

it('a link in the making is that of one parcel, and is made once', async () => {
  const [one, two] = [await sending.send([file('one')]), await sending.send([file('two')])]
  const go = slowly()
  const links = [sending.share(one, 'public'), sending.share(one, 'public')]
  await vi.waitUntil(() => sending.makingOf(one.id, 'public'))
  expect([sending.makingOf(one.id, 'private'), sending.makingOf(two.id, 'private')]).toEqual([undefined, undefined])
  go()
  const [link, again] = await Promise.all(links)
  expect([again, node.seeds, sending.busy]).toEqual([link, 3, false])
})

it('is busy until the last of several is read', async () => {
  const first = slowly()
  const one = sending.send([file('one')])
  await vi.waitUntil(() => node.seeds === 1)
  const second = slowly()
  const two = sending.send([file('two')])
  await vi.waitUntil(() => node.seeds === 2)
  expect(sending.making?.name).toBe('two')
  second()
  await two
  expect([sending.busy, sending.making?.name]).toEqual([true, 'one'])
  first()
  await one
  expect(sending.busy).toBe(false)
})

it('a link in the making can be cancelled, and then nothing is kept of it', async () => {
  slowly()
  const sent = sending.send([file('one')])
  await vi.waitUntil(() => node.seeds === 1)
  sending.making!.cancel()
  await expect(sent).rejects.toMatchObject({ name: 'AbortError' })
  expect([sending.busy, sending.making, parcels.all, node.torrents.size]).toEqual([false, undefined, [], 0])
})

it('others that are chosen in place of what was sent are not even read', async () => {
  const parcel = await sending.send([file('one')])
  for (const others of [[file('longer')], [file('o'), file('ne')]]) expect(await sending.again(parcel, others)).toBe(false)
  expect(node.given).toBe(1)
})

it('what is read again can be let be', async () => {
  const parcel = await sending.send([file('one')])
  slowly()
  const again = sending.again(parcel, [file('one')])
  await vi.waitUntil(() => node.given === 2)
  sending.makingOf(parcel.id, 'private')!.cancel()
  await expect(again).rejects.toMatchObject({ name: 'AbortError' })
  expect([sending.busy, await sending.share(parcel, 'private')]).toEqual([false, parcel.sent!.private])
})

it('is at hand as long as some tab’s engine has it, or there is a copy', async () => {
  vi.stubGlobal('navigator', { onLine: true, storage: { estimate: async () => ({ quota: 1, usage: 1 }) } })
  const parcel = await sending.send([file('one')])
  const elsewhere = { get: () => undefined, on: () => undefined, states: node.states }
  const other = new Sending(async () => elsewhere as unknown as Starling, parcels)
  expect([sending.atHand(parcel), other.atHand(parcel)]).toEqual([true, undefined])
  await other.look()
  expect(other.atHand(parcel)).toBe(true)
  node.torrents.clear()
  await other.look()
  expect(other.atHand(parcel)).toBe(false)
  expect(other.atHand({ ...parcel, sent: { ...parcel.sent!, kept: true } })).toBe(true)
})

it('a copy that turns out to be unreadable is at hand in no tab’s list', async () => {
  const tell = vi.fn()
  parcels = new Parcels(parcels.db, { postMessage: tell } as unknown as BroadcastChannel)
  const row = await sending.send([file('one')])
  await parcels.db.keep(row.id, [file('one')])
  await parcels.reload()
  const [parcel] = parcels.all
  const elsewhere = { get: () => undefined, on: () => undefined, states: node.states }
  const other = new Sending(async () => elsewhere as unknown as Starling, parcels)
  // After a reload the copy is all there is.
  node.torrents.clear()
  const torrent = await new Sending(async () => node as unknown as Starling, parcels).torrent(parcel!, 'private')
  await other.look()
  expect(other.atHand(parcel!)).toBe(true)
  const error = new StarlingError('storage', 'It cannot be read.')
  node.get(torrent.infoHash)!.state = { ...node.get(torrent.infoHash)!.state, error }
  torrent.emit('error', error)
  expect(tell).toHaveBeenCalledWith('changed')
  await other.look()
  expect(other.atHand(parcel!)).toBe(false)
})

it('a copy that cannot be read as the page begins is not at hand, until it can', async () => {
  vi.stubGlobal('reportError', () => {})
  const row = await sending.send([file('one')])
  await parcels.db.keep(row.id, [file('one')])
  parcels = new Parcels(parcels.db)
  await parcels.reload()
  const [parcel] = parcels.all
  node.torrents.clear()
  const later = new Sending(async () => node as unknown as Starling, parcels)
  // As Chromium has it where the file with its bytes is gone.
  const copy = vi.spyOn(parcels.db, 'copy').mockRejectedValue(new DOMException('', 'DataError'))
  await later.resume()
  expect(later.atHand(parcel!)).toBe(false)
  copy.mockRestore()
  await later.resume()
  expect(later.atHand(parcel!)).toBe(true)
})

it('files that are chosen again are read for all to see', async () => {
  const parcel = await sending.send([file('one')])
  const go = slowly()
  const again = sending.again(parcel, [file('one')])
  await vi.waitUntil(() => sending.makingOf(parcel.id, 'private'))
  expect(sending.busy).toBe(true)
  go()
  expect([await again, sending.busy]).toEqual([true, false])
})

it('what was fetched from others stays when the row of what was sent is deleted', async () => {
  const parcel = await sending.send([file('one')])
  const { infoHash, link } = parcel.sent!.private!
  await parcels.add({ ...parcel, id: 'from', sent: undefined, from: { infoHash, link, whole: true, done: true } })
  for (const id of [parcel.id, 'from']) {
    await parcels.remove(id)
    await parcels.purge(id)
    await sending.forget(parcel)
    expect(node.torrents.size).toBe(id === 'from' ? 0 : 1)
  }
})

it('what was deleted for good while a link to it was made is not sent', async () => {
  const parcel = await sending.send([file('one')])
  const go = slowly()
  const share = sending.share(parcel, 'public')
  await vi.waitUntil(() => node.seeds === 2)
  await parcels.remove(parcel.id)
  await parcels.purge(parcel.id)
  await vi.waitUntil(() => !node.torrents.size)
  go()
  await share
  expect(node.torrents.size).toBe(0)
})
