import { createHash } from 'node:crypto'
// @ts-expect-error: it has no types
import createTorrent from 'create-torrent'
import fc from 'fast-check'
// @ts-expect-error: it has no types
import parse from 'parse-torrent'
import { describe, expect, test } from 'vitest'
import { utf8, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { encode, type Encodable } from './bencode.ts'
import { makeInfo, makeTorrent, pieceLengthFor } from './making.ts'
import { infoHashOf, parseInfo, parseTorrent } from './metainfo.ts'

const sha1 = (data: Uint8Array): Buffer => createHash('sha1').update(data).digest()
const bytes = (buffer: Uint8Array): Bytes => new Uint8Array(buffer)

/** A .torrent by an independent implementation. */
function foreign(files: Buffer[], options: object): Promise<Bytes> {
  return new Promise((resolve, reject) => createTorrent(files, options, (error: Error | null, torrent: Uint8Array) =>
    error ? reject(error) : resolve(bytes(torrent))))
}

const named = (data: Buffer, name: string): Buffer => Object.assign(data, { name })

/** A valid info dictionary of 100,000 bytes in two pieces, changed. */
function info(change: Record<string, Encodable | undefined> = {}): Bytes {
  return encode({ name: 'a.txt', length: 100_000, 'piece length': 65_536, pieces: new Uint8Array(40), ...change })
}

const files = (...list: object[]): Record<string, Encodable | undefined> =>
  ({ name: 'dir', length: undefined, files: list as Encodable })

test("another program's single-file torrent", async () => {
  const data = Buffer.alloc(200_000, 'starling')
  const torrent = await foreign([named(data, 'Grüße.txt')], {
    name: 'Grüße.txt', pieceLength: 32_768, urlList: ['https://seed.example/Gr'],
    announceList: [['wss://one.example/a', 'udp://two.example:1'], ['ws://three.example']],
  })
  const known = await parse(torrent)
  const { infoBytes, trackers, webSeeds } = parseTorrent(torrent)
  expect(await infoHashOf(infoBytes)).toBe(known.infoHash)
  expect(trackers).toEqual(['wss://one.example/a', 'ws://three.example'])
  expect(webSeeds).toEqual(['https://seed.example/Gr'])
  const parsed = parseInfo(infoBytes)
  expect(parsed).toMatchObject({
    name: 'Grüße.txt', pieceLength: 32_768, length: 200_000, pieces: 7,
    files: [{ path: 'Grüße.txt', name: 'Grüße.txt', offset: 0, size: 200_000, url: 'Gr%C3%BC%C3%9Fe.txt' }],
  })
  for (let i = 0; i < 7; i++) expect(parsed.hashAt(i)).toEqual(bytes(sha1(data.subarray(32_768 * i, 32_768 * (i + 1)))))
})

test("another program's torrent of several files", async () => {
  const torrent = await foreign(
    [named(Buffer.alloc(70_000, 1), 'album/one.mp3'), named(Buffer.alloc(10, 2), 'album/art/two.png')],
    { name: 'album' })
  const known = await parse(torrent)
  const { infoBytes } = parseTorrent(torrent)
  expect(await infoHashOf(infoBytes)).toBe(known.infoHash)
  const parsed = parseInfo(infoBytes)
  expect(parsed.name).toBe('album')
  expect(parsed.length).toBe(70_010)
  expect(parsed.files.map(({ path, offset, size }) => ({ path, offset, length: size })))
    .toEqual(known.files.map((file: { path: string; offset: number; length: number }) =>
      ({ path: file.path.replace('album/', ''), offset: file.offset, length: file.length })))
})

describe('ours is read by another program', () => {
  const hashes = bytes(sha1(utf8.encode('piece')))
  test.each([
    ['single', { name: 'memo.webm', files: [{ path: 'memo.webm', size: 1000 }] }, ['memo.webm']],
    ['several', { name: 'trip', files: [{ path: 'a.jpg', size: 1 }, { path: 'b/c.jpg', size: 2 }] },
      ['trip/a.jpg', 'trip/b/c.jpg']],
    ['one in a folder', { name: 'trip', files: [{ path: 'b/c.jpg', size: 2 }] }, ['trip/b/c.jpg']],
  ])('%s', async (_, content, paths) => {
    const author = new Uint8Array(65).fill(4)
    const infoBytes = makeInfo({ ...content, pieceLength: 65_536, hashes, author })
    const torrent = makeTorrent(infoBytes, ['wss://a.example', 'wss://b.example'], ['https://w.example/'])
    const known = await parse(torrent)
    expect(known.infoHash).toBe(await infoHashOf(infoBytes))
    expect(known.files.map((file: { path: string }) => file.path)).toEqual(paths)
    expect(known.announce).toEqual(['wss://a.example', 'wss://b.example'])
    expect(known.urlList).toEqual(['https://w.example/'])

    expect(parseTorrent(torrent)).toEqual({
      infoBytes, trackers: ['wss://a.example', 'wss://b.example'], webSeeds: ['https://w.example/'],
    })
    const parsed = parseInfo(infoBytes)
    expect(parsed.files.map(({ path, size }) => ({ path, size }))).toEqual(content.files)
    expect(parsed.author).toEqual(author)
    expect(parsed.hashAt(0)).toEqual(hashes)
  })
})

test('an info dictionary that is not canonical keeps its infohash through a .torrent file', () => {
  const odd = utf8.encode('d4:name1:a12:piece lengthi16384e6:lengthi0e6:pieces0:e')
  expect(parseTorrent(makeTorrent(odd, [], [])).infoBytes).toEqual(odd)
  expect(parseInfo(odd)).toMatchObject({ name: 'a', length: 0, pieces: 0 })
})

test('padding and symbolic links are no files, but padding has its place', () => {
  expect(parseInfo(info(files(
    { path: ['a'], length: 10 }, { path: ['.pad', '55'], length: 65_526, attr: 'p' },
    { path: ['b'], length: 34_464, attr: 'x' }, { path: ['l'], length: 0, attr: 'l' },
  ))).files).toEqual([
    { path: 'a', name: 'a', offset: 0, size: 10, url: 'dir/a' },
    { path: 'b', name: 'b', offset: 65_536, size: 34_464, url: 'dir/b' },
  ])
})

test('names: UTF-8 twins first, made clean, apart from each other', () => {
  const parsed = parseInfo(info({ 'name.utf-8': '../ä', ...files(
    { path: ['?'], 'path.utf-8': ['ü', 'x'], length: 50_000 }, { path: ['..', '..', 'etc'], length: 25_000 },
    { path: ['_', '_', 'ETC'], length: 25_000 },
  ) }))
  expect(parsed.name).toBe('.._ä')
  expect(parsed.files.map(({ path }) => path)).toEqual(['ü/x', '_/_/etc', '_/_/ETC (2)'])
  expect(parsed.files[1]!.url).toBe('..%2F%C3%A4/_/_/etc')
})

test('an author that is no point of a curve is nobody', () => {
  expect(parseInfo(info({ author: new Uint8Array(64) })).author).toBeUndefined()
  expect(parseInfo(info({ author: 4 })).author).toBeUndefined()
})

const many = Array<object>(70_000).fill({ length: 0, path: ['b'] })

test.each<[string, Bytes]>([
  ['no dictionary', encode([])],
  ['no pieces', info({ pieces: undefined })],
  ['version 2 only', encode({ name: 'a', 'meta version': 2, 'piece length': 65_536, 'file tree': {} })],
  ['no piece length', info({ 'piece length': undefined })],
  ['a piece length of 0', info({ 'piece length': 0 })],
  ['a negative piece length', info({ 'piece length': -65_536 })],
  ['a piece length of no blocks', info({ 'piece length': 50_000 })],
  ['a huge piece length', info({ 'piece length': 128 << 20, pieces: new Uint8Array(20) })],
  ['too few pieces', info({ pieces: new Uint8Array(20) })],
  ['too many pieces', info({ pieces: new Uint8Array(60) })],
  ['a part of a hash', info({ pieces: new Uint8Array(41) })],
  ['a negative length', info({ length: -1 })],
  ['no length', info({ length: undefined })],
  ['a length as text', info({ length: '100000' })],
  ['an absurd length', info({ length: Number.MAX_SAFE_INTEGER })],
  ['no files', info(files())],
  ['files that are none', info({ files: 5 })],
  ['a file that is none', info({ files: [5] })],
  ['a file without path', info(files({ length: 100_000 }))],
  ['a file with an empty path', info(files({ length: 100_000, path: [] }))],
  ['a path of numbers', info(files({ length: 100_000, path: [1] }))],
  ['a path with a number in it', info(files({ length: 100_000, path: ['a', 1] }))],
  ['a file of negative size', info(files({ length: 100_001, path: ['a'] }, { length: -1, path: ['b'] }))],
  ['sizes that overflow', info(files(...Array<object>(3).fill({ length: Number.MAX_SAFE_INTEGER, path: ['a'] })))],
  ['only padding', info(files({ length: 100_000, path: ['a'], attr: 'p' }))],
  ['too many files', info(files({ length: 100_000, path: ['a'] }, ...many))],
  ['too long', new Uint8Array((8 << 20) + 1)],
])('refused: %s', (_, infoBytes) => {
  expect(() => parseInfo(infoBytes)).toThrow(expect.objectContaining({ name: 'StarlingError', code: 'bad-torrent' }))
})

test.each([
  ['no dictionary', 'i1e'], ['no info', 'd8:announce3:abce'], ['something behind it', 'd4:infodee1:x'],
  ['a page', '<!doctype html>'],
])('refused as .torrent: %s', (_, file) => {
  expect(() => parseTorrent(utf8.encode(file))).toThrow(StarlingError)
})

test('trackers and web seeds: only usable ones, once, and not too many', () => {
  const many = Array.from({ length: 99 }, (_, i) => `wss://h${i}.example`)
  const { trackers, webSeeds } = parseTorrent(encode({
    announce: 'wss://a.example',
    'announce-list': [['wss://a.example', 'javascript:alert(1)', 5], 'x', ['wss://'], many],
    info: {}, 'url-list': 'https://w.example/f',
  }))
  expect(trackers).toHaveLength(32)
  expect(trackers.slice(0, 2)).toEqual(['wss://a.example', 'wss://h0.example'])
  expect(webSeeds).toEqual(['https://w.example/f'])
})

test('piece lengths', () => {
  const of = (length: number): number => pieceLengthFor(length)
  expect([0, 1, 50_000, 32 << 20].map(of)).toEqual([65_536, 65_536, 65_536, 65_536])
  expect(of(500e6)).toBe(1 << 20)
  expect(of(1e13)).toBe(4 << 20)
  fc.assert(fc.property(fc.integer({ min: 128 << 20, max: 700 * 2 ** 22 }), (length) => {
    expect(Math.log2(of(length)) % 1).toBe(0)
    expect(length / of(length)).toBeGreaterThan(350)
    expect(length / of(length)).toBeLessThanOrEqual(700)
  }))
})

test('a damaged torrent is refused or still makes sense', () => {
  const good = makeTorrent(info(files({ path: ['a', 'b'], length: 60_000 }, { path: ['c'], length: 40_000 })),
    ['wss://a.example'], [])
  fc.assert(fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, end) => {
    const bad = good.slice(0, end < 40 ? end : good.length)
    bad[at] = byte
    try {
      const parsed = parseInfo(parseTorrent(bad).infoBytes)
      expect(parsed.pieces).toBe(Math.ceil(parsed.length / parsed.pieceLength))
      for (const { offset, size, path } of parsed.files) {
        expect(offset + size).toBeLessThanOrEqual(parsed.length)
        expect(path).not.toMatch(/^\/|(^|\/)\.{1,2}(\/|$)/)
      }
    } catch (error) {
      expect(error).toBeInstanceOf(StarlingError)
    }
  }), { numRuns: 2000 })
})
