import { afterEach, expect, it, vi } from 'vitest'
import type { PeerState, TorrentState } from '../engine/types.ts'
import { shownAs } from './kinds.ts'
import { infoHashOf } from '../ui/fetching.ts'
import { paths } from './parcel.ts'
import { modest, room } from '../ui/room.ts'
import { comesFrom, isFolder, nameOf, sizeOf, standingOf } from './words.ts'

afterEach(() => vi.unstubAllGlobals())

const peer = (more: Partial<PeerState> = {}): PeerState => ({
  id: 'p',
  client: '',
  kind: 'direct',
  downloadSpeed: 0,
  uploadSpeed: 0,
  progress: 1,
  ...more,
})

it('names several files by their folder, or by how many they are', () => {
  expect(nameOf(['film.mp4'])).toBe('film.mp4')
  expect(nameOf(['a/b/film.mp4'])).toBe('film.mp4')
  expect(nameOf(['photo\u202egpj.exe'])).toBe('photogpj.exe')
  expect(nameOf(['Holiday/1.jpg', 'Holiday/more/2.jpg'])).toBe('Holiday')
  expect(nameOf(['Holiday/1.jpg', 'Holidays/2.jpg'])).toBe('2 files')
  expect(nameOf(['1.jpg', '2.jpg'])).toBe('2 files')
  expect([{ name: 'Holiday', count: 2 }, { name: '2 files', count: 2 }, { name: 'film.mp4', count: 1 }].map(isFolder)).toEqual([true, false, false])
  expect([sizeOf({ size: 5, count: 1 }), sizeOf({ size: 2e6, count: 10_000 })]).toEqual(['5 bytes', '2 MB in 10,000 files'])
})

it('says from whom it comes', () => {
  const of = (...peers: PeerState[]) => comesFrom({ peers })
  expect(of()).toBe('')
  expect(of(peer({ progress: 0 }))).toBe('')
  expect(of(peer())).toBe('It comes straight from the device of somebody who has it.')
  expect(of(peer(), peer({ kind: 'relayed' }))).toBe('It comes straight from 2 devices that have it.')
  expect(of(peer({ kind: 'relayed' }))).toBe('It comes from the device of somebody who has it, by way of a relay that cannot read it.')
  expect(of(peer({ kind: 'webseed' }))).toBe('It comes from a website.')
  expect(of(peer(), peer({ kind: 'webseed' }))).toMatch(/has it, and from a website\.$/)
})

it('says what a large one waits for', () => {
  const state = { ready: true, done: false, progress: 0.034, peers: [peer()], length: 1e9, downloaded: 34e6 }
  const { phase, text, share } = standingOf(state as TorrentState, 0, 'open', { asking: true })
  expect([phase, text, share]).toEqual(['3 % here', 'Only what you play or download is fetched.', 0.034])
  expect(standingOf({ ...state, done: true } as TorrentState, 0, 'open', { asking: true }).phase).toBe('All of it is here')
  const alone = { ...state, peers: [], trackers: [] } as unknown as TorrentState
  expect(standingOf(alone, 60_000, 'open', { asking: true }))
    .toMatchObject({ text: 'Looking for whoever has it.', cause: { title: expect.stringContaining('closed') as string } })
  const phaseOf = (more: object | undefined, asking = true, full = false) =>
    standingOf(more && ({ ...state, ...more } as unknown as TorrentState), 0, 'open', { asking, full }).phase
  expect([phaseOf({ status: 'paused' }), phaseOf({ status: 'downloading' }, false), phaseOf({ ready: false }), phaseOf(undefined)])
    .toEqual(['Paused', '3 %', 'Finding', 'Finding'])
  expect([phaseOf({ done: true }, false, true), phaseOf({ ready: false, done: true }, false, true)]).toEqual(['3 %', 'All of it is here'])
})

it('shows what does no harm, and nothing else', () => {
  const of = (type: string, name = 'x') => shownAs({ name, type })
  expect([of('video/mp4'), of('Audio/webm;codecs=opus'), of('image/avif')]).toEqual(['video', 'audio', 'image'])
  expect([of('image/svg+xml'), of('image/svg+xml', 'a.svg'), of('application/pdf')]).toEqual(['text', 'text', undefined])
  expect([of('text/html'), of('application/ld+json'), of('', 'README.md')]).toEqual(['text', 'text', 'text'])
  expect([of(''), of('', 'setup.exe'), of('video/mp4\r\nx: y')]).toEqual([undefined, undefined, undefined])
})

it('stores without asking only what is small beside what is free', () => {
  expect([modest(1e9, 10e9), modest(1e9 + 1, 10e9), modest(6e8, 1e9), modest(1e9, undefined)]).toEqual([true, false, false, true])
  expect([modest(5e7, 10e9, true), modest(5e7 + 1, 10e9, true)]).toEqual([true, false])
})

it.each<[string, object, number | undefined]>([
  ['some', { estimate: async () => ({ quota: 10, usage: 4 }) }, 6],
  ['none, as other sites took what this one has', { estimate: async () => ({ quota: 1, usage: 4 }) }, 0],
  ['what it does not tell', { estimate: async () => ({ usage: 4 }) }, undefined],
  ['what it refuses to tell', { estimate: async () => Promise.reject(new TypeError()) }, undefined],
  ['what it cannot tell', {}, undefined],
])('the browser has room for %s', async (_, storage, bytes) => {
  vi.stubGlobal('navigator', { storage })
  expect(await room()).toBe(bytes)
})

it('finds the infohash in a link of any page', () => {
  const hash = 'ab'.repeat(20)
  expect(infoHashOf(`https://a.test/f#${hash.toUpperCase()}.key&tr=x`)).toBe(hash)
  expect(infoHashOf(`https://a.test/f#${hash}0`)).toBe(undefined)
  expect(paths.receive(`https://b.test/m#${hash}.key`)).toBe(`/f#${hash}.key`)
})
