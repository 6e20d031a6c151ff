import { expect, it } from 'vitest'
import { crc32, zip, type ZipEntry } from './zip.ts'

const text = (path: string, content: string): ZipEntry => {
  const bytes = new TextEncoder().encode(content)
  return { path, size: bytes.length, stream: () => new Blob([bytes]).stream() }
}

async function bytesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Reads an archive by its directory, as programs do. */
function unzip(archive: Uint8Array): { path: string; content: string; crc: number }[] {
  const view = new DataView(archive.buffer)
  const end = archive.length - 22
  expect(view.getUint32(end, true)).toBe(0x06054b50)
  let at = view.getUint32(end + 16, true)
  expect(view.getUint32(end + 12, true)).toBe(end - at)
  const decode = (from: number, length: number) => new TextDecoder().decode(archive.subarray(from, from + length))
  return Array.from({ length: view.getUint16(end + 10, true) }, () => {
    expect(view.getUint32(at, true)).toBe(0x02014b50)
    const [crc, size, name, extra] = [
      view.getUint32(at + 16, true),
      view.getUint32(at + 24, true),
      view.getUint16(at + 28, true),
      view.getUint16(at + 30, true),
    ]
    const head = view.getUint32(at + 42, true)
    const path = decode(at + 46, name)
    at += 46 + name + extra
    expect(view.getUint32(head, true)).toBe(0x04034b50)
    const data = head + 30 + view.getUint16(head + 26, true) + view.getUint16(head + 28, true)
    expect([view.getUint32(data + size, true), view.getUint32(data + size + 4, true)]).toEqual([0x08074b50, crc])
    return { path, content: decode(data, size), crc }
  })
}

it('is as long as it says, and holds what was put in', async () => {
  const { size, stream } = zip([text('a.txt', 'hello'), text('ü/ñ – 🐦.txt', 'x'.repeat(100_000)), text('empty', '')])
  const archive = await bytesOf(stream)
  expect(archive.length).toBe(size)
  expect(unzip(archive)).toEqual([
    { path: 'a.txt', content: 'hello', crc: 0x3610a686 },
    { path: 'ü/ñ – 🐦.txt', content: 'x'.repeat(100_000), crc: expect.any(Number) },
    { path: 'empty', content: '', crc: 0 },
  ])
})

it('says when it was made, in what MS-DOS has for times, and lets others read what was unpacked', async () => {
  const made = async (date: Date) => {
    const archive = await bytesOf(zip([text('a', 'x')], date).stream)
    const view = new DataView(archive.buffer)
    const at = view.getUint32(archive.length - 22 + 16, true)
    expect([view.getUint16(at + 4, true), view.getUint16(at + 6, true), view.getUint16(at + 40, true)]).toEqual([0x0314, 20, 0o100644])
    const stamps = [10, at + 12].map((field) => [view.getUint16(field, true), view.getUint16(field + 2, true)])
    expect(stamps[1]).toEqual(stamps[0])
    return stamps[0]
  }
  expect(await made(new Date(2025, 10, 23, 13, 45, 59))).toEqual([(13 << 11) | (45 << 5) | 29, (45 << 9) | (11 << 5) | 23])
  expect(await made(new Date(1979, 0, 2))).toEqual([0, (1 << 5) | 2])
})

it('comes in few chunks, as each costs whoever takes it a message', async () => {
  const chunks: number[] = []
  for await (const { length } of zip(Array.from({ length: 3000 }, (_, i) => text(String(i), 'x'.repeat(99)))).stream) chunks.push(length)
  expect(Math.min(...chunks.slice(0, -1))).toBeGreaterThanOrEqual(65_536)
  expect(Math.max(...chunks)).toBeLessThan(65_536 + 200)
})

it('counts a CRC over parts', () => {
  const bytes = new TextEncoder().encode('123456789')
  expect(crc32(bytes)).toBe(0xcbf43926)
  expect(crc32(bytes.subarray(4), crc32(bytes.subarray(0, 4)))).toBe(0xcbf43926)
})

it('knows its size where 32 bits do not hold it', () => {
  const never = () => new ReadableStream<Uint8Array<ArrayBuffer>>()
  const long = 5 * 2 ** 30
  // Long itself: two fields of 64 bits in its headers, a longer descriptor; and the file behind it begins beyond 4 GiB.
  const one = 30 + 4 + 20 + long + 24 + 46 + 4 + 20
  const two = 30 + 4 + 1 + 16 + 46 + 4 + 12
  const { size } = zip([
    { path: 'long', size: long, stream: never },
    { path: 'next', size: 1, stream: never },
  ])
  expect(size).toBe(one + two + 76 + 22)
  // What 32 bits could just hold stands for more.
  const alone = (size: number) => zip([{ path: 'x', size, stream: never }]).size - size
  expect([alone(2 ** 32 - 2), alone(2 ** 32 - 1)]).toEqual([31 + 16 + 47 + 76 + 22, 31 + 20 + 24 + 47 + 20 + 76 + 22])
})

// Time for a machine that has other things to do.
it('has room for more files than 16 bits count', { timeout: 60_000 }, async () => {
  const { size, stream } = zip(Array.from({ length: 65_535 }, (_, i) => text(String(i), '')))
  const archive = await bytesOf(stream)
  expect(archive.length).toBe(size)
  const view = new DataView(archive.buffer)
  expect(view.getUint16(size - 22 + 10, true)).toBe(0xffff)
  expect(view.getUint32(size - 22 - 20, true)).toBe(0x07064b50)
  expect(view.getBigUint64(size - 22 - 76 + 32, true)).toBe(65_535n)
})

it('fails where a file is not as long as it was said to be, and lets go of what it reads when it is cancelled', async () => {
  await expect(bytesOf(zip([{ ...text('a', 'hello'), size: 4 }]).stream)).rejects.toThrow('not as long')
  let cancelled = false
  const endless = () =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => controller.enqueue(new Uint8Array(9)),
      cancel: () => void (cancelled = true),
    })
  const reader = zip([{ path: 'a', size: 1e9, stream: endless }]).stream.getReader()
  await reader.read()
  await reader.read()
  await reader.cancel()
  expect(cancelled).toBe(true)
})
