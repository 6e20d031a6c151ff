/** Files between people: what a link shows, playing, saving and keeping them; sending some; and what goes wrong. */
import { createHash, randomBytes } from 'node:crypto'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { HTTPRequest, Page } from 'puppeteer-core'
import type { Files } from '../web/files/files.ts'
import type { Toasts } from '../web/ui/toasts.ts'
import { harness, later, until, type Kind, type Person, type Server } from './harness/index.ts'
import { allow, arrived, choose, chooseFilm, chooseMany, givenLink, haveParcels, saver, send, sharing, unzip, write } from './files.kit.ts'
import { accessible, control, makeMemo, path, press, reads, shareLink, text, titles } from './memos.kit.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const visitor = (kind: Kind = 'chromium'): Promise<Person> => kit.person(kind, { allow })

/** From the next page on, the browser asks to be sparing: anything above 50 MB is fetched and copied on demand only. */
async function sparing(page: Page): Promise<void> {
  await page.evaluateOnNewDocument(() => {
    Object.defineProperty(navigator, 'connection', { value: { saveData: true } })
  })
}

describe.each(['chromium', 'firefox'] as const)('to %s', (kind) => {
  test('a private link: what it is, from whom it comes, saved byte for byte, kept, and deleted', async () => {
    const ann = await visitor()
    const { person: bob, saved } = await saver(kit, kind)
    const [film] = await write(await kit.folder(), { 'Holiday plans.zip': randomBytes(9_000_000) })
    const link = await send(ann.page, server.origin, [film!])
    expect(link).toMatch(/\/f#[0-9a-f]{40}\.[\w-]{22}$/)
    await reads(ann.page, 'Nobody has it yet. Keep this page open')

    await bob.page.goto(link)
    const shown = await arrived(bob.page)
    for (const words of ['A file for you', 'Holiday plans.zip', '9 MB', 'Only for those with the link', 'to pass it on'])
      expect(shown).toContain(words)
    await reads(ann.page, '1 other has all of it. You may close this page.')
    await press(bob.page, 'Download')
    // The message goes by itself.
    const [file] = await Promise.all([saved('Holiday plans.zip'), reads(bob.page, 'is with your downloads')])
    expect(hash(file)).toBe(hash(await readFile(film!)))
    expect(await bob.page.evaluate(() => location.href)).toBe(link)

    // What was kept needs nobody else; and Bob passes it on.
    await ann.page.close()
    await bob.page.goto(`${server.origin}/files`)
    await reads(bob.page, /On this device\s+9 MB/)
    await press(bob.page, 'Holiday plans.zip', 'link')
    await arrived(bob.page)
    const carol = await visitor()
    await carol.page.goto(link)
    await arrived(carol.page)

    await press(bob.page, 'Delete')
    await press(bob.page, 'Undo')
    await reads(bob.page, 'Received')
    await press(bob.page, 'Delete Holiday plans.zip')
    await press(bob.page, 'Close this message')
    await until('it to be gone', async () => !(await text(bob.page)).includes('Received'))
  })
})

test.each<Kind>(['chromium', 'firefox'])('%s that keeps nothing for the page: what links lead to is shown and saved all the same', async (kind) => {
  const ann = await visitor()
  await ann.allowMicrophone(server.origin)
  const profile = await kit.folder()
  await write(profile, { 'Default/Preferences': '{"profile":{"default_content_setting_values":{"cookies":2}}}' })
  const { person: bob, saved } = await saver(kit, kind, { 'network.cookie.cookieBehavior': 2 }, [`--user-data-dir=${profile}`])
  bob.allow(/service ?worker|insecure|denied/i)
  const [plan] = await write(await kit.folder(), { 'Plan.txt': 'first the one, then the other' })
  await bob.page.goto(await send(ann.page, server.origin, [plan!]))
  await reads(bob.page, 'first the one, then the other')
  await reads(bob.page, 'What you do not download is gone when the page is closed')
  await press(bob.page, 'Download')
  expect((await saved('Plan.txt')).toString()).toBe('first the one, then the other')

  const songs = join(await kit.folder(), 'Songs')
  await write(songs, { 'one/song.txt': 'la', 'two/song.txt': 'lala' })
  await bob.page.goto(await send(ann.page, server.origin, [songs], 'folder'))
  await arrived(bob.page)
  await press(bob.page, 'Download all')
  const archive = unzip(await saved('Songs.zip'))
  expect([...archive].map(([name, song]) => `${name}: ${song}`)).toEqual(['Songs/one/song.txt: la', 'Songs/two/song.txt: lala'])

  await ann.page.goto(server.origin)
  await makeMemo(ann.page, 'Tune')
  await bob.page.goto(await shareLink(ann.page))
  await arrived(bob.page)
  expect(await bob.page.$eval('audio', (audio) => audio.src)).toMatch(/^blob:/)
  await press(bob.page, 'Download')
  expect((await saved('Tune.webm')).length).toBeGreaterThan(1000)

  await bob.page.goto(`${server.origin}/files`)
  await choose(bob.page, [plan!])
  await reads(bob.page, 'it cannot send')
})

test('an app on the Home Screen of an iPhone: what is saved goes to the sheet of "Share", as iOS downloads lead nowhere', async () => {
  const ann = await visitor()
  await ann.allowMicrophone(server.origin)
  const bob = await visitor()
  await bob.page.evaluateOnNewDocument(() => {
    const shared: Record<string, string> = {}
    const share = async ({ files: [file] }: { files: File[] }) => {
      // Pressed too long ago, the first time.
      if (!('late' in shared)) {
        shared.late = ''
        throw new DOMException('', 'NotAllowedError')
      }
      const bytes = [...new Uint8Array(await file!.arrayBuffer())]
      shared[file!.name] = `${file!.type}: ${bytes.map((byte) => String.fromCharCode(byte)).join('')}`
    }
    const iPhone = { standalone: true, canShare: () => true, share }
    for (const [name, value] of Object.entries(iPhone)) Object.defineProperty(navigator, name, { value })
    Object.assign(window, { shared })
  })
  type Sheet = { shared: Record<string, string> }
  const shared = (name: string) =>
    until(`${name} to be shared`, () => bob.page.evaluate((name) => (globalThis as unknown as Sheet).shared[name], name))
  const inTime = () => bob.page.evaluate(() => void ((globalThis as unknown as Sheet).shared.late = ''))
  const [plan] = await write(await kit.folder(), { 'Plan.txt': 'first the one, then the other' })
  await bob.page.goto(await send(ann.page, server.origin, [plan!]))
  await arrived(bob.page)
  await press(bob.page, 'Download')
  await reads(bob.page, 'is ready')
  await press(bob.page, 'Save')
  expect(await shared('Plan.txt')).toBe('text/plain: first the one, then the other')

  const songs = join(await kit.folder(), 'Songs')
  await write(songs, { 'one/song.txt': 'la', 'two/song.txt': 'lala' })
  await bob.page.goto(await send(ann.page, server.origin, [songs], 'folder'))
  await arrived(bob.page)
  await inTime()
  await press(bob.page, 'Download all')
  const [type, ...bytes] = (await shared('Songs.zip')).split(': ')
  expect(type).toBe('application/zip')
  expect([...unzip(Buffer.from(bytes.join(': '), 'latin1')).keys()]).toEqual(['Songs/one/song.txt', 'Songs/two/song.txt'])

  await ann.page.goto(server.origin)
  await makeMemo(ann.page, 'Tune')
  await bob.page.goto(await shareLink(ann.page))
  await press(bob.page, 'Open in your memos', 'link')
  await inTime()
  await press(bob.page, 'Download')
  expect((await shared('Tune.webm')).length).toBeGreaterThan(1000)
})

test('the service worker is taken away under an open page: it stays where it is, and saves', async () => {
  const ann = await visitor()
  const { person: bob, saved } = await saver(kit, 'firefox')
  const [plan] = await write(await kit.folder(), { 'Plan.txt': 'first the one, then the other' })
  const link = await send(ann.page, server.origin, [plan!])
  await bob.page.goto(link)
  await arrived(bob.page)
  await until('the service worker', () => bob.page.evaluate(() => !!navigator.serviceWorker.controller))
  const other = await bob.tab()
  await other.goto(`${server.origin}/stats`)
  await other.evaluate(async () => {
    for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister()
  })
  await press(bob.page, 'Download')
  expect((await saved('Plan.txt')).toString()).toBe('first the one, then the other')
  expect(await bob.page.evaluate(() => location.href)).toBe(link)
})

describe('a download whose service worker the browser ends', () => {
  /** In the middle of it: the page, its files, and how fast they come from now on. */
  async function halfDownloaded(kind: Kind, prefs = {}) {
    const ann = await visitor()
    const { person, saved } = await saver(kit, kind, prefs)
    const { page } = person
    const sent = randomBytes(9_000_000)
    const link = await send(ann.page, server.origin, await write(await kit.folder(), { 'long.bin': sent }))
    const host = async () => {
      const shown = await page.waitForSelector('files-home, files-receive')
      return shown!.evaluateHandle((shown) => (shown as unknown as { files: Files }).files.host)
    }
    const limit = async (downloadLimit: number) =>
      (await host()).evaluate(async (host, downloadLimit) => (await host.node()).limit({ downloadLimit }), downloadLimit)
    await page.goto(`${server.origin}/files`)
    await limit(300_000)
    await (await host()).evaluate((host, link) => host.navigate(link), link)
    await press(page, 'Download')
    return { page, sent, saved, limit }
  }

  test('is said to be over, and begun again in one press', async () => {
    const { page, sent, saved, limit } = await halfDownloaded('chromium')
    await reads(page, /[1-9]\d* % downloaded/)
    const devtools = await page.createCDPSession()
    await devtools.send('ServiceWorker.enable')
    await devtools.send('ServiceWorker.stopAllWorkers')
    await reads(page, 'was not downloaded to its end.')
    expect(await text(page)).not.toContain('% downloaded')
    await limit(Infinity)
    await press(page, 'Try again')
    await reads(page, 'is with your downloads')
    expect(hash(await saved('long.bin'))).toBe(hash(sent))
  })

  test('is said to be over in Firefox, too', async () => {
    const soon = { 'dom.serviceWorkers.idle_timeout': 1000, 'dom.serviceWorkers.idle_extended_timeout': 1000 }
    const { page } = await halfDownloaded('firefox', soon)
    await reads(page, 'was not downloaded to its end.')
    await control(page, 'Try again')
  })
})

test('a large film plays from anywhere while only that is fetched, until all of it is asked for', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await ann.page.goto(`${server.origin}/files`)
  await chooseFilm(ann.page, 'Murmuration.webm', 270)
  const link = await givenLink(ann.page)
  await sparing(bob.page)
  await bob.page.goto(link)
  await reads(bob.page, 'Only what you play or download is fetched.')
  await bob.page.waitForSelector('video')
  const at = await bob.page.evaluate(async () => {
    const video = document.querySelector('video')!
    if (!video.readyState) await new Promise((resolve) => (video.onloadedmetadata = resolve))
    video.currentTime = 200
    await new Promise((resolve) => (video.onseeked = resolve))
    return [video.currentTime, Math.round(video.duration), video.videoWidth]
  })
  expect(at).toEqual([200, 270, 640])
  const percent = Number(/(\d+) % here/.exec(await reads(bob.page, /\d+ % here/))?.[1])
  expect(percent).toBeLessThan(80)
  await press(bob.page, 'Get all of it')
  await arrived(bob.page)
})

test('several files: some shown, hostile names as text, all saved as one archive', async () => {
  const ann = await visitor()
  const { person: bob, saved } = await saver(kit, 'chromium')
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
  const files = {
    '<img src=x onerror=alert(1)>.txt': 'just words\n<b>not bold</b>',
    '\u202egpj.exe': randomBytes(1000),
    'CON': 'not a device',
    'bird.svg': svg,
    'evil.html': '<script>alert(2)</script>',
    [`${'long '.repeat(40)}.bin`]: randomBytes(70_000),
    'empty': '',
  }
  const from = await kit.folder()
  const paths = await write(join(from, '"><script>alert(3)</script>'.replace('/', '∕')), files)
  const link = await send(ann.page, server.origin, [paths[0]!.slice(0, paths[0]!.lastIndexOf('/'))], 'folder')
  await bob.page.goto(link)
  const shown = await arrived(bob.page)
  for (const words of ['7 files', '<img src=x onerror=alert(1)>', 'gpj.exe']) expect(shown.replaceAll('_', '<')).toContain(words.replaceAll('>', '<'))
  expect(shown).not.toContain('\u202e')
  expect(await bob.page.$('main img, main script')).toBe(null)

  await (await control(bob.page, 'bird.svg')).click()
  await reads(bob.page, svg, '.viewer')
  await (await control(bob.page, 'evil.html')).click()
  await reads(bob.page, '<script>alert(2)</script>', '.viewer')

  await press(bob.page, 'Download all')
  const name = await bob.page.$eval('h1', (title) => title.textContent)
  const archive = unzip(await saved(`${name}.zip`))
  expect([...archive.values()].map(hash).sort()).toEqual(Object.values(files).map((file) => hash(Buffer.from(file as string))).sort())
  for (const path of archive.keys()) expect(path).not.toMatch(/[<>:"|?*\u202e]|(^|\/)(\.\.|CON)(\/|$)/)
  await press(bob.page, 'Download bird.svg')
  expect((await saved('bird.svg')).toString()).toBe(svg)
})

test.each(['memo', 'memos'])('what its card calls %s, and has no sound, is shown here, and not sent from section to section', async (card) => {
  const [ann, bob] = [await visitor(), await visitor()]
  await ann.page.goto(`${server.origin}/files`)
  await control(ann.page, 'Choose files')
  const link = await ann.page.evaluate(async (kind) => {
    const { files } = document.querySelector('files-home') as unknown as { files: Files }
    const torrent = await (await files.host.node()).seed(new File(['just words'], 'words.txt'), { private: true, card: { kind } })
    return torrent.link
  }, card)
  await bob.page.goto(link)
  await arrived(bob.page)
  await reads(bob.page, 'just words')
  expect(await path(bob.page)).toMatch(/^\/f/)
})

test('names and texts are written in the direction of their letters', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  const paths = await write(await kit.folder(), { 'שלום.txt': 'שלום', 'hello.txt': 'hello' })
  await bob.page.goto(await send(ann.page, server.origin, paths))
  await arrived(bob.page)
  const direction = (page: Page, selector: string) =>
    page.$$eval(selector, (names) => names.map((name) => `${name.textContent} ${getComputedStyle(name).direction}`).sort())
  for (const { page } of [ann, bob]) {
    await page.waitForSelector('.file-row')
    expect(await direction(page, '.file-name span')).toEqual(['hello.txt ltr', 'שלום.txt rtl'])
  }
  await (await control(bob.page, 'שלום.txt')).click()
  await reads(bob.page, 'שלום', '.viewer pre')
  expect(await direction(bob.page, '.viewer pre')).toEqual(['שלום rtl'])
})

test('what was sent just now was not for as long as the page is open', async () => {
  const { page } = await visitor()
  await page.evaluateOnNewDocument(() => {
    const { setInterval } = globalThis
    globalThis.setInterval = ((work: () => void, time: number) => setInterval(work, Math.min(time, 500))) as typeof globalThis.setInterval
  })
  const [one] = await write(await kit.folder(), { 'a.bin': randomBytes(1000) })
  await send(page, server.origin, [one!])
  await press(page, 'Files', 'link')
  await reads(page, 'Just now')
  await later(page, 600)
  await reads(page, /1\d minutes ago/)
})

test('both sides read how long it still takes, once that can be told', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  const [one] = await write(await kit.folder(), { 'long.bin': randomBytes(40_000_000) })
  const link = await send(ann.page, server.origin, [one!])
  await bob.page.goto(`${server.origin}/files`)
  const home = await bob.page.waitForSelector('files-home')
  await home!.evaluate(async (home, link) => {
    const { host } = (home as unknown as { files: Files }).files
    await (await host.node()).limit({ downloadLimit: 200_000 })
    host.navigate(link)
  }, link)
  await reads(bob.page, /About \d minutes left/, '.standing')
  await reads(ann.page, /About \d minutes left/, '.delivery')
})

test('on a phone nothing moves as the numbers of a transfer change', async () => {
  const { page } = await visitor()
  await page.setViewport({ width: 360, height: 740 })
  await page.goto(`${server.origin}/f#${'0123456789'.repeat(4)}.${'A'.repeat(22)}`)
  await reads(page, 'Looking for whoever has it')
  const below = (words: string, time = '') =>
    page.evaluate((...words) => {
      document.querySelectorAll('.standing-phase span').forEach((span, i) => (span.textContent = words[i]!))
      return document.querySelector('.standing .bar')!.getBoundingClientRect().top
    }, words, time)
  const first = await below('297 MB to go, 999 kB per second')
  expect(await below('297 MB to go, 1 MB per second')).toBe(first)
  expect(await below('297 MB to go, 999 kB per second', 'Less than a minute left')).toBe(first)
  expect(await below('1 MB to go')).toBe(first)
})

test('in the list of a phone what is said of each is in one line, and nothing is said that only a mouse can do', async () => {
  const { page } = await visitor()
  await page.goto(`${server.origin}/files`)
  await reads(page, 'Drop or paste them here, or choose them.')
  await haveParcels(page, [
    { sent: { private: sharing(server, 1), kept: true } },
    { sent: { private: sharing(server, 2), public: sharing(server, 3), kept: true } },
    { sent: { private: sharing(server, 4), kept: false } },
    { from: { ...sharing(server, 5), whole: true, done: true } },
  ])
  await page.setViewport({ width: 360, height: 740, isMobile: true, hasTouch: true })
  await page.reload()
  for (const badge of ['Shared', 'Public', 'Not at hand', 'Received']) await reads(page, badge)
  expect(await text(page)).not.toContain('Drop')
  for (const width of [360, 375, 390, 412]) {
    await page.setViewport({ width, height: 740, isMobile: true, hasTouch: true })
    const heights = await page.$$eval('.row-facts', (all) => all.map((facts) => facts.clientHeight))
    // A badge alone is that high.
    expect(Math.max(...heights), `${width} px`).toBeLessThan(30)
  }
})

test('a list is where it was when the page is loaded anew', async () => {
  const { page } = await visitor()
  await page.goto(`${server.origin}/files`)
  await reads(page, 'Choose files')
  await haveParcels(page, Array.from({ length: 60 }, () => ({ sent: { private: sharing(server, 1), kept: true } })))
  await page.reload()
  const rows = () => page.evaluate(() => document.querySelectorAll('.row').length)
  await until('the list', async () => (await rows()) === 60)
  await page.evaluate(() => scrollTo(0, 1500))
  // Rows that are out of sight are as high as they turn out to be.
  const scrolled = () => page.evaluate(() => Math.abs(scrollY - 1500) < 200)
  await until('it to be scrolled', scrolled)
  await page.reload()
  await until('it to be there again', scrolled)
})

test('a browser that cannot choose folders is not asked to', async () => {
  const { page } = await visitor()
  await page.evaluateOnNewDocument(() => void delete (HTMLInputElement.prototype as Partial<HTMLInputElement>).webkitdirectory)
  await page.goto(`${server.origin}/files`)
  expect(await reads(page, 'Choose files')).not.toContain('Choose a folder')
})

test('a message that stays behind when another is closed by keyboard goes in its time', async () => {
  const { page } = await visitor('firefox')
  await page.goto(`${server.origin}/files`)
  await reads(page, 'Choose files')
  const show = (text: string, time: number) =>
    page.$eval('ui-toasts', (toasts, text, time) => (toasts as Toasts).show({ text, time }), text, time)
  const messages = () => page.$$eval('.toast', (all) => all.length)
  await show('one', Infinity)
  await show('two', 3000)
  await until('both', async () => (await messages()) === 2)
  await page.focus('.toast-close')
  await page.keyboard.press('Enter')
  await until('all to be gone', async () => (await messages()) === 0)
})

test('the page of what was received has a way back to the list, and a link that leads nowhere yet stays in the history', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  const [one] = await write(await kit.folder(), { 'one.bin': randomBytes(1000) })
  const { page } = bob
  const back = () => page.locator('.parcel-back').click()
  await page.goto(`${server.origin}/f#${'0123456789'.repeat(4)}.${'A'.repeat(22)}`)
  await reads(page, 'Looking for whoever has it')
  await back()
  await reads(page, 'Choose files')
  await page.goBack()
  await reads(page, 'Looking for whoever has it')
  await page.goto(await send(ann.page, server.origin, [one!]))
  await arrived(page)
  await back()
  await press(page, 'one.bin', 'link')
  await arrived(page)
  const before = await page.evaluate(() => history.length)
  await back()
  await reads(page, 'Received')
  expect(await page.evaluate(() => history.length)).toBe(before)
})

test('who wants less motion is at once where a file is shown', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await ann.page.goto(`${server.origin}/files`)
  await chooseMany(ann.page, 100)
  const link = await givenLink(ann.page)
  const { page } = bob
  await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }])
  await page.goto(link)
  await arrived(page)
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight))
  const last = await control(page, '99.txt')
  const places = await page.evaluateHandle(() => {
    const places = new Set<number>()
    addEventListener('scroll', () => places.add(scrollY))
    return places
  })
  await last.evaluate((button) => (button as HTMLElement).click())
  await until('it to be seen', () =>
    page.evaluate(() => (document.querySelector('.viewer pre')?.getBoundingClientRect().top ?? -1) >= 0),
  )
  // Also when it comes to be there, the page may be moved.
  expect((await places.evaluate((places) => [...places])).length).toBeLessThanOrEqual(3)
})

test('by keyboard, what is chosen of many files is one step away, and not behind all before it', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await ann.page.goto(`${server.origin}/files`)
  await chooseMany(ann.page, 30)
  const { page } = bob
  await page.goto(await givenLink(ann.page))
  await arrived(page)
  await (await control(page, '9.txt')).focus()
  await page.keyboard.press('Enter')
  await reads(page, 'many/30/9.txt', '.viewer')
  const focused = () => page.evaluate(() => document.activeElement!.tagName)
  expect(await focused()).toBe('H2')
  await page.keyboard.press('Tab')
  expect(await focused()).toBe('PRE')
})

test('ten thousand files are listed, found and scrolled through with few on the page', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await ann.page.goto(`${server.origin}/files`)
  await chooseMany(ann.page, 10_000)
  const link = await givenLink(ann.page)
  await bob.page.goto(link)
  await reads(bob.page, '10,000 files')
  const rows = () => bob.page.$$eval('.file-row', (rows) => rows.length)
  expect(await rows()).toBeLessThan(100)
  await bob.page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight))
  await reads(bob.page, '9999.txt')
  expect(await rows()).toBeLessThan(100)
  const last = await bob.page.$eval('.file-row:last-child', (row) => [row.ariaSetSize ?? row.getAttribute('aria-setsize'), row.getAttribute('aria-posinset')])
  expect(last).toEqual(['10000', '10000'])
  const nodes = () => bob.page.$eval('.file-rows', (list) => list.childNodes.length)
  const once = await nodes()
  for (const [row, top] of [[1, 0], [10_000, 1e9]] as const) {
    await bob.page.evaluate((top) => scrollTo(0, top), top)
    await bob.page.waitForSelector(`.file-row[aria-posinset="${row}"]`)
  }
  expect(await nodes()).toBe(once)
  await (await control(bob.page, 'Find a file', 'searchbox')).type('77/7742')
  await until('one found', async () => (await rows()) === 1)
  await (await control(bob.page, '7742.txt')).click()
  await reads(bob.page, '77/7742.txt', '.viewer')
})

test('a public link is a plain torrent; links find their section, wherever they are opened', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await ann.allowMicrophone(server.origin)
  const from = await kit.folder()
  const [one] = await write(from, { 'for all.bin': randomBytes(300_000) })
  await send(ann.page, server.origin, [one!])
  await press(ann.page, 'Public link')
  const magnet = await control(ann.page, 'Magnet', 'textbox')
  expect(await magnet!.evaluate((input) => (input as HTMLInputElement).value)).toMatch(/^magnet:\?xt=urn:btih:[0-9a-f]{40}&/)
  const link = await givenLink(ann.page)
  expect(link).toMatch(/\/f#[0-9a-f]{40}$/)
  // As links of the engine have it.
  await bob.page.goto(link.replace('/f#', '/m#'))
  expect(await arrived(bob.page)).toContain('Public: anyone may fetch it')
  expect(await bob.page.evaluate(() => location.href)).toBe(link)

  await press(ann.page, 'Memos', 'link')
  await makeMemo(ann.page, 'A memo')
  const memo = await shareLink(ann.page)
  await bob.page.goto(memo.replace('/m#', '/f#'))
  await reads(bob.page, 'Saved')
  await bob.page.goto(`${server.origin}/memos`)
  await until('the memo', async () => (await titles(bob.page)).join() === 'A memo')
})

test('who goes on to another page while a link is made reads that page’s name in the title of the window', async () => {
  const { page } = await visitor()
  const [one] = await write(await kit.folder(), { 'late.bin': randomBytes(400_000) })
  await send(page, server.origin, [one!])
  await reads(page, 'Nobody has it yet')
  const both = await Promise.all([control(page, 'Public link'), control(page, 'Memos', 'link')])
  const sent = await page.evaluateHandle(() => document.querySelector('files-sent') as Element & { torrent?: unknown })
  await page.evaluate((...both) => both.forEach((element) => (element as HTMLElement).click()), ...both)
  await until('the link', () => sent.evaluate(({ torrent }) => !!torrent))
  expect(await page.title()).toMatch(/^Memos/)
})

test('a link to a large file can be cancelled while it is made', async () => {
  const { page } = await visitor()
  const large = join(await kit.folder(), 'large.bin')
  await writeFile(large, '')
  await truncate(large, 20e9) // nothing but holes, and a minute to read
  await page.goto(`${server.origin}/files`)
  await choose(page, [large])
  await press(page, 'Cancel')
  await control(page, 'Choose files')
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Send files')
  expect(await text(page)).not.toContain('On this device')
  const [small] = await write(await kit.folder(), { 'small.bin': randomBytes(1000) })
  await send(page, server.origin, [small!])
  await reads(page, 'Nobody has it yet')
})

test('a public link to what was sent can be cancelled while it is made', async () => {
  const { page } = await visitor()
  await page.evaluateOnNewDocument(() => {
    const { digest } = SubtleCrypto.prototype
    SubtleCrypto.prototype.digest = async function (...args) {
      while (document.documentElement.dataset.slow) await new Promise(requestAnimationFrame)
      return digest.apply(this, args)
    }
  })
  const slow = (yes: boolean) => page.evaluate((yes) => void (document.documentElement.dataset.slow = yes ? '1' : ''), yes)
  const [one] = await write(await kit.folder(), { 'one.bin': randomBytes(400_000) })
  const link = await send(page, server.origin, [one!])
  await reads(page, 'Nobody has it yet')
  await slow(true)
  await press(page, 'Public link')
  await press(page, 'Cancel')
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('one.bin')
  await slow(false)
  await until('the private link again', () => page.$eval('.choice-of-link [aria-pressed=true]', (button) => button.textContent === 'Private link'))
  expect(await givenLink(page)).toBe(link)
  expect(await reads(page, 'Nobody has it yet')).not.toContain('could not')
  await press(page, 'Public link')
  await control(page, 'Magnet', 'textbox')
})

describe('after a reload', () => {
  test.each(['', ', also where the browser was killed'])('a link goes on by itself where a copy is kept, whatever section is shown%s', async (killed) => {
    const [ann, bob] = [await visitor(), await visitor()]
    const [one] = await write(await kit.folder(), { 'kept.bin': randomBytes(400_000) })
    const link = await send(ann.page, server.origin, [one!])
    await reads(ann.page, 'A copy is kept in this browser')
    // As it loses what was noted in the last seconds.
    if (killed) await ann.page.evaluateOnNewDocument(() => localStorage.clear())
    await ann.page.goto(`${server.origin}/memos`)
    await bob.page.goto(link)
    await arrived(bob.page)
    // Whoever opens a link of their own sees what became of it.
    await ann.page.goto(link)
    await reads(ann.page, '1 other has all of it')
    expect(await path(ann.page)).toMatch(/^\/files\/[\w-]+$/)
  })

  test('or in another tab, whatever that shows, when the one that sent it is closed', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    const other = ann.page
    await other.goto(`${server.origin}/about`)
    const databases = () => other.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name))
    await until('the page to have looked for what goes on', async () => (await databases()).includes('memos'))
    const page = await ann.tab()
    await page.bringToFront()
    const [one] = await write(await kit.folder(), { 'kept.bin': randomBytes(400_000) })
    const link = await send(page, server.origin, [one!])
    await reads(page, 'A copy is kept in this browser')
    const turns = () => other.evaluate(async () => (await navigator.locks.query()).pending!.map(({ name }) => name))
    await until('the other tab to wait for its turn', async () => (await turns()).includes('files-sharing'))
    await page.close()
    await bob.page.goto(link)
    await arrived(bob.page)
  })

  test('and when it is brought back after the one that sent it was closed', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    const [one] = await write(await kit.folder(), { 'back.bin': randomBytes(400_000) })
    const link = await send(ann.page, server.origin, [one!])
    await reads(ann.page, 'A copy is kept in this browser')
    const list = await ann.tab()
    await list.bringToFront()
    await list.goto(`${server.origin}/files`)
    const turns = (of: 'held' | 'pending') =>
      list.evaluate(async (of) => (await navigator.locks.query())[of]!.some(({ name }) => name === 'files-sharing'), of)
    await until('the list to wait for its turn', () => turns('pending'))
    await press(list, 'Delete back.bin')
    await control(list, 'Undo')
    await ann.page.close()
    // It goes on with all that is not deleted.
    await until('its turn', async () => (await turns('held')) && !(await turns('pending')))
    await press(list, 'Undo')
    await bob.page.goto(link)
    await arrived(bob.page)
  })

  test('without a copy the page says so, and takes the same files again, but no others', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    await ann.page.evaluateOnNewDocument(() => {
      navigator.storage.estimate = async () => ({ quota: 1e9, usage: 1e9 - 1000 })
    })
    const [same, other] = await write(await kit.folder(), { 'a.bin': randomBytes(5_000), 'b.bin': randomBytes(6_000) })
    const link = await send(ann.page, server.origin, [same!])
    await reads(ann.page, 'the link works as long as this page is open')
    await ann.page.reload()
    await reads(ann.page, 'The file is not at hand any more')
    await choose(ann.page, [other!], 'again')
    await reads(ann.page, 'This is not the same file')
    await choose(ann.page, [same!], 'again')
    await reads(ann.page, 'the link works as long as this page is open')
    expect(await givenLink(ann.page)).toBe(link)
    await bob.page.goto(link)
    await arrived(bob.page)
    expect(await text(bob.page)).toContain(basename(same!))
  })

  test('every tab’s list says what is not at hand any more, and that it is again', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    const tab = async () => {
      const page = await ann.tab()
      await page.evaluateOnNewDocument(() => {
        navigator.storage.estimate = async () => ({ quota: 1e9, usage: 1e9 - 1000 })
      })
      await page.bringToFront()
      return page
    }
    const [one, two] = await write(await kit.folder(), { 'one.bin': randomBytes(5_000), 'two.bin': randomBytes(6_000) })
    const first = await tab()
    await send(first, server.origin, [one!])
    const second = await tab()
    const link = await send(second, server.origin, [two!])
    const list = await tab()
    await list.goto(`${server.origin}/files`)
    const rows = () =>
      list.$$eval('.row', (rows) => rows.map((row) => row.textContent!.match(/\w+\.bin|Shared|Not at hand/g)!.join(' ')))
    const says = (ofTwo: string, ofOne: string) => {
      const wanted = `two.bin ${ofTwo}, one.bin ${ofOne}`
      return until(wanted, async () => (await rows()).join(', ') === wanted)
    }
    await says('Shared', 'Shared')
    // The engine ran there.
    await first.close()
    await says('Shared', 'Not at hand')
    await second.close()
    await says('Not at hand', 'Not at hand')
    await reads(list, 'Choose the same file again')
    await press(list, 'two.bin', 'link')
    await choose(list, [two!], 'again')
    await reads(list, 'the link works as long as this page is open')
    await press(list, 'Files', 'link')
    await says('Shared', 'Not at hand')
    await bob.page.goto(link)
    await arrived(bob.page)
    await list.reload()
    await says('Not at hand', 'Not at hand')
  })

  test('what was paused while it was looked for elsewhere goes out when the files are chosen again', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    await ann.page.evaluateOnNewDocument(() => {
      navigator.storage.estimate = async () => ({ quota: 1e9, usage: 1e9 - 1000 })
    })
    const [one] = await write(await kit.folder(), { 'a.bin': randomBytes(5_000) })
    const link = await send(ann.page, server.origin, [one!])
    await reads(ann.page, 'the link works as long as this page is open')
    const sent = ann.page.url()
    await ann.page.goto(link)
    await press(ann.page, 'Pause')
    await reads(ann.page, 'Paused')
    await ann.page.goto(sent)
    await choose(ann.page, [one!], 'again')
    await reads(ann.page, 'the link works as long as this page is open')
    await bob.page.goto(link)
    await arrived(bob.page)
  })
})

describe('files that are changed where they lie after they were sent', () => {
  // The page still has the last megabytes of what it hashed.
  const size = 12 << 20

  test('go out as they were where a copy is kept', async () => {
    // In private windows Chromium's database refers to the file itself.
    const [ann, bob] = [await kit.person('chromium', { allow, own: true }), await visitor()]
    const [one] = await write(await kit.folder(), { 'report.bin': randomBytes(size) })
    const link = await send(ann.page, server.origin, [one!])
    await reads(ann.page, 'A copy is kept in this browser')
    await writeFile(one!, 'written on')
    await bob.page.goto(link)
    await arrived(bob.page)
    await reads(ann.page, '1 other has all of it')
  })

  test('do not go out as they are now, of which Firefox says nothing', async () => {
    const [ann, bob] = [await kit.person('firefox', { allow }), await visitor()]
    const [one] = await write(await kit.folder(), { 'report.bin': randomBytes(size) })
    const link = await send(ann.page, server.origin, [one!])
    await reads(ann.page, 'A copy is kept in this browser')
    await writeFile(one!, randomBytes(size))
    await bob.page.goto(link)
    await arrived(bob.page)
    await reads(ann.page, '1 other has all of it')
  })

  test('are asked for again where the copy is but the file itself, as in private windows of Chromium', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    const sent = randomBytes(size)
    const [one] = await write(await kit.folder(), { 'report.bin': sent })
    const link = await send(ann.page, server.origin, [one!])
    await reads(ann.page, 'A copy is kept in this browser')
    const list = await ann.tab()
    await list.goto(`${server.origin}/files`)
    await reads(list, 'Shared')
    await writeFile(one!, 'written on')
    await bob.page.goto(link)
    await reads(ann.page, 'The copy that was kept here cannot be read')
    await reads(list, 'Not at hand')
    await writeFile(one!, sent)
    await choose(ann.page, [one!], 'again')
    await arrived(bob.page)
  })

  test('are asked for again where none is kept', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    await ann.page.evaluateOnNewDocument(() => {
      navigator.storage.estimate = async () => ({ quota: 1e9, usage: 1e9 - 1000 })
    })
    const sent = randomBytes(size)
    const [one] = await write(await kit.folder(), { 'report.bin': sent })
    const link = await send(ann.page, server.origin, [one!])
    await reads(ann.page, 'the link works as long as this page is open')
    await writeFile(one!, 'written on')
    await bob.page.goto(link)
    await reads(ann.page, 'it was changed, moved or deleted since')
    await choose(ann.page, [one!], 'again')
    await reads(ann.page, 'This is not the same file')
    await writeFile(one!, sent)
    await choose(ann.page, [one!], 'again')
    await arrived(bob.page)
  })
})

test('a link that cannot be made is said to be so, and made when that is tried again', async () => {
  const { page } = await visitor()
  await page.evaluateOnNewDocument(() => {
    const { put } = IDBObjectStore.prototype
    IDBObjectStore.prototype.put = function (...args) {
      if (document.documentElement.dataset.full) throw new DOMException('', 'QuotaExceededError')
      return put.apply(this, args)
    }
  })
  const full = (yes: boolean) => page.evaluate((yes) => void (document.documentElement.dataset.full = yes ? '1' : ''), yes)
  const [one] = await write(await kit.folder(), { 'one.bin': randomBytes(5_000) })
  const link = await send(page, server.origin, [one!])
  await reads(page, 'A copy is kept in this browser')
  await full(true)
  await press(page, 'Public link')
  expect(await reads(page, 'This device is full')).not.toContain('not at hand')
  await full(false)
  await press(page, 'Retry')
  await reads(page, 'A copy is kept in this browser')
  expect(await givenLink(page)).not.toBe(link)
})

test('what was deleted and is opened by its link again stays when Undo is not offered any more', async () => {
  const [ann, bob, carol] = [await visitor(), await visitor(), await visitor()]
  const [one] = await write(await kit.folder(), { 'regret.bin': randomBytes(400_000) })
  const link = await send(ann.page, server.origin, [one!])
  await bob.page.goto(link)
  await arrived(bob.page)
  for (const [page, badge] of [[bob.page, 'Received'], [ann.page, 'Shared']] as const) {
    await press(page, 'Delete')
    await until('it to be deleted', async () => (await text(page, 'ui-toasts')).includes('Deleted'))
    await reads(page, 'Choose files')
    await page.evaluate((link) => {
      const data = new DataTransfer()
      data.setData('text/plain', link)
      dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))
    }, link)
    await reads(page, /to pass it on|others? has all of it/)
    await press(page, 'Close this message')
    await press(page, 'Files', 'link')
    await reads(page, badge)
  }
  await carol.page.goto(link)
  await arrived(carol.page)
})

test('what is paused stays so after a reload, and comes once it is resumed', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  const [one] = await write(await kit.folder(), { 'later.bin': randomBytes(400_000) })
  const link = await send(ann.page, server.origin, [one!])
  await reads(ann.page, 'A copy is kept in this browser')
  await ann.page.goto('about:blank')
  await bob.page.goto(link)
  await reads(bob.page, 'Finding')
  await press(bob.page, 'Pause')
  await reads(bob.page, /Paused\s+Nothing comes or goes until you resume it/)
  await bob.page.reload()
  await reads(bob.page, 'Paused')
  await ann.page.goto(`${server.origin}/files`)
  await press(bob.page, 'Resume')
  await arrived(bob.page)
})

test('whoever comes back to Files, which could not be loaded at first, finds it', async () => {
  const ann = await visitor()
  const { page } = ann
  ann.allow(/Failed to load resource|ERR_FAILED/)
  await page.setBypassServiceWorker(true)
  await page.goto(`${server.origin}/memos`)
  await page.setRequestInterception(true)
  let out = true
  page.on('request', (request) => void (out && /section/.test(request.url()) ? request.abort() : request.continue()))
  await press(page, 'Files', 'link')
  await reads(page, 'This part of the app could not be loaded')
  out = false
  await press(page, 'Memos', 'link')
  await press(page, 'Files', 'link')
  await reads(page, 'Choose files')
})

test('over a slow line something shows that Files comes', async () => {
  const { page } = await visitor()
  await page.setBypassServiceWorker(true)
  await page.goto(`${server.origin}/memos`)
  const held: HTTPRequest[] = []
  let slow = true
  await page.setRequestInterception(true)
  page.on('request', (request) => void (slow && /section/.test(request.url()) ? held.push(request) : request.continue()))
  await press(page, 'Files', 'link')
  const shown = () => page.$eval('.opening', (mark) => getComputedStyle(mark).display !== 'none')
  await until('the mark', shown)
  slow = false
  for (const request of held) await request.continue()
  await reads(page, 'Choose files')
  await until('the mark to be gone', async () => !(await shown()))
})

test('a link that leads nowhere says why, and what can be done', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  const [one] = await write(await kit.folder(), { 'locked.bin': randomBytes(1000) })
  const link = await send(ann.page, server.origin, [one!])
  for (const rest of ['', 'abcdef0123', `${'a'.repeat(40)}.short`, link.split('#')[1]!.split('.')[0]!]) {
    await bob.page.goto(`${server.origin}/f#${rest}`)
    await reads(bob.page, 'This link is not complete')
  }
  await bob.page.goto(link.replace(/\.(.)/, (_, first: string) => (first === 'A' ? '.B' : '.A')))
  await reads(bob.page, 'The key in this link is wrong')
  await bob.page.goto(link)
  await arrived(bob.page)

  // As if nobody had come for longer than people wait in silence.
  await bob.page.goto(`${server.origin}/f#${'0123456789'.repeat(4)}.${'A'.repeat(22)}`)
  await reads(bob.page, 'Looking for whoever has it')
  await bob.page.waitForSelector('summary').then((summary) => summary!.click())
  await reads(bob.page, 'working')
  await later(bob.page, 16)
  expect(await reads(bob.page, 'The sender’s page is closed or offline')).toContain('Not here yet')

  // That of somebody else's page of what they sent.
  await bob.page.goto(`${server.origin}/files/nobody`)
  await reads(bob.page, 'These files are not on this device')
  await press(bob.page, 'Go to your files', 'link')
  await reads(bob.page, 'Choose files')
})

test('everybody can use it: axe finds nothing, and nothing is wider than a phone', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  const from = await kit.folder()
  const paths = await write(from, {
    [`${'AnExtraordinarilyLongNameWithoutAnyGaps'.repeat(3)}.txt`]: 'words',
    'b.txt': 'b',
    ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`${i}.bin`, String(i)])),
  })
  const fits = async (page: Page) => {
    await accessible(page)
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), page.url()).toBeLessThanOrEqual(0)
  }
  for (const person of [ann, bob]) await person.page.setViewport({ width: 360, height: 780 })
  await ann.page.goto(`${server.origin}/files`)
  await reads(ann.page, 'Choose files')
  await fits(ann.page)
  const link = await send(ann.page, server.origin, paths)
  await reads(ann.page, 'A copy is kept')
  await fits(ann.page)
  await bob.page.goto(link)
  await arrived(bob.page)
  await fits(bob.page)
  await (await bob.page.waitForSelector('button.file-name'))!.click()
  await bob.page.waitForSelector('.viewer pre')
  await press(bob.page, 'Share')
  await control(bob.page, 'Copy link')
  await fits(bob.page)
  await bob.page.keyboard.press('Escape')
  await bob.page.setViewport({ width: 1280, height: 800 })
  await fits(bob.page)
  await bob.page.goto(`${server.origin}/files`)
  await reads(bob.page, 'On this device')
  await fits(bob.page)
})
