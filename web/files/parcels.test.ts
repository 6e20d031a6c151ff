import 'fake-indexeddb/auto'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { FilesDb } from './db.ts'
import type { Parcel } from './parcel.ts'
import { undoTime } from '../ui/undo.ts'
import { Parcels } from './parcels.ts'

let name = 0
let parcels: Parcels
const purged: string[] = []

const parcel = (id: string, more: Partial<Parcel> = {}): Parcel => ({ id, name: id, size: 1, count: 1, added: 1, ...more })
const sent = { private: { infoHash: 'a'.repeat(40), link: '' }, kept: false }
const from = { infoHash: 'b'.repeat(40), link: '', whole: true, done: false }

beforeEach(() => {
  parcels = new Parcels(new FilesDb(`files ${name++}`))
  purged.length = 0
  parcels.on('purged', ({ id }) => purged.push(id))
})
afterEach(() => parcels.db.close())

it('lists the newest first, and finds one by what it is known under', async () => {
  await parcels.add(parcel('old', { sent }))
  await parcels.add(parcel('new', { added: 2, from }))
  expect(parcels.all.map(({ id }) => id)).toEqual(['new', 'old'])
  await parcels.remove('new')
  const found = async (letter: string) => (await parcels.of(letter.repeat(40))).map(({ id }) => id)
  expect([await found('a'), await found('b'), await found('c')]).toEqual([['old'], ['new'], []])
})

it('keeps a copy and says so, both or neither', async () => {
  await parcels.add(parcel('a', { sent }))
  await parcels.db.keep('a', [new File([], 'empty'), new File(['hello'], 'folder/a.txt', { type: 'text/plain' })])
  await parcels.reload()
  expect(parcels.get('a')!.sent!.kept).toBe(true)
  const [empty, file, ...more] = (await parcels.db.copy('a'))!
  expect([empty!.size, file!.name, file!.type, await file!.text(), more]).toEqual([0, 'folder/a.txt', 'text/plain', 'hello', []])
  await parcels.db.keep('gone', [new File([''], 'a')])
  expect(await parcels.db.copy('gone')).toBe(undefined)
})

it('what is deleted can be brought back, and goes for good with its copy when nobody offers that any more', async () => {
  await parcels.add(parcel('a', { sent }))
  await parcels.db.keep('a', [new File(['hello'], 'a')])
  await parcels.remove('a')
  expect(parcels.all).toEqual([])
  await parcels.purge(undefined, Date.now() + undoTime)
  const restored: Parcel[] = []
  parcels.on('restored', (parcel) => restored.push(parcel))
  await parcels.restore(['a'])
  expect(restored).toEqual([parcels.get('a')])
  await parcels.remove('a')
  await parcels.purge(undefined, Date.now() + 7 * undoTime)
  expect([purged, await parcels.db.copy('a')]).toEqual([['a'], undefined])
})

it('of several that are deleted only the one that is meant goes for good', async () => {
  for (const id of ['a', 'b', 'c']) await parcels.add(parcel(id))
  for (const id of ['a', 'b']) await parcels.remove(id)
  for (const id of ['a', 'c']) await parcels.purge(id)
  await parcels.restore(['b'])
  expect([purged, parcels.all.map(({ id }) => id)]).toEqual([['a'], ['b', 'c']])
})

it('changes one thing, and leaves the rest of it', async () => {
  await parcels.add(parcel('a', { sent }))
  const changed = await parcels.update('a', () => ({ name: 'new' }))
  expect([changed, parcels.get('a')]).toEqual(Array(2).fill(parcel('a', { sent, name: 'new' })))
  expect(await parcels.update('nobody', () => ({ name: 'new' }))).toBe(undefined)
  expect(parcels.all).toHaveLength(1)
})

it('shows in one tab what another changed', async () => {
  vi.stubGlobal('reportError', () => {})
  const [here, there] = [1, 2].map(() => new Parcels(parcels.db, new BroadcastChannel('parcels')))
  const shown = (...ids: string[]) => vi.waitFor(() => expect(there!.all.map(({ id }) => id)).toEqual(ids))
  await here!.add(parcel('a'))
  await shown('a')
  // Deleted where that could not be noted down: the other tab learns of it when it is for good.
  vi.spyOn(parcels.db, 'update').mockRejectedValue(new DOMException('', 'QuotaExceededError'))
  await here!.remove('a')
  await here!.purge('a')
  await shown()
  for (const one of [here, there]) one!.close()
})

it('what is deleted where the device is too full to note it down is gone as well', async () => {
  for (const id of ['a', 'b']) await parcels.add(parcel(id, { sent }))
  vi.spyOn(parcels.db, 'update').mockRejectedValue(new DOMException('', 'QuotaExceededError'))
  for (const id of ['a', 'b']) await parcels.remove(id)
  expect(parcels.all).toEqual([])
  await parcels.restore(['b'])
  for (const id of ['a', 'b']) await parcels.purge(id)
  expect([purged, parcels.all.map(({ id }) => id)]).toEqual([['a'], ['b']])
})
