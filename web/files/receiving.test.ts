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
