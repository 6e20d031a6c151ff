import { expect, test, vi } from 'vitest'
import { concat, type Bytes } from '../bytes.ts'
import { filePath, parseFilePath } from './protocol.ts'
import type { RangeSource } from './source.ts'
import { readable } from './stream.ts'

const data = Uint8Array.from({ length: 5000 }, (_, i) => i & 0xff)

function source(step = 700) {
  const read = vi.fn(async (start: number, end: number, _reader: string) => data.slice(start, end).slice(0, step))
  const release = vi.fn()
  return { name: 'x', type: '', size: data.length, read, release } satisfies RangeSource
}

async function all(stream: ReadableStream<Bytes>): Promise<Bytes> {
  const parts: Bytes[] = []
  for await (const part of stream) parts.push(part)
  return concat(parts)
}

test('all of it, or a range', async () => {
  const ranges = [[undefined, 0, 5000], [{ start: 4999 }, 4999, 5000], [{ start: 3, end: 1800 }, 3, 1800]] as const
  for (const [range, start, end] of ranges) {
    const it = source()
    expect(await all(readable(it, range))).toEqual(data.slice(start, end))
    expect(it.release).toHaveBeenCalledExactlyOnceWith(it.read.mock.calls[0]![2])
  }
})

test('an empty range, and one past the end', async () => {
  for (const range of [{ start: 7, end: 7 }, { start: 9000 }, { start: 9, end: 3 }]) {
    const it = source()
    expect((await all(readable(it, range))).length).toBe(0)
    expect(it.read).not.toHaveBeenCalled()
  }
  expect((await all(readable(source(), { start: 4990, end: 9000 }))).length).toBe(10)
})

test('reads when it is read, and stops when it is cancelled', async () => {
  const it = source()
  const reader = readable(it).getReader()
  expect(it.read).not.toHaveBeenCalled()
  await reader.read()
  expect(it.read).toHaveBeenCalledTimes(1)
  await reader.cancel()
  expect(it.read).toHaveBeenCalledTimes(1)
  expect(it.release).toHaveBeenCalledTimes(1)
})

test('an error of the source is the reader’s', async () => {
  const it = source()
  it.read.mockRejectedValueOnce(new Error('removed'))
  await expect(all(readable(it))).rejects.toThrow('removed')
  expect(it.release).toHaveBeenCalledTimes(1)
})

test('paths of files', () => {
  const infoHash = '0123456789'.repeat(4)
  expect(parseFilePath(filePath(infoHash, 12, 'a/b?c#d é\ud800.webm'))).toEqual({ infoHash, file: 12 })
  const others = ['/', '/~/', `/~/${infoHash}`, `/~/${infoHash}x/1/a`, `/~/${infoHash}/-1/a`, `/x/${infoHash}/1/a`]
  for (const path of others) expect(parseFilePath(path)).toBeUndefined()
})
