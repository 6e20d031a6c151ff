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

test('small reads one after another cost few reads of the Blob', async () => {
  const source = new BlobSource([new Blob([big.subarray(0, 100)]), new Blob([big.subarray(100)])])
  const read = vi.spyOn(Blob.prototype, 'arrayBuffer')
  const step = 16384 + 1
  for (let at = 0; at < big.length; at += step) {
    const end = Math.min(at + step, big.length)
    expect(Buffer.compare(await source.read(at, end), big.subarray(at, end))).toBe(0)
  }
  expect(read).toHaveBeenCalledTimes(2)
  expect(Buffer.compare(await source.read(5, (2 << 20) + 9), big.subarray(5, (2 << 20) + 9))).toBe(0)
  read.mockRestore()
})

test('what is read as a whole is not sliced', async () => {
  const bytes = big.slice(0, 50_000)
  const source = new BlobSource([new Blob([bytes])])
  const slice = vi.spyOn(Blob.prototype, 'slice')
  for (const [start, end] of [[0, 50_000], [0, 9], [49_990, 50_000]] as const) {
    expect(Buffer.compare(await source.read(start, end), bytes.subarray(start, end))).toBe(0)
  }
  expect(slice).not.toHaveBeenCalled()
  await expect(source.read(1, 50_001)).rejects.toMatchObject({ code: 'unreadable' })
  slice.mockRestore()
})

test('several at a time, each from where it likes, read on from there', async () => {
  const sources = Array.from({ length: 6 }, () => new BlobSource([new Blob([big, big, big, big])]))
  const whole = concat([big, big, big, big])
  const right = async (source: BlobSource, start: number, end: number) =>
    expect(Buffer.compare(await source.read(start, end), whole.subarray(start, end))).toBe(0)
  await Promise.all(sources.flatMap((source, i) => [0, 1, 2, 3, 0, 6, 7, 8, 9, 10].map((at) => right(source, (at << 20) + i, ((at + 1) << 20) + i))))
  for (const source of sources) await source.close()
})

test('what is read may be changed', async () => {
  const source = new BlobSource([new Blob([big])])
  ;(await source.read(0, 10)).fill(0)
  expect(await source.read(0, 10)).toEqual(big.slice(0, 10))
})

test('what is read in large parts is the reader\'s own, to change or to give away', async () => {
  const source = new BlobSource([new Blob([big, big])])
  const whole = concat([big, big])
  for (let at = 0; at < whole.length; at += 1 << 20) {
    const bytes = await source.read(at, at + (1 << 20))
    expect(Buffer.compare(bytes, whole.subarray(at, at + (1 << 20)))).toBe(0)
    expect(bytes.buffer.byteLength).toBe(1 << 20)
    structuredClone(bytes, { transfer: [bytes.buffer] })
  }
})

test('a file that is gone', async () => {
  const error = new DOMException('gone', 'NotReadableError')
  const gone = vi.spyOn(Blob.prototype, 'arrayBuffer').mockRejectedValueOnce(error)
  const source = new BlobSource([new Blob([big])])
  await expect(source.read(0, 10)).rejects.toMatchObject({ name: 'StarlingError', code: 'unreadable' })
  gone.mockRestore()
  expect(await source.read(0, 10)).toEqual(big.slice(0, 10))
})

test('a file that is gone while it is read ahead, and comes back', async () => {
  const source = new BlobSource([new Blob([big])])
  const next = (at: number) => source.read(at << 20, (at + 1) << 20)
  await next(0)
  const gone = vi.spyOn(Blob.prototype, 'arrayBuffer').mockRejectedValueOnce(new DOMException('gone', 'NotReadableError'))
  const both = await Promise.allSettled([next(1), next(2)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  gone.mockRestore()
  expect(Buffer.compare(concat([await next(1), await next(2)]), big.subarray(1 << 20))).toBe(0)
})

test('past the end, and writing', async () => {
  const source = new BlobSource([new Blob([big])])
  await expect(source.read(big.length - 1, big.length + 1)).rejects.toMatchObject({ code: 'unreadable' })
  await expect(source.write()).rejects.toMatchObject({ code: 'storage' })
})
