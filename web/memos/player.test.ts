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
