/** Links and rendezvous in real browsers, against the real tracker. */
import type { Page } from 'puppeteer-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { enter, harness, until, type Kind, type Lab, type Server } from './harness/index.ts'

const kit = harness()
declare const lab: typeof import('./link.page.ts')
let server: Server
let place: Lab

beforeAll(async () => {
  server = await kit.serve({ pages: false })
  place = await kit.lab(new URL('./link.page.ts', import.meta.url))
})

async function open(kind: Kind): Promise<Page> {
  const { page } = await kit.person(kind)
  await enter(page, place)
  return page
}

const join = (page: Page, from: number, to: number, whole: boolean, brief = false) =>
  page.evaluate((tracker, from, to, whole, brief) => lab.join(tracker, from, to, whole, { brief }), server.tracker, from, to, whole, brief)
const state = (page: Page) => page.evaluate(() => lab.state())

let torrents = 0
/** The first of so many that no test before had: browsers may still be about to close its pages. */
const fresh = (count: number): number => (torrents += count) - count

describe.each<[Kind, Kind]>([
  ['chromium', 'chromium'],
  ['chromium', 'firefox'],
  ['firefox', 'chromium'],
])('%s seeds, %s lacks', (kind, otherKind) => {
  test('ten torrents over one link, which dies with its page', async () => {
    const [seeder, leecher] = [await open(kind), await open(otherKind)]
    const from = fresh(10)
    await join(seeder, from, from + 10, true)
    await join(leecher, from, from + 10, false)
    await until('ten channels', async () => (await state(leecher)).met === 10)
    await until('the way to be known', async () => (await state(leecher)).kinds[0] === 'direct')
    expect(await state(leecher)).toMatchObject({ links: 1, channels: 10, closed: 0, failed: 0 })
    expect((await state(leecher)).connectionsMade).toBeLessThanOrEqual(6)
    await seeder.evaluate(() => lab.pour(3_000_000))
    await until('all bytes', async () => (await state(leecher)).received === 10 * 3_000_001)
    // By the page's own word: ICE alone takes twice as long to notice.
    await seeder.close()
    await until('all channels to close', async () => (await state(leecher)).closed === 10, { within: 8_000 })
    expect(await state(leecher)).toMatchObject({ links: 0, channels: 0, failed: 0 })
  })

  test('more torrents than a link has channel ids, one after another', async () => {
    const [seeder, leecher] = [await open(kind), await open(otherKind)]
    const from = fresh(1_100)
    await join(seeder, from, from + 1_100, true)
    await join(leecher, from, from + 1_100, false, true)
    await until('all torrents', async () => (await state(leecher)).lacking === 0, { within: 150_000 })
    for (const page of [seeder, leecher]) {
      const { links, connectionsMade } = await state(page)
      expect(links).toBe(1)
      expect(connectionsMade).toBeLessThanOrEqual(6)
    }
  })

  test('both lack what the other has, and call at once', async () => {
    const [one, other] = [await open(kind), await open(otherKind)]
    const from = fresh(10)
    const middle = from + 5
    await Promise.all([
      join(one, from, middle, true).then(() => join(one, middle, from + 10, false)),
      join(other, middle, from + 10, true).then(() => join(other, from, middle, false)),
    ])
    for (const page of [one, other]) {
      await until('all to meet on one link', async () => {
        const { links, channels } = await state(page)
        return links === 1 && channels === 10
      }).catch(async (error: Error) => {
        throw new Error(`${error.message}: ${JSON.stringify([await state(one), await state(other)])}`, { cause: error })
      })
      // Five offers, one answered, and one instead of an offer whose answer came when the other's was answered already.
      expect((await state(page)).connectionsMade).toBeLessThanOrEqual(7)
    }
  })
})

test('an attempt that gets nowhere is in nobody’s way', async () => {
  const seeder = await open('chromium')
  const { page } = await kit.person('chromium')
  // The first answer is of somebody who cannot be reached any more.
  await page.evaluateOnNewDocument(() => {
    const { prototype } = RTCPeerConnection
    const take = prototype.setRemoteDescription as (answer: RTCSessionDescriptionInit) => Promise<void>
    prototype.setRemoteDescription = function ({ type, sdp = '' }: RTCSessionDescriptionInit) {
      prototype.setRemoteDescription = take
      const tell = () => Object.assign(globalThis, { over: /failed|closed/.test(this.connectionState) })
      this.addEventListener('connectionstatechange', tell)
      tell()
      return take.call(this, { type, sdp: sdp.replace(/^a=ice-pwd:.*$/m, `a=ice-pwd:${'x'.repeat(24)}`) })
    }
  })
  await enter(page, place)
  const torrent = fresh(1)
  await join(seeder, torrent, torrent + 1, true)
  await join(page, torrent, torrent + 1, false)
  await until('another attempt', async () => (await state(page)).received === 1)
  // The browser had not yet given it up.
  expect(await page.evaluate('over')).toBe(false)
})

test('who comes first is found by a seeder that comes later, and the tracker may restart', async () => {
  const [leecher, seeder] = [await open('chromium'), await open('chromium')]
  const torrent = fresh(1)
  await join(leecher, torrent, torrent + 1, false)
  await until('the tracker', async () => (await state(leecher)).trackers[0]?.status === 'working')
  await server.restart()
  await join(seeder, torrent, torrent + 1, true)
  await until('a channel', async () => (await state(leecher)).met === 1)
  await seeder.evaluate(() => lab.leave())
  await until('the link to end', async () => (await state(leecher)).links === 0)
  await until('the tracker to know', async () => (await state(leecher)).trackers[0]?.seeders === 0)
})
