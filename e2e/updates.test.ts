/** What happens under an open page: a newer version of the app comes, or the browser takes away what it kept. */
import { beforeEach, describe, expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { harness, until, type Kind, type Person } from './harness/index.ts'
import { control, makeMemo, onTheClock, press, reads, recordFor, shareLink, titles, visit } from './memos.kit.ts'
import { Versions } from './versions.kit.ts'

const kit = harness()
let site: Versions

beforeEach(async () => {
  site = await Versions.start()
  kit.defer(() => site.close())
})

const script = (page: Page): Promise<string> => page.$eval('script[type=module]', (script) => (script as HTMLScriptElement).src)

/** Somebody with the app, kept for offline use. */
async function visitor(kind: Kind): Promise<Person> {
  // There is no tracker here.
  const ann = await visit(kit, site, kind, { own: true, allow: [/announce/] })
  await reads(ann.page, 'App ready for offline use')
  return ann
}

/** The page may go away under the click: what the driver takes for a miss, and tries again, has worked. */
async function reload(page: Page): Promise<void> {
  const gone = page.waitForNavigation()
  press(page, 'Reload').catch(() => {})
  await gone
}

/** The browser asks the server for a newer version, as it does when a page is opened. */
const check = (page: Page): Promise<void> =>
  page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()))

/** One more tab, which takes the next version for all of them. */
async function updated(ann: Person): Promise<Page> {
  const tab = await ann.tab()
  await tab.goto(site.origin)
  const before = await script(tab)
  site.release()
  await tab.goto(`${site.origin}/about`)
  await reads(tab, 'App updated')
  expect(await script(tab)).toBe(before)
  await reload(tab)
  await until('the next version', async () => (await script(tab).catch(() => before)) !== before)
  return tab
}

describe.each<Kind>(['chromium', 'firefox'])('%s', (kind) => {
  test('a newer version: the tab of before goes on recording, and still has all of its parts', async () => {
    const ann = await visitor(kind)
    const { page } = ann
    await recordFor(page, 1)
    await updated(ann)
    await page.bringToFront()
    await onTheClock(page, 3)
    await press(page, 'Stop')
    await control(page, 'Play')
    await press(page, 'Files', 'link')
    await reads(page, 'Send files')
  })

  test('a first visit while servers are updated: a page whose script is not to be had says what to do, and that helps', async () => {
    site.roll()
    const { page } = await visit(kit, site, kind, { own: true, allow: [/announce/, /404|Loading module/] })
    const words = () => page.$eval('.late', (late) => late.checkVisibility({ opacityProperty: true }) && late.textContent)
    expect(await until('a word', words)).toMatch(/load this page again/)
    site.release()
    await page.reload()
    await control(page, 'Record')
    expect(await words()).toBe(false)
  })

  test('a newer version that changes the database waits for a recording to be kept', async () => {
    const ann = await visitor(kind)
    const { page } = ann
    ann.allow(/version/)
    await recordFor(page, 1)
    const tab = await ann.tab()
    await tab.goto(`${site.origin}/about`)
    const kept = tab.evaluate(
      () =>
        new Promise<number>((resolve, reject) => {
          const request = indexedDB.open('memos', 2)
          request.onerror = () => reject(request.error!)
          request.onsuccess = () => {
            const memos = request.result.transaction('memos').objectStore('memos').count()
            memos.onsuccess = () => resolve(memos.result)
          }
        }),
    )
    await page.bringToFront()
    await onTheClock(page, 3)
    await press(page, 'Stop')
    expect(await kept).toBe(1)
  })

  test('a newer version that another tab took is offered once, and Reload gives it', async () => {
    const ann = await visitor(kind)
    const { page } = ann
    const before = await script(page)
    const told = page.evaluate(
      () =>
        new Promise<void>((resolve) => {
          navigator.serviceWorker.addEventListener('message', ({ data }: MessageEvent<{ type?: string } | undefined>) => {
            if (data?.type === 'starling:ready') resolve()
          })
        }),
    )
    site.release()
    const tab = await ann.tab()
    await tab.goto(`${site.origin}/about`)
    await reads(page, 'App updated')
    await reads(tab, 'App updated')
    await reload(tab)
    await told
    await page.bringToFront()
    expect(await page.$$('.toast-action')).toHaveLength(1)
    await reload(page)
    await until('the next version', async () => (await script(page).catch(() => before)) !== before)
  })

  // Firefox ends the service worker of before after half a minute.
  test.runIf(kind === 'chromium')('a newer version while something plays through the service worker of before: Reload is not in vain', async () => {
    const { page } = await visitor(kind)
    const before = await script(page)
    await page.evaluate(async () => {
      const { serviceWorker } = navigator
      serviceWorker.addEventListener('message', ({ data, ports: [port] }: MessageEvent<{ type?: string } | undefined>) => {
        if (data?.type !== 'starling:range') return
        port!.postMessage('looking')
        // Of which nothing comes.
        port!.postMessage({ name: 'film.mp4', type: 'video/mp4', size: 1e6 })
      })
      await fetch(`/~/${'a'.repeat(40)}/0/film.mp4`)
    })
    site.release()
    await check(page)
    await reads(page, 'App updated')
    await reload(page)
    await until('the next version', async () => {
      if ((await script(page).catch(() => before)) !== before) return true
      // It may be in charge only now that nothing of the page before plays.
      await page.$eval('.toast-action', (button) => (button as HTMLElement).click()).catch(() => {})
      return false
    })
  })

  test('two newer versions, one after the other: Reload gives the last', async () => {
    const { page } = await visitor(kind)
    const before = await script(page)
    site.release()
    await check(page)
    await reads(page, 'App updated')
    const replaced = page.evaluate(async () => {
      const { waiting } = await navigator.serviceWorker.ready
      await new Promise<void>((resolve) => waiting!.addEventListener('statechange', () => resolve()))
    })
    site.release()
    await check(page)
    await replaced
    expect(await page.$$('.toast-action')).toHaveLength(1)
    await reload(page)
    await until('the last version', async () => /y\.\w+$/.test(await script(page).catch(() => before)))
  })

  test('the operator goes back to the version before: it is offered, Reload gives it, and nothing of the newer one stays', async () => {
    const ann = await visitor(kind)
    const before = await script(ann.page)
    const tab = await updated(ann)
    site.goBack()
    await check(tab)
    await reads(tab, 'App updated')
    await reload(tab)
    await until('the version before', async () => (await script(tab).catch(() => '')) === before)
    await ann.page.close()
    await tab.close()
    const last = await ann.tab()
    await last.goto(site.origin)
    await until('the newer version to be gone', async () => (await last.evaluate(() => caches.keys())).length === 1)
  })

  test('a newer version where the browser threw away what was kept of this one: Reload gives it', async () => {
    const { page } = await visitor(kind)
    const before = await script(page)
    site.release()
    const [kept] = await page.evaluate(() => caches.keys())
    await check(page)
    await reads(page, 'App updated')
    await page.evaluate((name) => caches.delete(name), kept!)
    await reload(page)
    await until('the next version', async () => (await script(page).catch(() => before)) !== before)
  })

  test('a newer version: tabs of both work together, whichever runs the engine', async () => {
    const ann = await visitor(kind)
    const path = await makeMemo(ann.page, 'Shared')
    const link = await shareLink(ann.page)
    const tab = await updated(ann)
    await tab.goto(site.origin + path)
    expect(await shareLink(tab)).toBe(link)
    const old = await ann.page.evaluate(() => caches.keys())
    expect(old).toHaveLength(2)
    await ann.page.close()
    await tab.reload()
    await tab.bringToFront()
    expect(await shareLink(tab)).toBe(link)
    await tab.close()
    const last = await ann.tab()
    await last.goto(site.origin)
    await until('the memo', async () => (await titles(last)).join() === 'Shared')
    await until('the version before to be gone', async () => (await last.evaluate(() => caches.keys())).length === 1)
  })

  test('the site’s data is cleared: recordings go on to be made, and one under way says that it broke off', async () => {
    const ann = await visitor(kind)
    const { page } = ann
    ann.allow(/recording is gone/)
    const clear = () => page.evaluate(async () => void (await fetch('/clear')))
    await makeMemo(page, 'Before')
    await press(page, 'Memos', 'link')
    await clear()
    await recordFor(page, 1)
    await clear()
    await reads(page, 'The recording broke off.')
    await control(page, 'Record')
    await makeMemo(page, 'After')
    await press(page, 'Memos', 'link')
    expect(await titles(page)).toEqual(['After'])
  })
})
