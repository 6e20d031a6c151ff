import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Bucket } from './bucket.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'performance'] }))
afterEach(() => void vi.useRealTimers())

const pass = (ms: number) => vi.advanceTimersByTime(ms)

it('allows its size at once, and then its rate', () => {
  const bucket = new Bucket(10, 5)
  expect([bucket.take(10), bucket.take(1), bucket.wait(1)]).toEqual([true, false, 200])
  pass(199)
  expect([bucket.take(1), bucket.wait(1)]).toEqual([false, 1])
  pass(1)
  expect([bucket.take(1), bucket.take(1)]).toEqual([true, false])
})

it('never holds more than its size', () => {
  const bucket = new Bucket(10, 5)
  pass(60_000)
  expect([bucket.take(11), bucket.take(10), bucket.take(1)]).toEqual([false, true, false])
})

it('goes on as before where somebody sets the clock', () => {
  const bucket = new Bucket(10, 5)
  bucket.take(9)
  vi.setSystemTime(Date.now() - 3_600_000)
  expect(bucket.take(1)).toBe(true)
  vi.setSystemTime(Date.now() + 7_200_000)
  expect(bucket.take(1)).toBe(false)
  pass(200)
  expect(bucket.take(1)).toBe(true)
})
