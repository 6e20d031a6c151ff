import { expect, test } from 'vitest'
import type { Bytes } from '../bytes.ts'
import { Disk, type Directory, type SyncFile } from './disk.ts'

/** A directory in memory that counts what Disk does to it. */
class Fake implements Directory {
  readonly files = new Map<string, number[]>()
  readonly locked = new Set<string>()
  open = 0
  mostOpen = 0
  flushes = 0
  opens = 0
  /** Bytes a file may have. */
  room = Infinity
  busy = 0
  broken = false

  async getFileHandle(name: string, options?: { create: boolean }): Promise<SyncFile> {
    if (!this.files.has(name) && !options?.create) throw new DOMException('not there', 'NotFoundError')
    const bytes = this.files.get(name) ?? []
    this.files.set(name, bytes)
    return {
      getFile: async () => new File([Uint8Array.from(bytes)], name),
      createSyncAccessHandle: async () => {
        if (this.locked.has(name) || this.busy-- > 0) throw new DOMException('in use', 'NoModificationAllowedError')
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
            part.forEach((byte, i) => (bytes[at + i] = byte))
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

  async removeEntry(name: string): Promise<void> {
    if (!this.files.delete(name)) throw new DOMException('not there', 'NotFoundError')
  }
}

const data = Uint8Array.of(1, 2, 3, 4)

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

test('waits for the tab before this one to let go', async () => {
  const fake = new Fake()
  fake.busy = 2
  await new Disk(fake).do({ op: 'write', file: 'a', start: 0, data })
  expect(fake.busy).toBeLessThan(1)
})

test('the probe leaves nothing behind', async () => {
  const fake = new Fake()
  await new Disk(fake).do({ op: 'probe' })
  expect([fake.files.size, fake.open]).toEqual([0, 0])
})
