import fc from 'fast-check'
// @ts-expect-error: it has no types
import parse from 'parse-torrent'
import { expect, test } from 'vitest'
import { random, toBase64url } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { homeOf } from '../home.ts'
import { encode } from './bencode.ts'
import { makeLink, parseId } from './link.ts'
import { makeMagnet } from './magnet.ts'
import { makeTorrent } from './making.ts'
import { infoHashOf } from './metainfo.ts'

const hash = '08ada5a7a6183aae1e09d831df6748d566095a10'
const base32 = 'BCW2LJ5GDA5K4HQJ3AY56Z2I2VTASWQQ'
const key = 'AAECAwQFBgcICQoLDA0ODw'
const keyBytes = Uint8Array.from({ length: 16 }, (_, i) => i)
const plain = { infoHash: hash, trackers: [], webSeeds: [] }
const sealed = { ...plain, key: keyBytes }

test('links are read in Safari 16 too, which has no URL.canParse', async () => {
  const { canParse } = URL
  Reflect.deleteProperty(URL, 'canParse')
  try {
    expect(await parseId(`https://host.example/m#${hash}`)).toMatchObject({ trackers: ['wss://host.example/announce'] })
    expect((await parseId(`${hash}&tr=wss%3A%2F%2Ft.example%2F&tr=wss%3A%2F%2F`)).trackers).toEqual(['wss://t.example/'])
    expect(homeOf('https://host.example')).toMatchObject({ linkBase: 'https://host.example/m' })
  } finally {
    Object.assign(URL, { canParse })
  }
})

test.each([
  ['an infohash', hash, plain],
  ['in capitals, with space around', ` ${hash.toUpperCase()}\n`, plain],
  ['in base32', base32, plain],
  ['a link', `https://host.example/m#${hash}`, { ...plain, trackers: ['wss://host.example/announce'] }],
  ['a private link', `http://host.example:8080/m#${hash}.${key}`, { ...sealed, trackers: ['ws://host.example:8080/announce'] }],
  ['a private link in brackets', `host.example/m#${hash}.${key}).`, sealed],
  ["a link's end", `${hash}.${key}`, sealed],
  ['with #', `#${hash}.${key}`, sealed],
  ['a link with sources',
    `http://h/m#${hash}.${key}&tr=wss%3A%2F%2Ft.example%2Fa%3Fb%26c&ws=https%3A%2F%2Fw.example&tr=udp%3A%2F%2Fx&o=1`,
    { ...sealed, trackers: ['wss://t.example/a?b&c'], webSeeds: ['https://w.example'] }],
  ['a magnet', `magnet:?xt=urn:btih:${hash}`, plain],
  ['a magnet in base32', `magnet:?xt=urn:btih:${base32.toLowerCase()}&dn=x`, plain],
  ['a magnet with sources',
    `MAGNET:?dn=a+b&xt=urn:btih:${hash}&tr=wss://a.example&tr=udp%3A%2F%2Fb%3A1&tr=ws%3A%2F%2Fc&ws=https://w.example/`,
    { ...plain, trackers: ['wss://a.example', 'ws://c'], webSeeds: ['https://w.example/'] }],
  ["a magnet out of a page's source", `magnet:?xt=urn:btih:${hash}&amp;dn=100% a;b&amp;tr=wss://a.example`, { ...plain, trackers: ['wss://a.example'] }],
  ['a hybrid magnet', `magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}&xt=urn:btih:${hash}`, plain],
  ['a magnet that counts', `magnet:?xt.1=urn:btih:${hash}&xt.2=urn:btih:${'0'.repeat(40)}`, plain],
])('%s', async (_, text, expected) => {
  expect(await parseId(text)).toEqual(expected)
})

test.each([
  ['no hash', 'https://host.example/m#'],
  ['nothing behind the path', 'https://host.example/m'],
  ['half a hash', `https://host.example/m#${hash.slice(0, 21)}`],
  ['a hash less its last digit', `https://host.example/m#${hash.slice(0, 39)}`],
  ['no key behind the dot', `https://host.example/m#${hash}.`],
  ['half a key', `https://host.example/m#${hash}.${key.slice(0, 11)}`],
  ['a key less its last letter', `https://host.example/m#${hash}.${key.slice(0, 21)}`],
  ['punctuation in place of a key', `#${hash}.!`],
  ['a magnet', `magnet:?xt=urn:btih:${hash.slice(0, 30)}`],
  ['a bare infohash', hash.slice(0, 35)],
])('cut short: %s', async (_, text) => {
  await expect(parseId(text)).rejects.toMatchObject({ code: 'bad-link', message: expect.stringContaining('cut short') })
})

test.each([
  ['nothing', ''], ['words', 'hello world'], ['another page', 'https://example.com/#about'],
  ['a hash too long', `#${hash}0`], ['a key too long', `#${hash}.${key}A`],
  ['a magnet without infohash', 'magnet:?dn=x'], ['a version 2 magnet', `magnet:?xt=urn:btmh:1220${'ab'.repeat(32)}`],
  ['very much', 'a'.repeat(1 << 20)], ['many magnets', `magnet:?${'xt=urn:btih:zz&'.repeat(4000)}`],
])('refused: %s', async (_, text) => {
  await expect(parseId(text)).rejects.toMatchObject({ name: 'StarlingError', code: 'bad-link' })
})

test('of the address of a torrent file it is said what to do with it', async () => {
  for (const text of ['https://host.example/a/film.torrent', 'http://host.example/film.torrent?x=film.torrent']) {
    await expect(parseId(text)).rejects.toMatchObject({ code: 'bad-link', message: expect.stringContaining('Download it') })
  }
})

test('a .torrent file', async () => {
  const infoBytes = encode({ name: 'a', length: 5, 'piece length': 16_384, pieces: new Uint8Array(20) })
  const id = await parseId(makeTorrent(infoBytes, ['wss://t.example'], ['https://w.example/a']))
  expect(id).toMatchObject({
    infoHash: await infoHashOf(infoBytes), trackers: ['wss://t.example'], webSeeds: ['https://w.example/a'],
    torrent: { infoBytes, info: { name: 'a', length: 5 } },
  })
  await expect(parseId(encode({ info: {} }))).rejects.toMatchObject({ code: 'bad-torrent' })
})

test('our magnets are read by another program, and by us', async () => {
  const trackers = ['wss://t.example/a?b=c&d', 'ws://u.example']
  const sources = { infoHash: hash, trackers, webSeeds: ['https://w.example/ü'] }
  const magnet = makeMagnet({ ...sources, name: 'Tue 14:05 & more' })
  expect(await parse(magnet)).toMatchObject({
    infoHash: hash, name: 'Tue 14:05 & more', announce: sources.trackers, urlList: sources.webSeeds,
  })
  expect(await parseId(magnet)).toEqual(sources)
})

test('links come back as they were', async () => {
  const hosts = fc.uniqueArray(fc.webPath().map((path) => `s://h.example${path}`), { maxLength: 3 })
  await fc.assert(fc.asyncProperty(fc.boolean(), hosts, hosts, async (isPrivate, trackers, seeds) => {
    const id = {
      infoHash: hash, ...(isPrivate && { key: random(16) }),
      trackers: trackers.map((host) => `ws${host}?a=b&c#d`), webSeeds: seeds.map((host) => `http${host}`),
    }
    const trackersOf = id.trackers.length ? id.trackers : ['wss://h.example/announce']
    expect(await parseId(makeLink('https://h.example/m', id))).toEqual({ ...id, trackers: trackersOf })
  }))
  const short = `https://h.example/m#${hash}.${toBase64url(keyBytes)}`
  expect(makeLink('https://h.example/m', { ...sealed, trackers: ['wss://h.example/announce'] })).toBe(short)
  expect(makeLink('https://h.example/m', { ...sealed, trackers: ['wss://t.example'] })).toBe(`${short}&tr=wss%3A%2F%2Ft.example`)
})

test('any text and any bytes give an id or a StarlingError', async () => {
  const text = fc.array(fc.oneof(
    fc.constantFrom('magnet:?', 'xt=urn:btih:', hash, base32, key, '#', '.', '&', 'tr=', '%', '%zz', 'https://'),
    fc.string(),
  ), { maxLength: 8 })
    .map((parts) => parts.join(''))
  await fc.assert(fc.asyncProperty(fc.oneof(text, fc.uint8Array()), async (id) => {
    const result = await parseId(typeof id === 'string' ? id : new Uint8Array(id)).catch((error: unknown) => error)
    if (result instanceof Error) expect(result).toBeInstanceOf(StarlingError)
    else expect(result).toMatchObject({ infoHash: expect.stringMatching(/^[0-9a-f]{40}$/) })
  }), { numRuns: 1000 })
})
