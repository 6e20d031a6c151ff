import { beforeEach, expect, it, vi } from 'vitest'
import { Player } from './player.ts'

/** As much of an audio element as the player touches. */
class Sounding extends EventTarget {
  src = ''
  paused = true
  ended = false
  currentTime = 0
  duration = NaN
  error: unknown = null
  /** What play() does. */
  answer: () => Promise<void> = () => Promise.resolve()
  play = () => this.answer()
  pause = () => undefined
  load = () => undefined
  removeAttribute = () => undefined
}

const audio = new Sounding()
const keys = new Map<string, unknown>()
const session = {
  metadata: null as MediaMetadata | null,
  setActionHandler: (action: string, handler: unknown) => keys.set(action, handler),
}
const track = { id: 'a', title: 'A', duration: 1, open: () => Promise.resolve({ url: 'blob:a' }) }
const player = () => new Player(audio as unknown as HTMLAudioElement, session as unknown as MediaSession)

beforeEach(() => {
  keys.clear()
  vi.stubGlobal('MediaMetadata', Object)
})

it('takes the keys that play and pause only while it has something: a film beside it has them else', async () => {
  const one = player()
  expect([...keys.values()].filter(Boolean)).toEqual([])
  await one.play(track)
  expect(keys.get('pause')).toBeTypeOf('function')
  one.stop()
  expect([...keys.values()].filter(Boolean)).toEqual([])
})

it('tells the device what plays, with a picture, and nothing any more once it is gone', async () => {
  const one = player()
  await one.play(track)
  expect(session.metadata).toMatchObject({ title: 'A', artwork: [{ src: '/icon-512.png' }] })
  one.stop()
  expect(session.metadata).toBeNull()
})

it('keeps what is loaded where the browser wants one more press, and lets go of what it cannot play', async () => {
  const one = player()
  const failed = vi.fn()
  one.on('failed', failed)
  audio.answer = () => Promise.reject(new DOMException('', 'NotAllowedError'))
  await one.play(track)
  expect([one.id, failed.mock.calls.length]).toEqual(['a', 1])
  audio.answer = () => Promise.reject(new DOMException('', 'NotSupportedError'))
  audio.error = { code: 4, message: '' }
  await one.resume()
  expect(one.id).toBeUndefined()
  expect(failed).toHaveBeenLastCalledWith({ id: 'a', error: audio.error })
})

it('does what the keys say, within the sound', async () => {
  const one = player()
  audio.answer = () => Promise.resolve()
  Object.assign(audio, { duration: 100, currentTime: 20, pause: vi.fn() })
  await one.play(track)
  const press = (action: string, details = {}) => {
    ;(keys.get(action) as (details: object) => void)(details)
    return audio.currentTime
  }
  expect([press('seekbackward'), press('seekbackward'), press('seekforward'), press('seekforward', { seekOffset: 30 })]).toEqual([5, 0, 15, 45])
  expect([press('seekto', { seekTime: 500 }), press('seekto'), press('seekto', { seekTime: -1 })]).toEqual([100, 100, 0])
  // What MediaRecorder wrote may not know how long it is.
  audio.duration = Infinity
  expect([one.duration, press('seekto', { seekTime: 500 })]).toEqual([1, 1])
  for (const [rate, kept] of [[5, 2], [0.1, 0.8], [1.25, 1.25]] as const) {
    one.rate = rate
    expect([one.rate, (audio as { playbackRate?: number }).playbackRate]).toEqual([kept, kept])
  }
  press('pause')
  expect(audio.pause).toHaveBeenCalled()
  press('stop')
  expect(one.id).toBeUndefined()
})

it('tells the device where it is, and never beyond the end, which browsers refuse', async () => {
  const setPositionState = vi.fn()
  const one = new Player(audio as unknown as HTMLAudioElement, { ...session, setPositionState } as unknown as MediaSession)
  Object.assign(audio, { duration: 10, currentTime: 10.01 })
  await one.play(track)
  audio.dispatchEvent(new Event('timeupdate'))
  expect(setPositionState).toHaveBeenLastCalledWith({ duration: 10, playbackRate: 1, position: 10 })
  one.stop()
})

it('plays what was asked for last, and lets go of what comes too late', async () => {
  const one = player()
  const release = vi.fn()
  let come!: () => void
  const late = new Promise<void>((resolve) => (come = resolve))
  const first = one.play({ ...track, open: async () => (await late, { url: 'blob:late', release }) })
  await one.play({ ...track, id: 'b', open: async () => ({ url: 'blob:b' }) }, 3)
  come()
  await first
  expect([audio.src, audio.currentTime, one.id, release.mock.calls.length]).toEqual(['blob:b', 3, 'b', 1])
  one.stop()
})

it('begins where the position was put while the sound was opened', async () => {
  const one = player()
  Object.assign(audio, { duration: NaN, currentTime: 0 })
  let come!: () => void
  const late = new Promise<void>((resolve) => (come = resolve))
  const slow = { ...track, duration: 60, open: async () => (await late, { url: 'blob:late' }) }
  const played = one.play(slow, 20)
  expect(one.time).toBe(20)
  one.seek(90)
  expect([one.time, audio.currentTime]).toEqual([60, 0])
  await one.play(slow, 30)
  come()
  await played
  expect([one.time, audio.currentTime]).toEqual([30, 30])
  one.stop()
})
