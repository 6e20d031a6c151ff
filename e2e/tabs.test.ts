import type { Page } from 'puppeteer-core'
import { describe, expect, test } from 'vitest'
import { enter, harness, until, type Lab } from './harness/index.ts'

declare const lab: typeof import('./tabs.page.ts')
const entry = new URL('./tabs.page.ts', import.meta.url)

describe.each(['chromium', 'firefox'] as const)('%s', (kind) => {
  const kit = harness()

  async function start(page: Page, place: Lab, tracker: string): Promise<boolean> {
    await enter(page, place)
    await page.evaluate((tracker) => lab.start(tracker), tracker)
    return page.evaluate(() => lab.leads())
  }
  const leads = (page: Page) => page.evaluate(() => lab.leads())
  const add = (page: Page, link: string) => page.evaluate((link) => lab.add(link), link)
  const fetched = (page: Page, infoHash: string) => page.evaluate((hash) => lab.fetched(hash), infoHash)

  test('one tab works for all; when it is closed, another goes on with what they share', async () => {
    const server = await kit.serve({ pages: false })
    const place = await kit.lab(entry)
    const [ann, bob, carol] = [await kit.person(kind), await kit.person(kind), await kit.person(kind)]
    expect(await start(ann.page, place, server.tracker)).toBe(true)
    const [second, third] = [await ann.tab(), await ann.tab()]
    expect(await start(second, place, server.tracker)).toBe(false)
    expect(await start(third, place, server.tracker)).toBe(false)
    const seed = (page: Page, size: number) => page.evaluate((size) => lab.seed(size), size)
    const links = await Promise.all([seed(third, 200_000), seed(second, 300_000)])
    expect(await ann.page.evaluate(() => lab.torrents())).toBe(2)

    await start(bob.page, place, server.tracker)
    const got = await fetched(bob.page, await add(bob.page, links[0]))
    expect(got).toBe(await bob.page.evaluate(() => lab.expected(200_000)))

    await bob.page.close()
    await ann.page.close()
    await until('another tab to lead', async () => (await leads(second)) || (await leads(third)))
    await until('its torrents to be shared again', async () => (await second.evaluate(() => lab.torrents())) === 2)
    await start(carol.page, place, server.tracker)
    for (const [i, size] of [200_000, 300_000].entries()) {
      const got = await fetched(carol.page, await add(carol.page, links[i]!))
      expect(got).toBe(await carol.page.evaluate((size) => lab.expected(size), size))
    }
  })

  test.each([true, false])('a page that is left leaves the tracker, and comes back to it (tabs share: %s)', async (shareTabs) => {
    const server = await kit.serve({ pages: false })
    const { page } = await kit.person(kind)
    await enter(page, await kit.lab(entry))
    await page.evaluate((tracker, share) => lab.start(tracker, undefined, share), server.tracker, shareTabs)
    const link = await page.evaluate(() => lab.seed(1000))
    const infoHash = await page.evaluate((link) => lab.add(link), link)
    await server.seeders(infoHash, 1)
    await page.evaluate(() => lab.turn('pagehide'))
    await server.seeders(infoHash, 0)
    await page.evaluate(() => lab.turn('pageshow'))
    await server.seeders(infoHash, 1)
  })

  test('a download goes on in another tab where it was', async () => {
    const server = await kit.serve({ pages: false })
    const place = await kit.lab(entry)
    const [ann, bob] = [await kit.person(kind), await kit.person(kind)]
    await start(ann.page, place, server.tracker)
    const link = await ann.page.evaluate((size) => lab.seed(size), 8 << 20)
    await enter(bob.page, place)
    await bob.page.evaluate((tracker) => lab.start(tracker, 1 << 20), server.tracker)
    const other = await bob.tab()
    expect(await start(other, place, server.tracker)).toBe(false)
    const infoHash = await add(other, link)
    const streamed = other.evaluate((hash) => lab.streamed(hash), infoHash)
    const before = await until('a good part', async () => {
      const progress = await other.evaluate((hash) => lab.progress(hash), infoHash)
      return progress > 0.2 && progress
    })
    expect(before).toBeLessThan(1)
    await bob.page.close()
    const expected = await ann.page.evaluate((size) => lab.expected(size), 8 << 20)
    expect(await streamed).toBe(expected)
    expect(await fetched(other, infoHash)).toBe(expected)
    expect(await leads(other)).toBe(true)
  })

  test('files have URLs, and are read whole, in a tab that does not run the engine', async () => {
    const server = await kit.serve({ pages: false })
    const place = await kit.lab(entry)
    const [ann, bob] = [await kit.person(kind), await kit.person(kind)]
    await start(ann.page, place, server.tracker)
    const link = await ann.page.evaluate(() => lab.seed(3_000_000))
    await start(bob.page, place, server.tracker)
    const other = await bob.tab()
    expect(await start(other, place, server.tracker)).toBe(false)
    await other.evaluate(() => lab.work())
    const infoHash = await add(other, link)
    const got = await other.evaluate((hash) => lab.range(hash, 2_500_000, 2_500_009), infoHash)
    expect(got).toEqual([206, await other.evaluate(() => lab.expectedRange(3_000_000, 2_500_000, 2_500_009))])
    expect(await fetched(other, infoHash)).toBe(await other.evaluate(() => lab.expected(3_000_000)))
  })

  test('a page that is left, and come back to, holds nobody up', async () => {
    const server = await kit.serve({ pages: false })
    const place = await kit.lab(entry)
    const ann = await kit.person(kind)
    await start(ann.page, place, server.tracker)
    const other = await ann.tab()
    await start(other, place, server.tracker)
    await other.evaluate(() => lab.seed(1000))
    await ann.page.goto(`${place.origin}/lab.js`)
    await until('the other tab to lead', () => leads(other))
    await until('its torrent to be shared again', async () => (await other.evaluate(() => lab.torrents())) === 1)
    await ann.page.goBack()
    // Where the browser kept the page, it is as it was left; where not, it begins anew.
    await until('the page', () => ann.page.evaluate(() => 'lab' in globalThis))
    const kept = await ann.page.evaluate(() => lab.leads().then(() => true, () => false))
    if (kept) expect(await leads(ann.page)).toBe(false)
    expect(await leads(other)).toBe(true)
  })

  test.runIf(kind === 'chromium')('a tab that stands still holds nobody up for long, and follows when it goes on', async () => {
    const server = await kit.serve({ pages: false })
    const place = await kit.lab(entry)
    const ann = await kit.person(kind)
    await start(ann.page, place, server.tracker)
    const other = await ann.tab()
    expect(await start(other, place, server.tracker)).toBe(false)
    // As iOS does to one in the background, which is not told of it and keeps its locks.
    const session = await ann.page.createCDPSession()
    await session.send('Debugger.enable')
    const still = new Promise((resolve) => session.once('Debugger.paused', resolve))
    await session.send('Debugger.pause')
    void ann.page.evaluate(() => {}).catch(() => {})
    await still
    await other.evaluate(() => lab.seed(1000))
    expect(await leads(other)).toBe(true)
    await session.send('Debugger.resume')
    await until('the first tab to follow', async () => !(await leads(ann.page)))
    expect(await leads(other)).toBe(true)
    expect(await other.evaluate(() => lab.torrents())).toBe(1)
  })

  test.runIf(kind === 'chromium')('a tab that the browser freezes holds nobody up, and follows when it is thawed', async () => {
    const server = await kit.serve({ pages: false })
    const place = await kit.lab(entry)
    // The browser takes the frozen page's connection away.
    const ann = await kit.person(kind, { allow: [/announce/] })
    await start(ann.page, place, server.tracker)
    const other = await ann.tab()
    expect(await start(other, place, server.tracker)).toBe(false)
    await other.evaluate(() => lab.seed(1000))
    const session = await ann.page.createCDPSession()
    const set = (state: 'frozen' | 'active') => session.send('Page.setWebLifecycleState', { state })
    await set('frozen')
    await until('the other tab to lead', () => leads(other))
    await until('its torrent to be shared again', async () => (await other.evaluate(() => lab.torrents())) === 1)
    await set('active')
    await until('the first tab to follow', async () => !(await leads(ann.page)))
    expect(await leads(other)).toBe(true)
  })
})
