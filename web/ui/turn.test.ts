import { afterEach, expect, it, vi } from 'vitest'
import type { Starling } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { FakeBrowser, FakeTab } from '../engine/tabs/fakes.ts'
import { alone, inTurn } from './turn.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** A tab that counts how often it has worked. */
function open(browser: FakeBrowser) {
  const tab = new FakeTab(browser)
  vi.stubGlobal('navigator', { locks: tab.locks })
  vi.stubGlobal('addEventListener', tab.events.addEventListener.bind(tab.events))
  vi.stubGlobal('reportError', () => {})
  const node = Object.assign(new Emitter<{ takeover: void }>(), { stats: async () => ({ leader: page.leads }) })
  const page = { tab, node, done: 0, leads: false }
  inTurn('work', async () => node as unknown as Starling, async () => void page.done++)
  return page
}

const settled = () => new Promise(setImmediate)

it('has one tab work, also when the engine has gone, and the next one when that is closed', async () => {
  const browser = new FakeBrowser()
  const [one, two] = [open(browser), open(browser)]
  await settled()
  for (const { node } of [one, two]) node.emit('takeover', undefined)
  expect([one.done, two.done]).toEqual([2, 0])
  one.tab.crash()
  await settled()
  two.node.emit('takeover', undefined)
  expect([one.done, two.done]).toEqual([2, 2])
})

it.each(['as it begins to look', 'later'])('has the one that runs the engine work where the one before is suspended: %s', async (when) => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const browser = new FakeBrowser()
  const [one, two] = [open(browser), open(browser)]
  await settled()
  // As iOS does to a tab in the background, which keeps its locks.
  one.tab.stall()
  const look = async () => {
    vi.advanceTimersByTime(5000)
    await settled()
  }
  if (when === 'later') {
    await look()
    two.node.emit('takeover', undefined)
    await settled()
    expect(two.done).toBe(0)
  }
  two.leads = true
  if (when === 'later') two.node.emit('takeover', undefined)
  else await look()
  await settled()
  expect([one.done, two.done]).toEqual([1, 1])
  one.tab.wake()
  await settled()
  for (const { node } of [one, two]) node.emit('takeover', undefined)
  await settled()
  expect([one.done, two.done]).toEqual([1, 2])
  two.tab.crash()
  await settled()
  expect(one.done).toBe(2)
})

it('does what is to be done alone all the same where another tab is suspended in the middle of it', async () => {
  const time = new AbortController()
  vi.spyOn(AbortSignal, 'timeout').mockReturnValue(time.signal)
  const browser = new FakeBrowser()
  const [one, two] = [new FakeTab(browser), new FakeTab(browser)]
  vi.stubGlobal('navigator', { locks: one.locks })
  void alone('it', () => new Promise(() => {}))
  await settled()
  vi.stubGlobal('navigator', { locks: two.locks })
  const work = vi.fn(async () => {})
  const done = alone('it', work)
  await settled()
  expect(work).not.toHaveBeenCalled()
  time.abort()
  await done
  expect(work).toHaveBeenCalledOnce()
})

/** What browsers tell a page of the back/forward cache: Safari the first of each, Chromium both. */
it.each([
  { how: 'frozen', away: ['freeze'], again: ['resume'] },
  { how: 'in the back/forward cache', away: ['pagehide'], again: ['pageshow'] },
  { how: 'frozen there', away: ['pagehide', 'freeze'], again: ['resume', 'pageshow'] },
])('does not wait for a tab that is $how, which has its turn again later', async ({ away, again }) => {
  const browser = new FakeBrowser()
  const [one, two] = [open(browser), open(browser)]
  one.tab.events.dispatchEvent(new Event('pageshow'))
  await settled()
  for (const name of away) one.tab.events.dispatchEvent(new Event(name))
  await settled()
  for (const name of again) one.tab.events.dispatchEvent(new Event(name))
  await settled()
  for (const { node } of [one, two]) node.emit('takeover', undefined)
  expect([one.done, two.done]).toEqual([1, 2])
  two.tab.crash()
  await settled()
  one.node.emit('takeover', undefined)
  expect(one.done).toBe(3)
})
