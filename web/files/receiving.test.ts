import 'fake-indexeddb/auto'
import { expect, it, vi } from 'vitest'
import type { Starling } from 'starling'
import { Deferred } from '../engine/deferred.ts'
import { Emitter } from '../engine/emitter.ts'
import { FakeBrowser, FakeTab } from '../engine/tabs/fakes.ts'
import { infoHashOf } from '../ui/fetching.ts'
import { Receiving } from './receiving.ts'
import { FilesDb } from './db.ts'
import { Parcels } from './parcels.ts'

/** Never done, and how it was added. */
const torrentOf = (link: string, length: number, added: object[]) =>
  Object.assign(new Emitter(), {
    infoHash: infoHashOf(link), link, length, added, name: 'Memo', private: true, downloaded: 0,
    files: [{ path: 'memo.ogg', type: 'audio/ogg' }], card: { kind: 'memo' }, state: { ready: true, done: false },
    ready: Promise.resolve(), done: new Promise(() => {}),
  })

it.each([[100, true], [2e9, false]])('a memo of %d bytes is for the section Memos: %s', async (length, memo) => {
  const link = `https://host/f#${'a'.repeat(40)}.${'k'.repeat(22)}`
  vi.stubGlobal('navigator', {})
  const added: object[] = []
  const torrent = torrentOf(link, length, added)
  const node = Object.assign(new Emitter(), { add: async (_: string, options = {}) => (added.push(options), torrent) })
  const parcels = new Parcels(new FilesDb(`receiving ${length}`))
  const arrival = new Receiving(async () => node as unknown as Starling, parcels).open(link)
  await vi.waitUntil(() => arrival.memo || arrival.asking)
  expect(arrival.memo).toBe(memo)
  expect(added).toEqual([{ onDemand: true }]) // nothing comes unasked
  await parcels.db.close()
})

it('what two tabs open at once has one row', async () => {
  const link = `https://host/f#${'b'.repeat(40)}.${'k'.repeat(22)}`
  const browser = new FakeBrowser()
  const torrent = Object.assign(torrentOf(link, 100, []), { card: undefined })
  const node = Object.assign(new Emitter(), { add: async () => torrent })
  const db = new FilesDb('receiving twice')
  const arrivals = [1, 2].map(() => {
    vi.stubGlobal('navigator', { locks: new FakeTab(browser).locks })
    return new Receiving(async () => node as unknown as Starling, new Parcels(db)).open(link)
  })
  await vi.waitUntil(() => arrivals.every(({ parcel }) => parcel))
  expect((await db.parcels()).map(({ id }) => id)).toEqual([arrivals[0]!.parcel])
  expect(arrivals[1]!.parcel).toBe(arrivals[0]!.parcel)
  await db.close()
})

it('what is deleted before it could be looked through stays so, until its link is opened again', async () => {
  vi.stubGlobal('navigator', {})
  let clock = Date.now()
  const now = vi.spyOn(Date, 'now').mockImplementation(() => ++clock)
  const link = `https://host/f#${'c'.repeat(40)}.${'k'.repeat(22)}`
  const torrent = Object.assign(torrentOf(link, 100, []), { card: undefined })
  const started = new Deferred()
  const node = Object.assign(new Emitter(), { add: async () => (await started.promise, torrent) })
  const parcels = new Parcels(new FilesDb('receiving deleted'))
  const from = { infoHash: infoHashOf(link)!, link, whole: true, done: true }
  await parcels.add({ id: 'a', name: 'a', size: 1, count: 1, added: 1, from })
  const receiving = new Receiving(async () => node as unknown as Starling, parcels)
  // As the list does, for all that is here.
  const arrival = receiving.follow(link)
  await parcels.remove('a')
  started.resolve()
  await vi.waitUntil(() => arrival.parcel)
  expect(parcels.all).toEqual([])
  // Nor does who begins to look a moment after it was deleted, and does not know yet, bring it back.
  const late = new Receiving(async () => node as unknown as Starling, parcels)
  const look = late.follow(link)
  await vi.waitUntil(() => look.parcel)
  expect(parcels.all).toEqual([])
  receiving.open(link)
  await vi.waitUntil(() => parcels.all.length)
  now.mockRestore()
  await parcels.db.close()
})

const ours = { files: [{ path: 'plan.txt', type: 'text/plain' }], card: undefined as object | undefined }

/** What is opened, of that many bytes, and what was asked of the engine. before: it was here already. */
async function open(letter: string, length: number, { estimate, before }: { estimate?: object; before?: boolean } = {}) {
  vi.stubGlobal('reportError', () => {})
  vi.stubGlobal('navigator', { storage: { estimate: async () => estimate } })
  const link = `https://host/f#${letter.repeat(40)}.${'k'.repeat(22)}`
  const [added, done] = [[] as object[], new Deferred()]
  const torrent = Object.assign(torrentOf(link, length, added), ours, { done: done.promise, state: { ready: true, done: false } })
  const remove = vi.fn(async () => {})
  Object.assign(torrent, { remove })
  const node = Object.assign(new Emitter(), { get: () => torrent, add: async (_: string, options = {}) => (added.push(options), torrent) })
  const parcels = new Parcels(new FilesDb(`receiving ${letter}`))
  const from = { infoHash: letter.repeat(40), link, whole: true, done: false }
  if (before) await parcels.add({ id: 'before', name: 'Memo', size: length, count: 1, added: 1, from })
  const receiving = new Receiving(async () => node as unknown as Starling, parcels)
  const finish = () => {
    torrent.state.done = true
    done.resolve()
  }
  return { link, torrent, added, finish, remove, parcels, receiving, arrival: receiving.open(link) }
}

it('what is small comes unasked, and is noted down: what it is, that all is wanted, and that all is here', async () => {
  const { link, added, finish, parcels, arrival } = await open('d', 100)
  await vi.waitUntil(() => added.length === 2)
  expect([added[1], arrival.asking, arrival.fresh]).toEqual([{}, false, true])
  const row = { id: arrival.parcel, name: 'Memo', size: 100, count: 1, from: { infoHash: 'd'.repeat(40), link, whole: true, done: false } }
  expect(parcels.all).toMatchObject([row])
  finish()
  await vi.waitUntil(() => parcels.all[0]!.from!.done)
  expect(parcels.all).toMatchObject([{ ...row, from: { ...row.from, done: true } }])
  await parcels.db.close()
})

it('what is large is asked about, with the room that there is, and fetched by the user’s word', async () => {
  const { added, parcels, receiving, arrival } = await open('e', 2e9, { estimate: { quota: 3e9, usage: 2e9 } })
  await vi.waitUntil(() => arrival.asking)
  expect([arrival.room, parcels.all[0]!.from!.whole, added.length]).toEqual([1e9, false, 1])
  await receiving.fetch(arrival)
  expect([arrival.asking, parcels.all[0]!.from!.whole, added.length]).toEqual([false, true, 2])
  // There was no room: from then on only what is looked at.
  receiving.retry(arrival, true)
  await vi.waitUntil(() => arrival.asking)
  expect(added[2]).toEqual({ onDemand: true })
  await parcels.db.close()
})

it('on a dear connection less comes unasked', async () => {
  const { added, parcels, arrival, receiving } = await open('f', 100e6)
  await vi.waitUntil(() => added.length === 2)
  expect(arrival.asking).toBe(false)
  vi.stubGlobal('navigator', { connection: { saveData: true } })
  await parcels.update(arrival.parcel!, ({ from }) => ({ from: { ...from!, whole: false } }))
  receiving.retry(arrival)
  await vi.waitUntil(() => arrival.asking)
  await parcels.db.close()
})

it.each([['that this visit made is gone', '1', false], ['that was there before stays', '2', true]])(
  'what turns out to be a memo by its card is for that section; a row %s', async (_, letter, before) => {
    const { torrent, added, parcels, arrival } = await open(letter, 100, { before })
    await vi.waitUntil(() => added.length === 2)
    Object.assign(torrent, { card: { kind: 'memo' }, files: [{ path: 'memo.ogg', type: 'audio/ogg' }] })
    const discarded = vi.spyOn(parcels, 'discard')
    ;(torrent as Emitter<{ card: void }>).emit('card', undefined)
    await Promise.all(discarded.mock.results.map(({ value }) => value as Promise<void>))
    expect([arrival.memo, await parcels.list()]).toMatchObject([true, before ? [{ id: 'before' }] : []])
    await parcels.db.close()
  },
)

it('what is deleted for good goes from the engine, and comes anew when it is opened again', async () => {
  const { link, added, remove, parcels, receiving, arrival } = await open('3', 100)
  await vi.waitUntil(() => added.length === 2)
  const [parcel] = parcels.all
  await receiving.forget(parcel!)
  expect(remove).not.toHaveBeenCalled()
  await parcels.discard(parcel!.id)
  await receiving.forget(parcel!)
  expect(remove.mock.calls).toEqual([[{ destroyStore: true }]])
  expect(receiving.open(link)).not.toBe(arrival)
  await vi.waitUntil(() => parcels.all.length)
  await parcels.db.close()
})
