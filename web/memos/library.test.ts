import 'fake-indexeddb/auto'
import { afterEach, expect, it, vi } from 'vitest'
import { FakeBrowser, FakeTab } from '../engine/tabs/fakes.ts'
import { isFull } from '../ui/full.ts'
import { others } from '../ui/others.ts'
import type { Toast } from '../ui/toasts.ts'
import { offerUndo, undoTime } from '../ui/undo.ts'
import { MemoDb } from './db.ts'
import { Library } from './library.ts'
import { badge, newId, type Memo } from './memo.ts'

const make = (id: string, created: number, more: Partial<Memo> = {}): Memo => ({
  id,
  title: id,
  description: '',
  created,
  duration: 1,
  type: 'audio/webm',
  size: 1,
  peaks: new Uint8Array(0),
  ...more,
})

afterEach(() => vi.unstubAllGlobals())

async function open(name: string): Promise<Library> {
  return new Library(new MemoDb(name))
}

it('lists memos newest first, two of the same moment included', async () => {
  const library = await open('order')
  for (const memo of [make('a', 1), make('b', 3), make('c', 1), make('d', 2)]) await library.add(memo)
  expect(library.memos.map((memo) => memo.id)).toEqual(['b', 'd', 'a', 'c'])
  const again = new Library(library.db)
  await again.add(make('e', 1))
  expect(again.memos.map((memo) => memo.id)).toEqual(['b', 'd', 'a', 'c', 'e'])
})

it('does not show what could not be written', async () => {
  const library = await open('unwritten')
  vi.spyOn(library.db, 'add').mockRejectedValue(new DOMException('', 'QuotaExceededError'))
  await expect(library.add(make('a', 1))).rejects.toThrow(DOMException)
  expect(library.memos).toEqual([])
})

/** The next read of all memos has its answer at once, and gives it when it is let. */
function holdRead({ db }: Library): { read: Promise<unknown>; let: () => void } {
  const memos = db.memos.bind(db)
  let go!: () => void
  let done!: () => void
  const gate = new Promise<void>((resolve) => (go = resolve))
  const read = new Promise<void>((resolve) => (done = resolve))
  vi.spyOn(db, 'memos').mockImplementationOnce(async () => {
    const all = await memos()
    done()
    await gate
    return all
  })
  return { read, let: go }
}

it('shows what was read last, whichever answer comes first', async () => {
  const library = await open('reads')
  await library.add(make('a', 1))
  const held = holdRead(library)
  const first = library.reload()
  await held.read
  await library.db.add(make('b', 2))
  await library.reload()
  held.let()
  await first
  expect(library.memos.map(({ id }) => id)).toEqual(['b', 'a'])
})

it('leaves the others as they are when one changes, and misses nothing written while it reads', async () => {
  const library = await open('one')
  for (const id of ['a', 'b']) await library.add(make(id, 1))
  const before = library.get('a')
  const held = holdRead(library)
  const reading = library.reload()
  await held.read
  await library.update('b', { title: 'New' })
  held.let()
  await reading
  expect(library.memos.map(({ title }) => title)).toEqual(['a', 'New'])
  const kept = library.get('a')
  await library.update('b', { title: 'Newer', created: 2 })
  expect(library.memos.map(({ title }) => title)).toEqual(['Newer', 'a'])
  expect(library.get('a')).toBe(kept)
  expect(kept).toEqual(before)
  await library.remove(['b'])
  await library.update('b', { title: 'Newest' })
  expect([library.get('b'), library.memos.length]).toEqual([undefined, 1])
  await library.db.delete('a')
  expect(await library.update('a', { title: 'x' })).toBeUndefined()
  expect(library.memos).toEqual([])
})

it('deletes, restores, and purges only what nobody can undo any more', async () => {
  const library = await open('purge')
  const [purging, purged]: [Promise<Memo | undefined>[], string[]] = [[], []]
  library.on('purging', (memo) => purging.push(library.db.memo(memo.id)))
  library.on('purged', (memo) => purged.push(memo.id))
  for (const [i, id] of ['a', 'b', 'c'].entries()) await library.db.add(make(id, i), new Blob([id]))
  await library.reload()
  await library.remove(['a', 'b', 'c'])
  expect(library.memos).toEqual([])
  await library.purge()
  expect([purging, purged]).toEqual([[], []])
  await library.restore(['b'])
  expect(library.memos.map(({ id }) => id)).toEqual(['b'])
  await library.purge(['a', 'b'])
  // Of what is about to go the row is still there.
  expect([(await Promise.all(purging)).map((memo) => memo?.id), purged]).toEqual([['a'], ['a']])
  await library.restore(['c'])
  expect(library.memos.map(({ id }) => id)).toEqual(['c', 'b'])
  await library.remove(['c'])
  expect([await library.db.audio('a'), await (await library.db.audio('b'))?.text()]).toEqual([undefined, 'b'])
  await library.remove(['b'])
  await library.purge(undefined, Date.now() + 6 * undoTime + 1)
  expect(await library.db.memos()).toEqual([])
})

it('leaves what another tab offers to bring back, however long it does, and not what one offered that is gone', async () => {
  const tab = new FakeTab(new FakeBrowser())
  vi.stubGlobal('navigator', { locks: tab.locks })
  const library = await open('offered')
  const other = new Library(library.db)
  const shown: Toast[] = []
  const offer = async (...ids: string[]) => {
    await library.remove(ids)
    const deleted = { ids, restore: () => library.restore(ids), purge: () => library.purge(ids) }
    offerUndo((toast) => shown.push(toast), deleted, 'Deleted')
  }
  const later = () => other.purge(undefined, Date.now() + 7 * undoTime)
  for (const [i, id] of ['a', 'b', 'c'].entries()) await library.add(make(id, i))

  await offer('a', 'b')
  await later()
  shown[0]!.action!.run()
  await vi.waitFor(() => expect(library.memos.map(({ id }) => id)).toEqual(['c', 'b', 'a']))

  await offer('a')
  shown[1]!.closed!()
  await vi.waitFor(async () => expect((await other.list()).map(({ id }) => id)).toEqual(['b', 'c']))

  await offer('b')
  tab.crash()
  await later()
  expect((await other.list()).map(({ id }) => id)).toEqual(['c'])
})

it('purges what was deleted while the clock was ahead', async () => {
  const library = await open('ahead')
  await library.add(make('a', 1))
  await library.remove(['a'])
  await library.purge(undefined, Date.now() - 7 * undoTime)
  expect(await library.db.memos()).toEqual([])
})

it('deletes where the device is too full to note it down, and purges what it deleted so', async () => {
  const library = await open('full')
  await library.db.add(make('a', 1), new Blob(['a']))
  await library.db.add(make('b', 2), new Blob(['b']))
  vi.spyOn(library.db, 'update').mockRejectedValue(new DOMException('', 'QuotaExceededError'))
  await library.remove(['a', 'b'])
  expect(library.memos).toEqual([])
  await library.purge(undefined, Date.now() + 7 * undoTime)
  await library.restore(['b'])
  await library.purge(['a', 'b'])
  expect((await library.db.memos()).map(({ id }) => id)).toEqual(['b'])
  await library.reload()
  expect(library.memos.map(({ id }) => id)).toEqual(['b'])
  vi.spyOn(library.db, 'update').mockRejectedValue(new Error('another reason'))
  await expect(library.remove(['b'])).rejects.toThrow('another reason')
})

it('changes one thing without undoing what changed meanwhile', async () => {
  const library = await open('update')
  await library.add(make('a', 1))
  await Promise.all([library.update('a', { title: 'new' }), library.update('a', { description: 'words' })])
  expect(library.get('a')).toMatchObject({ title: 'new', description: 'words' })
  expect(await library.update('nobody', { title: 'x' })).toBeUndefined()
})

it('writes all that was written meanwhile in one go, however slow the disk', async () => {
  const library = await open('rewrite')
  await library.add(make('a', 1))
  await library.add(make('b', 2, { from: { infoHash: 'f'.repeat(40), file: 0, link: '', done: true } }))
  const update = library.db.update.bind(library.db)
  let go!: () => void
  const slow = new Promise<void>((resolve) => (go = resolve))
  const writes = vi.spyOn(library.db, 'update').mockImplementation((...args) => slow.then(() => update(...args)))
  const letters = ['W', 'Wo', 'Wor', 'Word', 'Words'].map((title) => library.rewrite('a', { title }))
  const said = library.rewrite('a', { description: 'said' })
  expect([library.unwritten('a'), library.get('a')!.title, library.rewriting]).toEqual([{ title: 'Words', description: 'said' }, 'a', true])
  go()
  for (const memo of await Promise.all([...letters, said])) expect(memo).toMatchObject({ title: 'Words', description: 'said' })
  expect([writes.mock.calls.length, library.unwritten('a'), library.rewriting]).toEqual([2, undefined, false])
  expect(library.get('a')).toMatchObject({ title: 'Words', description: 'said' })
  expect((await library.rewrite('b', { title: 'Mine' }))?.edited).toBe(true)
  expect(await library.rewrite('nobody', { title: 'x' })).toBeUndefined()

  writes.mockRejectedValueOnce(new DOMException('', 'QuotaExceededError'))
  await expect(library.rewrite('a', { title: 'Lost' })).rejects.toThrow(DOMException)
  expect([library.get('a')!.title, library.unwritten('a')]).toEqual(['Words', undefined])
  await library.rewrite('a', { title: 'Kept' })
  expect(library.get('a')!.title).toBe('Kept')
})

it('shows what other tabs changed while its page lay in the back/forward cache, where nobody tells it', async () => {
  const page = new EventTarget()
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  const library = new Library(new MemoDb('away'), others('away'))
  await library.add(make('a', 1))
  await library.db.add(make('b', 2))
  page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: false }))
  page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
  await vi.waitFor(() => expect(library.memos.map(({ id }) => id)).toEqual(['b', 'a']))
  library.close()
})

it('shows what another tab was writing as it was left', async () => {
  const page = new EventTarget()
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  const db = new MemoDb('left')
  const here = new Library(db, others('left'))
  vi.stubGlobal('addEventListener', () => {})
  const there = new Library(db, others('left'))
  await here.add(make('a', 1))
  await vi.waitFor(() => expect(there.get('a')).toBeDefined())
  // It is on disk, and the page went before it could say so.
  await db.update('a', () => ({ title: 'Last' }))
  page.dispatchEvent(new Event('pagehide'))
  await vi.waitFor(() => expect(there.get('a')?.title).toBe('Last'))
  for (const library of [here, there]) library.close()
})

it('shows in one tab what another changed, until that one is closed', async () => {
  const db = new MemoDb('tabs')
  const [here, there] = [new Library(db, new BroadcastChannel('memos')), new Library(db, new BroadcastChannel('memos'))]
  const next = (): Promise<void> =>
    new Promise((resolve) => {
      const off = there.on('change', () => resolve(off()))
    })
  await there.reload()
  for (const id of ['a', 'b']) { // before its own list is there, and after
    const seen = next()
    await here.add(make(id, 1))
    await seen
    expect(there.get(id)?.id).toBe(id)
  }
  // Deleted where that could not be noted down, so that the other tab learns of it when it is for good.
  vi.spyOn(db, 'update').mockRejectedValue(new DOMException('', 'QuotaExceededError'))
  let seen = next()
  await here.remove(['a'])
  await seen
  expect(there.get('a')).toBeDefined()
  seen = next()
  await here.purge(['a'])
  await seen
  expect(there.get('a')).toBeUndefined()

  const reads = vi.spyOn(here.db, 'memos')
  here.close()
  seen = next()
  const third = new Library(db, new BroadcastChannel('memos'))
  await third.changed()
  await seen
  expect(reads).toHaveBeenCalledTimes(2)
  there.close()
  third.close()
})

it('has all of an interrupted recording that is kept twice, and once', async () => {
  const library = await open('twice')
  const take = { id: 'cut', started: 1, type: 'audio/ogg' }
  await library.db.beginTake(take)
  for (let i = 0; i < 130; i++) {
    await library.db.addChunk('cut', i, { bytes: new ArrayBuffer(1), end: (i + 1) / 2, peaks: new Uint8Array(1) })
  }
  // The slow one has read a part when the other ends the take.
  const chunks = library.db.chunks.bind(library.db)
  let [reached, go] = [() => {}, () => {}]
  const halfway = new Promise<void>((resolve) => (reached = resolve))
  const gate = new Promise<void>((resolve) => (go = resolve))
  vi.spyOn(library.db, 'chunks')
    .mockImplementationOnce(chunks)
    .mockImplementationOnce(async (...args) => {
      reached()
      await gate
      return chunks(...args)
    })
  const slow = library.recover(take, true)
  await halfway
  const memo = await library.recover(take)
  go()
  expect([memo?.duration, await slow]).toEqual([65, undefined])
  expect(library.memos).toEqual([memo])
  expect((await library.db.audio('cut'))?.size).toBe(130)
})

it('finds what came from a torrent, deleted or not', async () => {
  const library = await open('from')
  const from = { infoHash: 'f'.repeat(40), file: 0, link: '', done: true }
  await library.add(make('a', 1, { from }))
  await library.remove(['a'])
  expect((await library.from(from.infoHash)).map((memo) => memo.id)).toEqual(['a'])
})

it('names things', () => {
  const from = { infoHash: '', file: 0, link: '', done: false }
  const badges = [
    {},
    { shares: { private: 'x' } },
    { shares: { private: 'x', public: 'y' } },
    { from },
    { from: { ...from, done: true } },
    { shares: {} },
  ]
  expect(badges.map((more) => badge(make('a', 1, more)))).toEqual(['', 'Shared', 'Public', 'Receiving', 'Received', ''])
  expect(newId()).toMatch(/^[\w-]{16}$/)
  expect(
    [new DOMException('', 'QuotaExceededError'), { code: 'no-space' }, new Error(), undefined].map(isFull),
  ).toEqual([true, true, false, false])
  const unknown = ['There is no space left on the disk.', 'Connection lost'].map((words) => new DOMException(words, 'UnknownError'))
  expect([...unknown, new DOMException('no space', 'AbortError')].map(isFull)).toEqual([true, false, false])
})
