import { afterEach, expect, it, vi } from 'vitest'
import type { Starling } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { FakeBrowser, FakeTab } from '../engine/tabs/fakes.ts'
import { inTurn } from './turn.ts'

afterEach(() => vi.unstubAllGlobals())

/** A tab that counts how often it has worked. */
function open(browser: FakeBrowser) {
  const tab = new FakeTab(browser)
  vi.stubGlobal('navigator', { locks: tab.locks })
  vi.stubGlobal('addEventListener', tab.events.addEventListener.bind(tab.events))
  vi.stubGlobal('reportError', () => {})
  const node = new Emitter<{ takeover: void }>()
  const page = { tab, node, done: 0 }
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
