import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Bytes } from '../bytes.ts'
import { Disk, type Directory, type SyncFile } from './disk.ts'

/** A directory in memory that counts what Disk does to it. */
class Fake implements Directory {
  readonly files = new Map<string, number[]>()
  readonly locked = new Set<string>()
  /** What is said of what is locked. */
  inUse = 'NoModificationAllowedError'
  /** When each was written last; those that are not named, now. */
  readonly written = new Map<string, number>()
  open = 0
  mostOpen = 0
  flushes = 0
  opens = 0
  /** Bytes a file may have. */
  room = Infinity
  broken = false
  /** Writes are lost, as where a browser only pretends. */
  forgets = false
  refuses: DOMException | undefined

  async getFileHandle(name: string, options?: { create: boolean }): Promise<SyncFile> {
    if (!this.files.has(name) && !options?.create) throw new DOMException('not there', 'NotFoundError')
    const bytes = this.files.get(name) ?? []
    this.files.set(name, bytes)
    return {
      getFile: async () => new File([Uint8Array.from(bytes)], name, { lastModified: this.written.get(name) }),
      createSyncAccessHandle: async () => {
        if (this.refuses) throw this.refuses
        if (this.locked.has(name)) throw new DOMException('in use', this.inUse)
        this.locked.add(name)
        this.opens++
        this.mostOpen = Math.max(this.mostOpen, ++this.open)
        return {
          read: (into: Bytes, { at }: { at: number }) => {
            const part = bytes.slice(at, at + into.length)
            into.set(part)
            return part.length
          },
          write: (data: Bytes, { at }: { at: number }) => {
            const part = data.subarray(0, Math.max(0, this.room - at))
            if (this.forgets) part.forEach((_, i) => (bytes[at + i] = 0))
            else part.forEach((byte, i) => (bytes[at + i] = byte))
            return part.length
          },
          flush: () => {
            if (this.broken) throw new Error('broken')
            this.flushes++
          },
          close: () => {
            this.open--
            this.locked.delete(name)
          },
        }
      },
    }
  }

  async *keys(): AsyncIterableIterator<string> {
    yield* [...this.files.keys()]
  }

  async removeEntry(name: string): Promise<void> {
    if (this.locked.has(name)) throw new DOMException('in use', 'NoModificationAllowedError')
    if (!this.files.delete(name)) throw new DOMException('not there', 'NotFoundError')
  }
}

const data = Uint8Array.of(1, 2, 3, 4)

test('makes its folder again where the site’s data was cleared', async () => {
  const [cleared, fake] = [new Fake(), new Fake()]
  const anew = vi.fn(async () => fake)
  const disk = new Disk(cleared, anew)
  await disk.do({ op: 'write', file: 'a', start: 0, data })
  cleared.getFileHandle = async () => {
    throw new DOMException('not there', 'NotFoundError')
  }
  await expect(disk.do({ op: 'read', file: 'b', start: 0, end: 1 })).rejects.toThrow('not there')
  for (const file of ['b', 'c']) await disk.do({ op: 'write', file, start: 0, data })
  expect([...fake.files.keys()]).toEqual(['b', 'c'])
  expect(anew).toHaveBeenCalledTimes(1)
})

test('flushes what was written, once', async () => {
  const fake = new Fake()
  const disk = new Disk(fake)
  await Promise.all(Array.from({ length: 20 }, (_, i) => disk.do({ op: 'write', file: 'a', start: i * 4, data })))
  expect(fake.files.get('a')).toHaveLength(80)
  expect(fake.flushes).toBe(0)
  for (let i = 0; i < 3; i++) await disk.do({ op: 'flush', file: 'a' })
  await disk.do({ op: 'flush', file: 'b' })
  await disk.do({ op: 'close' })
  expect(fake.flushes).toBe(1)
})

test('what could not be flushed as its handle was closed is not said to be on disk', async () => {
  const fake = new Fake()
  const disk = new Disk(fake)
  await disk.do({ op: 'write', file: 'a', start: 0, data })
  fake.broken = true
  await expect(disk.do({ op: 'close', file: 'a' })).rejects.toThrow('broken')
  await expect(disk.do({ op: 'flush', file: 'a' })).rejects.toThrow('broken')
  fake.broken = false
  await disk.do({ op: 'flush', file: 'a' })
  expect(fake.flushes).toBe(1)
})

test('handles are bounded, and a write is flushed before its handle is closed', async () => {
  const fake = new Fake()
  const disk = new Disk(fake)
  const files = Array.from({ length: 200 }, (_, i) => `file ${i}`)
  await Promise.all(files.map((file) => disk.do({ op: 'write', file, start: 0, data })))
  expect(fake.mostOpen).toBeLessThanOrEqual(65)
  await disk.do({ op: 'close' })
  expect([fake.flushes, fake.open]).toEqual([200, 0])
})

test('a handle used again is kept', async () => {
  const fake = new Fake()
  const disk = new Disk(fake)
  for (let i = 0; i < 100; i++) {
    await disk.do({ op: 'write', file: 'often', start: 0, data })
    await disk.do({ op: 'write', file: `file ${i}`, start: 0, data })
  }
  expect(fake.opens).toBe(101)
})

test('full: an error by its name, and what was there is still there', async () => {
  const fake = new Fake()
  const disk = new Disk(fake)
  await disk.do({ op: 'write', file: 'a', start: 0, data })
  fake.room = 6
  const refused = disk.do({ op: 'write', file: 'a', start: 4, data })
  await expect(refused).rejects.toMatchObject({ name: 'QuotaExceededError' })
  expect(await disk.do({ op: 'read', file: 'a', start: 0, end: 4 })).toEqual(data)
  await disk.do({ op: 'probe' })
})

describe('a file that the tab before this one has open', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test.each(['NoModificationAllowedError', 'InvalidStateError'])('is waited for where the browser says %s', async (inUse) => {
    const fake = new Fake()
    fake.inUse = inUse
    fake.locked.add('a')
    const written = new Disk(fake).do({ op: 'write', file: 'a', start: 0, data })
    await vi.advanceTimersByTimeAsync(1500)
    fake.locked.delete('a')
    await vi.advanceTimersByTimeAsync(200)
    expect(fake.opens).toBe(1)
    await written
  })

  test('is open for as long as it is used, so that a page which is suspended holds nobody up', async () => {
    const fake = new Fake()
    const disk = new Disk(fake)
    for (let i = 0; i < 10; i++) {
      await disk.do({ op: 'write', file: 'a', start: 4 * i, data })
      await vi.advanceTimersByTimeAsync(600)
    }
    expect([fake.opens, fake.open]).toEqual([1, 1])
    await vi.advanceTimersByTimeAsync(600)
    expect([fake.flushes, fake.open, vi.getTimerCount()]).toEqual([1, 0, 0])
    expect(await new Disk(fake).do({ op: 'read', file: 'a', start: 36, end: 40 })).toEqual(data)
  })

  test('and cannot be flushed keeps none of the others open', async () => {
    const fake = new Fake()
    const disk = new Disk(fake)
    for (const file of ['a', 'b']) await disk.do({ op: 'write', file, start: 0, data })
    fake.broken = true
    await vi.advanceTimersByTimeAsync(3000)
    expect([fake.open, vi.getTimerCount()]).toEqual([0, 0])
    await expect(disk.do({ op: 'flush', file: 'b' })).rejects.toThrow('broken')
    fake.broken = false
    for (const file of ['a', 'b']) await disk.do({ op: 'flush', file })
    expect(fake.flushes).toBe(2)
  })

  test('for ever is an error, and others can be used', async () => {
    const fake = new Fake()
    fake.locked.add('a')
    const disk = new Disk(fake)
    const refused = expect(disk.do({ op: 'write', file: 'a', start: 0, data }))
      .rejects.toMatchObject({ name: 'NoModificationAllowedError' })
    const other = disk.do({ op: 'write', file: 'b', start: 0, data })
    await vi.advanceTimersByTimeAsync(2500)
    expect([...fake.locked]).toEqual(['a', 'b'])
    await refused
    expect(await other).toBe(data)
  })

  test('is deleted only when it is closed here', async () => {
    const fake = new Fake()
    const disk = new Disk(fake)
    await disk.do({ op: 'write', file: 'a', start: 0, data })
    await disk.do({ op: 'delete', file: 'a' })
    await disk.do({ op: 'delete', file: 'a' })
    expect([fake.files.size, fake.open, fake.flushes]).toEqual([0, 0, 0])
    await disk.do({ op: 'write', file: 'a', start: 0, data })
    fake.broken = true
    await disk.do({ op: 'delete', file: 'a' })
    expect([fake.files.size, fake.open]).toEqual([0, 0])
    fake.files.set('b', [])
    fake.locked.add('b')
    await expect(disk.do({ op: 'delete', file: 'b' })).rejects.toMatchObject({ name: 'NoModificationAllowedError' })
  })

  test('is not what any other error is taken for', async () => {
    const fake = new Fake()
    fake.refuses = new DOMException('no', 'SecurityError')
    const disk = new Disk(fake)
    await expect(disk.do({ op: 'write', file: 'a', start: 0, data })).rejects.toBe(fake.refuses)
    await expect(disk.do({ op: 'probe' })).rejects.toBe(fake.refuses)
  })
})

test('as a File: what was written is flushed, and nobody is kept out', async () => {
  const fake = new Fake()
  const disk = new Disk(fake)
  await disk.do({ op: 'write', file: 'a', start: 0, data })
  const file = await disk.do({ op: 'blob', file: 'a' })
  expect([fake.open, fake.flushes]).toEqual([0, 1])
  expect(new Uint8Array(await (file as File).arrayBuffer())).toEqual(data)
})

test('one is closed, and the others stay open', async () => {
  const fake = new Fake()
  const disk = new Disk(fake)
  for (const file of ['a', 'b']) await disk.do({ op: 'write', file, start: 0, data })
  await disk.do({ op: 'close', file: 'a' })
  expect([...fake.locked]).toEqual(['b'])
})

test('what is shorter than it was is not read', async () => {
  const disk = new Disk(new Fake())
  await disk.do({ op: 'write', file: 'a', start: 0, data })
  await expect(disk.do({ op: 'read', file: 'a', start: 0, end: 5 })).rejects.toThrow('shorter')
  await expect(disk.do({ op: 'read', file: 'b', start: 0, end: 1 })).rejects.toMatchObject({ name: 'NotFoundError' })
})

test.each(['empty', 'full'])('the probe of a disk that is %s leaves nothing behind', async (state) => {
  const fake = new Fake()
  if (state === 'full') fake.room = 0
  await new Disk(fake).do({ op: 'probe' })
  expect([fake.files.size, fake.open]).toEqual([0, 0])
})

test('the probe fails where what was written is not there', async () => {
  const fake = new Fake()
  fake.forgets = true
  await expect(new Disk(fake).do({ op: 'probe' })).rejects.toThrow('not there')
  expect(fake.files.size).toBe(0)
})

test('files that no torrent has go once nobody has written to them for long; all others stay', async () => {
  const fake = new Fake()
  const disk = new Disk(fake)
  const [orphan, recent, kept, open, elsewhere] = Array.from({ length: 5 }, (_, i) => String(i).repeat(40)) as [string, string, string, string, string]
  for (const file of [orphan, recent, kept, open, elsewhere, 'probe-1', 'of a later version']) {
    await disk.do({ op: 'write', file, start: 0, data })
    fake.written.set(file, 1000)
  }
  await disk.do({ op: 'close' })
  await disk.do({ op: 'read', file: open, start: 0, end: 4 })
  fake.locked.add(elsewhere)
  fake.written.set(recent, 2000)
  await disk.do({ op: 'tidy', keep: [kept], before: 2000 })
  expect([...fake.files.keys()]).toEqual([recent, kept, open, elsewhere, 'of a later version'])
})
