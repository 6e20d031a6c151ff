import { expect, test, vi } from 'vitest'
import fc from 'fast-check'
import { concat } from '../bytes.ts'
import { BlobSource } from './source.ts'

const big = Uint8Array.from({ length: 3 << 20 }, (_, i) => (i * 7 + (i >> 11)) & 0xff)

test('reads blobs as if they were one', async () => {
  const blobs = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(blobs, fc.nat(250), fc.nat(250), async (parts, a, b) => {
      const all = concat(parts)
      const source = new BlobSource(parts.map((part) => new Blob([Uint8Array.from(part)])))
      expect(source.length).toBe(all.length)
      const [start, end] = [Math.min(a, b, all.length), Math.min(Math.max(a, b), all.length)]
      expect(await source.read(start, end)).toEqual(all.slice(start, end))
      await source.close()
    }),
  )
})

test('small reads one after another cost one read of the Blob', async () => {
  const source = new BlobSource([new Blob([big.subarray(0, 100)]), new Blob([big.subarray(100)])])
  const [read, stream] = [vi.spyOn(Blob.prototype, 'arrayBuffer'), vi.spyOn(Blob.prototype, 'stream')]
  const step = 16384 + 1
  for (let at = 0; at < big.length; at += step) {
    const end = Math.min(at + step, big.length)
    expect(Buffer.compare(await source.read(at, end), big.subarray(at, end))).toBe(0)
  }
  expect(read.mock.calls.length + stream.mock.calls.length).toBe(2)
  expect(Buffer.compare(await source.read(5, (2 << 20) + 9), big.subarray(5, (2 << 20) + 9))).toBe(0)
  vi.restoreAllMocks()
})

test('several at a time, each from where it likes, read on from there', async () => {
  const sources = Array.from({ length: 6 }, () => new BlobSource([new Blob([big, big, big, big])]))
  const whole = concat([big, big, big, big])
  const right = async (source: BlobSource, start: number, end: number) =>
    expect(Buffer.compare(await source.read(start, end), whole.subarray(start, end))).toBe(0)
  await Promise.all(sources.flatMap((source, i) => [0, 1, 2, 3, 0, 6, 7, 8, 9, 10].map((at) => right(source, (at << 20) + i, ((at + 1) << 20) + i))))
  for (const source of sources) await source.close()
})

test.each([
  ['has no streams of bytes', () => new ReadableStream()],
  ['fails to stream', () => new ReadableStream({ type: 'bytes', pull: () => Promise.reject(new Error('no')) })],
  ['ends a stream early', () => new ReadableStream({
    type: 'bytes',
    start(controller) {
      controller.enqueue(new Uint8Array(9))
      controller.close()
    },
  })],
])('a browser that %s', async (_, stream) => {
  vi.spyOn(Blob.prototype, 'stream').mockImplementation(stream)
  const source = new BlobSource([new Blob([big])])
  for (const at of [0, 1 << 20, 2 << 20]) {
    expect(Buffer.compare(await source.read(at, at + (1 << 20)), big.subarray(at, at + (1 << 20)))).toBe(0)
  }
  vi.restoreAllMocks()
})

test('what is read may be changed', async () => {
  const source = new BlobSource([new Blob([big])])
  ;(await source.read(0, 10)).fill(0)
  expect(await source.read(0, 10)).toEqual(big.slice(0, 10))
})

test('a file that is gone', async () => {
  const error = new DOMException('gone', 'NotReadableError')
  const gone = vi.spyOn(Blob.prototype, 'arrayBuffer').mockRejectedValueOnce(error)
  const source = new BlobSource([new Blob([big])])
  await expect(source.read(0, 10)).rejects.toMatchObject({ name: 'StarlingError', code: 'unreadable' })
  gone.mockRestore()
  expect(await source.read(0, 10)).toEqual(big.slice(0, 10))
})

test('past the end, and writing', async () => {
  const source = new BlobSource([new Blob([big])])
  await expect(source.read(big.length - 1, big.length + 1)).rejects.toMatchObject({ code: 'unreadable' })
  await expect(source.write()).rejects.toMatchObject({ code: 'storage' })
})
