import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat, random, utf8, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { makeHeader, parseHeader, type Header } from './header.ts'
import { Opened } from './opened.ts'
import { Cipher, derive, headLength, importAes, makeHead } from './rfc8188.ts'
import { dataSize, recordSize, SealedSource, sealedLength, type Read } from './sealed.ts'

const reading = (data: Bytes): Read => (start, end) =>
  end <= data.length ? Promise.resolve(data.slice(start, end)) : Promise.reject(new RangeError('there is no more'))

/** As toEqual, which takes seconds for a megabyte. */
const same = (a: Bytes, b: Bytes): void => expect(Buffer.compare(a, b)).toBe(0)

const noise = (length: number): Bytes => {
  const data = new Uint8Array(length)
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(data.subarray(at, at + 65_536))
  return data
}

interface Sample {
  key: Bytes
  salt: Bytes
  header: Bytes
  data: Bytes
  source: SealedSource
  sealed: Bytes
}

async function sample(size: number): Promise<Sample> {
  const header = makeHeader({ name: 'm', files: [{ path: 'a', size, type: '' }] })
  const key = random(16)
  const salt = random(16)
  const data = noise(size)
  const source = await SealedSource.create({ key, salt, header, size, read: reading(data) })
  return { key, salt, header, data, source, sealed: await source.read(0, source.length) }
}

/** A container of that plaintext, whatever it says, as RFC 8188 has it. */
async function forge(key: Bytes, plain: Bytes, change?: { last?: boolean }): Promise<Bytes> {
  const salt = random(16)
  const cipher = await Cipher.derive(key, salt)
  const records = [makeHead(salt, recordSize)]
  for (let at = 0; at < Math.max(1, plain.length); at += dataSize) {
    const last = at + dataSize >= plain.length
    records.push(await cipher.seal(at / dataSize, plain.subarray(at, at + dataSize), last && (change?.last ?? true)))
  }
  return concat(records)
}

const framed = (header: Uint8Array, data: Uint8Array = new Uint8Array(), length = header.length): Bytes =>
  concat([new Uint8Array([length >>> 24, length >> 16, length >> 8, length]), header, data])

const sizes = [0, 1, 1000, dataSize - 200, dataSize, 3 * dataSize, 20 * dataSize + 17]
test.each(sizes)('%i bytes, sealed and opened', async (size) => {
  const { key, salt, header, data, source, sealed } = await sample(size)
  expect(source.length).toBe(sealedLength(4 + header.length + size))
  expect(sealed.length).toBe(source.length)
  const opened = await Opened.open(key, sealed.length, reading(sealed))
  expect(opened.header).toEqual({ name: 'm', files: [{ path: 'a', name: 'a', size, type: '', offset: 0 }] })
  expect(opened.salt).toEqual(salt)
  same(await opened.read(0, size), data)
})

test('lengths where the last record is full, and where one more begins', async () => {
  const bare = makeHeader({ name: 'm', files: [{ path: 'a', size: 65_000, type: '' }] }).length
  for (const size of [dataSize - 4 - bare - 1, dataSize - 4 - bare, dataSize - 4 - bare + 1]) {
    const { key, data, source, sealed } = await sample(size)
    expect(sealed.length).toBe(source.length)
    expect(sealed.length - headLength <= recordSize).toBe(size <= dataSize - 4 - bare)
    same(await (await Opened.open(key, sealed.length, reading(sealed))).read(0, size), data)
  }
  expect(sealedLength(0)).toBe(headLength + 17)
})

test('a container is the same each time, in whatever portions it is read', async () => {
  const { key, salt, header, data, sealed } = await sample(300_000)
  const ranges = fc.array(fc.tuple(fc.nat(sealed.length), fc.nat(200_000)), { maxLength: 8 })
  await fc.assert(fc.asyncProperty(ranges, async (ranges) => {
    const again = await SealedSource.create({ key, salt, header, size: data.length, read: reading(data) })
    await Promise.all(ranges.map(async ([start, length]) => {
      const end = Math.min(start + length, sealed.length)
      same(await again.read(start, end), sealed.slice(start, end))
    }))
  }), { numRuns: 30 })
})

test('any range of the files can be opened from the records that cover it alone', async () => {
  const { key, data, sealed } = await sample(400_000)
  let covered: [number, number] | undefined
  const opened = await Opened.open(key, sealed.length, (start, end) => {
    if (covered) expect(start >= covered[0] && end <= covered[1]).toBe(true)
    return Promise.resolve(sealed.slice(start, end))
  })
  for (let i = 0; i < 50; i++) {
    const start = Math.floor(Math.random() * data.length)
    const end = start + Math.floor(Math.random() * (data.length - start))
    covered = opened.covering(start, end)
    expect(covered[1]).toBeLessThanOrEqual(sealed.length)
    same(await opened.read(start, end), data.slice(start, end))
  }
})

test('reading on in small steps reads and seals each byte once', async () => {
  const { key, salt, header, data, sealed } = await sample(2_000_000)
  let read = 0
  let reads = 0
  const source = await SealedSource.create({
    key, salt, header, size: data.length,
    read: (start, end) => {
      reads++
      read += end - start
      return reading(data)(start, end)
    },
  })
  for (let at = 0; at < sealed.length; at += 16_384) await source.read(at, Math.min(at + 16_384, sealed.length))
  expect(read).toBe(data.length)
  expect(reads).toBeLessThan(8)
})

test('what was opened lately is kept, and what nobody read for long is not', async () => {
  const { key, sealed } = await sample(70 * dataSize)
  const asked: number[] = []
  const opened = await Opened.open(key, sealed.length, (start, end) => {
    asked.push(Math.floor((start - headLength) / recordSize))
    return Promise.resolve(sealed.slice(start, end))
  })
  for (let record = 2; record < 69; record++) {
    for (const i of [1, record]) await opened.read(i * dataSize, i * dataSize + 1)
  }
  await opened.read(2 * dataSize, 2 * dataSize + 1)
  expect([1, 2].map((record) => asked.filter((one) => one === record).length)).toEqual([1, 2])
})

test('a reader may do with its copy what it likes', async () => {
  const { source, sealed } = await sample(1000)
  ;(await source.read(30, 60)).fill(0)
  expect(await source.read(30, 60)).toEqual(sealed.slice(30, 60))
})

test('errors of what is sealed are passed on, and do not stay', async () => {
  const data = noise(100_000)
  let broken = true
  const source = await SealedSource.create({
    key: random(16), salt: random(16), header: utf8.encode('{}'), size: data.length,
    read: (start, end) =>
      broken ? Promise.reject(new StarlingError('unreadable', 'gone')) : reading(data)(start, end),
  })
  await expect(source.read(0, 50_000)).rejects.toMatchObject({ code: 'unreadable' })
  broken = false
  expect(await source.read(0, 50_000)).toHaveLength(50_000)
})

test('errors of what is opened are passed on', async () => {
  const { key, sealed } = await sample(100)
  await expect(Opened.open(key, sealed.length, () => Promise.reject(new StarlingError('aborted', 'stopped'))))
    .rejects.toMatchObject({ code: 'aborted' })
})

test('a wrong key is told apart', async () => {
  const { sealed } = await sample(100_000)
  await expect(Opened.open(random(16), sealed.length, reading(sealed))).rejects.toMatchObject({ code: 'wrong-key' })
})

describe('malformed', () => {
  const key = random(16)
  const good = makeHeader({ name: 'm', files: [{ path: 'a', size: 5, type: '' }] })
  const five = utf8.encode('12345')
  /** A container of one record, which is all that it is made of: plaintext, delimiter and padding. */
  const encrypted = async (record: Bytes): Promise<Bytes> => {
    const salt = random(16)
    const [cek, iv] = await Promise.all([
      derive(key, salt, 'Content-Encoding: aes128gcm\0', 16), derive(key, salt, 'Content-Encoding: nonce\0', 12),
    ])
    const body = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await importAes(cek), record)
    return concat([makeHead(salt, recordSize), new Uint8Array(body)])
  }
  const raw = async (change: (sealed: Bytes) => Bytes): Promise<Bytes> => change(await forge(key, framed(good, five)))
  test.each<[string, () => Promise<Bytes>]>([
    ['nothing', () => Promise.resolve(new Uint8Array())],
    ['a header alone', () => Promise.resolve(makeHead(random(16), recordSize))],
    ['another record size', () => raw((sealed) => (sealed[18] = 0x10, sealed))],
    ['a key id', () => raw((sealed) => (sealed[20] = 1, sealed))],
    ['an empty plaintext', () => forge(key, new Uint8Array())],
    ['three bytes', () => forge(key, new Uint8Array(3))],
    ['a header without end', () => forge(key, framed(good, five, 2 ** 32 - 1))],
    ['a header longer than what there is', () => forge(key, framed(good, five, good.length + 6))],
    ['a header of more than 1 MiB', () => forge(key, framed(concat([good, new Uint8Array(1 << 20).fill(0x20)]), five))],
    ['a header that is no JSON', () => forge(key, framed(utf8.encode('<html>')))],
    ['a header that is not UTF-8', () => forge(key, framed(good.map((byte) => (byte === 0x6d ? 0xff : byte)), five))],
    ['files longer than what there is', () => forge(key, framed(good, utf8.encode('1234')))],
    ['files shorter than what there is', () => forge(key, framed(good, utf8.encode('123456')))],
    ['an end that is not marked', () => forge(key, framed(good, five), { last: false })],
    ['a record of zeros', () => encrypted(new Uint8Array(100))],
  ])('%s', async (_, make) => {
    const sealed = await make()
    await expect(Opened.open(key, sealed.length, reading(sealed)))
      .rejects.toMatchObject({ name: 'StarlingError', code: 'bad-torrent' })
  })

  test('a later record that does not open, a container cut short, records in another order', async () => {
    const { key, sealed, data } = await sample(300_000)
    const flipped = sealed.slice()
    flipped[headLength + 2 * recordSize + 9]! ^= 1
    const opened = await Opened.open(key, sealed.length, reading(flipped))
    same(await opened.read(0, 100_000), data.slice(0, 100_000))
    await expect(opened.read(0, 200_000)).rejects.toMatchObject({ code: 'bad-torrent' })

    // Cut between records, the last one lacks the mark of the last.
    const cut = sealed.slice(0, headLength + recordSize)
    await expect(Opened.open(key, cut.length, reading(cut))).rejects.toMatchObject({ code: 'bad-torrent' })

    const record = (i: number): Bytes =>
      sealed.subarray(headLength + i * recordSize, headLength + (i + 1) * recordSize)
    const swapped = concat([sealed.subarray(0, headLength), ...[0, 2, 1, 3, 4].map(record)])
    const other = await Opened.open(key, swapped.length, reading(swapped))
    await expect(other.read(100_000, 100_001)).rejects.toMatchObject({ code: 'bad-torrent' })
  })

  // RFC 8188 allows it. Here it would move all that follows.
  test('padding', async () => {
    for (const padding of [0, 1]) {
      const sealed = await encrypted(concat([framed(good, five.subarray(padding)), new Uint8Array([2]), new Uint8Array(padding)]))
      const opened = expect(Opened.open(key, sealed.length, reading(sealed)))
      if (padding) await opened.rejects.toMatchObject({ code: 'bad-torrent' })
      else await opened.resolves.toBeInstanceOf(Opened)
    }
  })

  test('any bytes give a StarlingError', async () => {
    await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const container = concat([makeHead(random(16), recordSize), bytes])
      await expect(Opened.open(key, container.length, reading(container))).rejects.toBeInstanceOf(StarlingError)
    }))
  })
})

describe('headers', () => {
  const parse = (value: unknown): Header | undefined => parseHeader(utf8.encode(JSON.stringify(value)), 0)
  const file = { path: 'a', size: 0, type: '' }

  test('come back as they were', () => {
    const author = concat([new Uint8Array([4]), random(64)])
    const header = makeHeader({
      name: 'Tue 14:05', author,
      files: [
        { path: 'a/b.webm', size: 12, type: 'audio/webm;codecs=opus' },
        { path: 'c', size: 3, type: 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"' },
      ],
    })
    expect(parseHeader(header, 15)).toEqual({
      name: 'Tue 14:05', author, files: [
        { path: 'a/b.webm', name: 'b.webm', size: 12, type: 'audio/webm;codecs=opus', offset: 0 },
        { path: 'c', name: 'c', size: 3, type: 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"', offset: 12 },
      ],
    })
    expect(parseHeader(header, 16)).toBeUndefined()
  })

  test('from strangers are made clean', () => {
    expect(parse({
      v: 1, name: ' \u202egnp.exe\n', author: 'AAAA', more: true,
      files: [
        { path: '../../x', size: 0, type: 'text/html\r\nX: y' }, { path: '_/_/X', size: 0, type: 5 },
        { path: '', size: 0, type: `audio/${'x'.repeat(200)}` },
      ],
    })).toEqual({
      name: 'gnp.exe', files: [
        { path: '_/_/x', name: 'x', size: 0, type: '', offset: 0 },
        { path: '_/_/X (2)', name: 'X (2)', size: 0, type: '', offset: 0 },
        { path: '_ (2)', name: '_ (2)', size: 0, type: '', offset: 0 },
      ],
    })
    expect(parse({ v: 1, name: {}, files: [file] })?.name).toBe('a')
  })

  test.each<[string, unknown]>([
    ['null', null], ['a number', 5], ['a list', []], ['another version', { v: 2, name: '', files: [file] }],
    ['no files', { v: 1, name: '', files: [] }],
    ['files that are none', { v: 1, files: 'x' }], ['a file that is null', { v: 1, files: [null] }],
    ['a file without path', { v: 1, files: [{ size: 0 }] }],
    ['a path that cannot be text', { v: 1, files: [{ path: { toString: 1, valueOf: 1 }, size: 0 }] }],
    ['a negative size', { v: 1, files: [{ path: 'a', size: -5 }, { path: 'b', size: 5 }] }],
    ['half a byte', { v: 1, files: [{ path: 'a', size: 0.5 }, { path: 'b', size: -0.5 }] }],
    ['sizes beyond numbers', { v: 1, files: [{ path: 'a', size: 2 ** 53 }] }],
    ['a size as text', { v: 1, files: [{ path: 'a', size: '0' }] }],
    ['too many files', { v: 1, files: Array.from({ length: 20_000 }, () => file) }],
  ])('refused: %s', (_, value) => {
    expect(parse(value)).toBeUndefined()
  })

  test('too many files are too large to share', () => {
    const files = Array.from({ length: 20_000 }, (_, i) => ({ path: `${i}`, size: 1, type: '' }))
    expect(() => makeHeader({ name: '', files })).toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(() => makeHeader({ name: 'x'.repeat(2 << 20), files: files.slice(0, 1) }))
      .toThrow(expect.objectContaining({ code: 'too-large' }))
  })

  test('as many files as there may be open again; with one more they are refused', () => {
    const files = Array.from({ length: 1 << 14 }, () => ({ path: '', size: 0, type: '' }))
    expect(parseHeader(makeHeader({ name: 'n', files }), 0)?.files).toHaveLength(1 << 14)
    expect(() => makeHeader({ name: 'n', files: [...files, file] }))
      .toThrow(expect.objectContaining({ code: 'too-large' }))
    expect(parse({ v: 1, name: 'n', files: [...files, file] })).toBeUndefined()
  })

  test('any JSON is refused or makes sense', () => {
    const any = fc.jsonValue()
    const file = fc.record({ path: fc.oneof(fc.string(), any), size: fc.oneof(fc.constant(0), any), type: any })
    const near = fc.record({ v: fc.constant(1), name: any, files: fc.array(file) })
    fc.assert(fc.property(fc.oneof(any, near), (value) => {
      const header = parse(value)
      for (const { path, size } of header?.files ?? []) {
        expect(size).toBe(0)
        expect(path.split('/')).not.toContain('..')
      }
    }))
  })
})
