import { beforeEach, expect, it } from 'vitest'
import { Hearing, patience } from './hearing.ts'

let now: number
const track = { muted: false }
let hearing: Hearing

beforeEach(() => {
  now = 7
  track.muted = false
  hearing = new Hearing(track as MediaStreamTrack, () => now)
})

/** Half a second after another, with data, and levels where there are any. */
function pass(milliseconds: number, peak?: number, data = true): void {
  for (const end = now + milliseconds; now < end;) {
    now += 500
    if (data) hearing.data()
    if (peak !== undefined) hearing.level({ rms: -100, peak })
  }
}

it('takes zeros for a muted microphone after a while, and any sound for one that is heard', () => {
  pass(patience, 0)
  expect(hearing.unheard).toBeUndefined()
  pass(500, 0)
  expect(hearing.unheard).toBe('muted')
  pass(500, 1e-6)
  expect(hearing.unheard).toBeUndefined()
  pass(60_000, 1e-6)
  expect(hearing.unheard).toBeUndefined()
})

it('lets those pause between sentences whose headset makes zeros of what is no voice', () => {
  pass(1000, 0.5)
  pass(patience + 500, 0)
  expect(hearing.unheard).toBeUndefined()
  pass(patience, 0)
  expect(hearing.unheard).toBe('muted')
})

it('believes a microphone that says it is muted, but not while it is being switched on', () => {
  track.muted = true
  expect(hearing.unheard).toBeUndefined()
  now += 1000
  expect(hearing.unheard).toBe('muted')
  track.muted = false
  expect(hearing.unheard).toBeUndefined()
})

it('says when nothing comes at all; a pause is not counted', () => {
  now += patience
  expect(hearing.unheard).toBe('nothing')
  hearing.begin()
  expect(hearing.unheard).toBeUndefined()
  now += patience - 1
  expect(hearing.unheard).toBeUndefined()
  hearing.data()
  now += patience - 1
  expect(hearing.unheard).toBeUndefined()
})

it('knows nothing of silence where levels cannot be had, or stop', () => {
  pass(60_000)
  expect(hearing.unheard).toBeUndefined()
  pass(1000, 0)
  pass(60_000)
  expect(hearing.unheard).toBeUndefined()
})
