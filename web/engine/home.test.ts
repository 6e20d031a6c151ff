import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { homeIce } from './home.ts'

const minute = 60_000
/** What the server answers: one answer for each time that it is asked, then none. */
let answers: unknown[]
let asked: number

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
  answers = []
  asked = 0
  vi.stubGlobal('fetch', async (url: URL) => {
    expect(url.href).toBe('https://home.test/api/ice')
    asked++
    const answer = answers.shift()
    if (answer === undefined) throw new TypeError('Failed to fetch')
    return { json: async () => answer }
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const home = () => homeIce(new URL('https://home.test/api/ice'))
const one = { urls: 'turn:one' }
const two = { urls: 'turn:two' }

test('a server that was started anew takes no credentials of before, so it is asked again after five minutes', async () => {
  answers = [{ iceServers: [one], lifetime: 3600 }, { iceServers: [two], lifetime: 3600 }]
  const servers = home()
  expect(await Promise.all([servers(), servers()])).toEqual([[one], [one]])
  vi.advanceTimersByTime(4 * minute)
  expect(await servers()).toEqual([one])
  expect(asked).toBe(1)
  vi.advanceTimersByTime(minute)
  expect(await servers()).toEqual([two])
  expect(asked).toBe(2)
})

test('what a server gave that was away since is not used', async () => {
  answers = [{ iceServers: [one], lifetime: 3600 }, { iceServers: [two], lifetime: 3600 }]
  const servers = home()
  await servers()
  servers.renew!()
  expect(await Promise.all([servers(), servers()])).toEqual([[two], [two]])
  expect(asked).toBe(2)
})

test('credentials are asked for again before they end', async () => {
  answers = [{ iceServers: [one], lifetime: 120 }, { iceServers: [two] }]
  const servers = home()
  await servers()
  vi.advanceTimersByTime(110_000)
  expect(await servers()).toEqual([two])
  vi.advanceTimersByTime(4 * minute)
  expect(await servers()).toEqual([two])
})

test('a server that is away is asked again soon; what it said before is used', async () => {
  const servers = home()
  expect(await servers()).toEqual([])
  expect(await servers()).toEqual([])
  expect(asked).toBe(1)
  answers = [{ iceServers: [one], lifetime: 3600 }]
  vi.advanceTimersByTime(10_000)
  expect(await servers()).toEqual([one])
  vi.advanceTimersByTime(5 * minute)
  expect(await servers()).toEqual([one])
  expect(asked).toBe(3)
  answers = [{ iceServers: 'nonsense' }, { iceServers: [two] }]
  vi.advanceTimersByTime(10_000)
  expect(await servers()).toEqual([one])
  vi.advanceTimersByTime(10_000)
  expect(await servers()).toEqual([two])
})

test('the clock is set back', async () => {
  answers = [{ iceServers: [one], lifetime: 3600 }, { iceServers: [two], lifetime: 3600 }]
  const servers = home()
  await servers()
  vi.setSystemTime(Date.now() - 24 * 60 * minute)
  expect(await servers()).toEqual([two])
})

test('an engine that came from no server asks nobody', async () => {
  expect(await homeIce()()).toEqual([])
  expect(asked).toBe(0)
})
