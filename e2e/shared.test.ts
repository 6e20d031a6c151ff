/** What other apps hand to this one: with the share sheet, by magnet links of other pages, by pasting and dropping. */
import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { harness, until, type Person, type Server } from './harness/index.ts'
import { allow, arrived, givenLink, send, write } from './files.kit.ts'
import { accessible, control, path, press, reads, text } from './memos.kit.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

interface Share {
  /** Their content by their name. */
  files?: Record<string, string>
  words?: Record<string, string>
}

/** Somebody whose browser has the app, on its page Files. */
async function owner(): Promise<Person> {
  const person = await kit.person('chromium', { allow })
  await person.page.goto(`${server.origin}/files`)
  await until('the service worker', () => person.page.evaluate(() => !!navigator.serviceWorker.controller))
  return person
}

/**
 * Shares as a share sheet does. No page can do that; but this one's form, which tells nothing of where it comes from, looks
 * the same to the service worker.
 */
async function share(page: Page, { files = {}, words = {} }: Share): Promise<void> {
  const opened = page.waitForNavigation()
  await page.evaluate(
    (files, words) => {
      const form = document.createElement('form')
      Object.assign(form, { method: 'post', enctype: 'multipart/form-data', action: '/files/shared' })
      for (const [name, value] of words) form.append(Object.assign(document.createElement('textarea'), { name, value }))
      const field = Object.assign(document.createElement('input'), { type: 'file', name: 'files', multiple: true })
      const list = new DataTransfer()
      for (const [name, content] of files) list.items.add(new File([content], name, { type: 'text/plain' }))
      field.files = list.files
      form.append(field)
      document.body.append(form)
      form.submit()
    },
    Object.entries(files),
    Object.entries(words),
  )
  await opened
}

/** Another site: its pages, by path, post a form that looks like what was shared. */
async function stranger(): Promise<string> {
  const form = `<form method="post" enctype="multipart/form-data" action="${server.origin}/files/shared"><input name="text" value="forged"></form>`
  const { origin } = await kit.http(({ url }, response) => {
    const policy = url === '/hidden' ? 'no-referrer' : 'unsafe-url'
    const where = url === '/elsewhere' ? form.replace('<form', '<form target="_blank" rel="noopener"') : form
    response.setHeader('Content-Type', 'text/html').end(`<meta name="referrer" content="${policy}">${where}<button onclick="document.forms[0].submit()">Go</button>`)
  })
  return origin
}

/** How much waits in that browser. */
const waiting = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('shared', 1)
      opening.onupgradeneeded = () => opening.result.createObjectStore('shared', { keyPath: 'id' })
      opening.onsuccess = () => resolve(opening.result)
    })
    const count = db.transaction('shared').objectStore('shared').count()
    await new Promise((resolve) => (count.onsuccess = resolve))
    db.close()
    return count.result
  })

describe('the share sheet', () => {
  test('files are shown, and sent by the user’s word alone; they survive the page', async () => {
    const ann = await owner()
    await share(ann.page, { files: { 'one.txt': 'first', 'two.txt': 'second' }, words: { title: 'Two', text: 'Notes on both' } })
    const shown = await reads(ann.page, 'Nothing has been sent yet')
    for (const words of ['3 files', 'one.txt', 'two.txt', 'Two.txt', 'Notes on both']) expect(shown).toContain(words)
    const address = ann.page.url()
    expect(address).toMatch(/\/files\/shared\?[0-9a-f]{32}$/)

    // As when the browser ends it, and the app is opened anew.
    const tab = await ann.tab()
    await ann.page.close()
    await tab.goto(`${server.origin}/files`)
    await reads(tab, 'Not sent yet')
    await press(tab, '3 files', 'link')
    await press(tab, 'Send these files')
    const link = await givenLink(tab)
    await reads(tab, 'A copy is kept in this browser')
    await until('nothing to wait', async () => (await waiting(tab)) === 0)
    await tab.goto(address)
    await reads(tab, 'Nothing is here')

    const bob = await kit.person('chromium', { allow })
    await bob.page.goto(link)
    await arrived(bob.page)
    await (await control(bob.page, 'two.txt')).click()
    await reads(bob.page, 'second', '.viewer')
  })

  test('what is sent does not ask to be sent while its copy is made', async () => {
    const { page } = await owner()
    await page.evaluateOnNewDocument(() => (navigator.storage.estimate = () => new Promise(() => {})))
    await share(page, { files: { 'one.txt': 'first' } })
    await press(page, 'Send this file')
    await givenLink(page)
    await (await page.waitForSelector('.parcel-back'))!.click()
    await reads(page, 'On this device')
    await until('the list', async () => (await path(page)) === '/files')
    await control(page, 'Delete one.txt')
    expect(await waiting(page)).toBe(1)
    expect(await text(page)).not.toContain('Not sent yet')
  })

  test('what is turned down is gone, unless that is undone', async () => {
    const { page } = await owner()
    await share(page, { words: { text: 'A thought' } })
    await reads(page, 'Text.txt')
    await press(page, 'Do not send')
    await reads(page, 'Not sent, and no longer kept here')
    expect([await path(page), await waiting(page)]).toEqual(['/files', 0])
    await press(page, 'Undo')
    await reads(page, 'A thought')
    expect(await waiting(page)).toBe(1)
    await press(page, 'Send this file')
    await givenLink(page)
  })

  test('a link is opened, and so is a magnet', async () => {
    const [ann, bob] = [await kit.person('chromium', { allow }), await owner()]
    const [one] = await write(await kit.folder(), { 'one.bin': randomBytes(50_000) })
    const link = await send(ann.page, server.origin, [one!])
    await share(bob.page, { words: { title: 'For you', text: `Get it here: ${link}.` } })
    expect(await arrived(bob.page)).toContain('one.bin')
    expect(bob.page.url()).toBe(link)

    await press(ann.page, 'Public link')
    const field = await control(ann.page, 'Magnet', 'textbox')
    const magnet = await field.evaluate((input) => (input as HTMLInputElement).value)
    await share(bob.page, { words: { url: magnet } })
    await reads(bob.page, 'Public: anyone may fetch it')
    await arrived(bob.page)
    expect([new URL(bob.page.url()).search, await waiting(bob.page)]).toEqual(['', 0])
    // As the browser opens it for other pages, by the manifest; and from the list.
    const carol = await kit.person('chromium', { allow })
    await carol.page.goto(`${server.origin}/f#${encodeURIComponent(magnet)}`)
    expect(await arrived(carol.page)).toContain('one.bin')
    await carol.page.goto(`${server.origin}/files`)
    await press(carol.page, 'one.bin', 'link')
    await arrived(carol.page)
  })

  test('of what is too large nothing is taken, and the page says what to do', async () => {
    const { page } = await owner()
    const session = await page.createCDPSession()
    await session.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize: 5e6 })
    await share(page, { files: { 'film.mp4': 'x'.repeat(6e6) } })
    await reads(page, 'There is no room for what you shared')
    expect(await waiting(page)).toBe(0)
  })

  test.each(['', 'hidden', 'elsewhere'])('a form of another site is not taken: /%s', async (how) => {
    const ann = await owner()
    const site = await stranger()
    await ann.page.goto(`${site}/${how}`)
    await ann.page.click('button')
    const shown = await until('its page', async () => (await ann.context.pages()).find((page) => page.url().startsWith(server.origin)))
    await reads(shown, 'Nothing was shared')
    expect([await path(shown), await waiting(shown)]).toEqual(['/files', 0])
    expect(await text(shown)).not.toContain('Not sent yet')
  })

  test('without a service worker the page says that nothing was taken', async () => {
    const { page } = await kit.person('chromium', { allow })
    await page.goto(`${await stranger()}/hidden`)
    await page.click('button')
    await reads(page, 'What you shared did not get here')
  })

  test('words behind the # that mean nothing are passed over', async () => {
    const { page } = await owner()
    await page.goto(`${server.origin}/files#constructor`)
    await page.reload()
    await reads(page, 'Send files')
  })

  test('the browser understands the manifest', async () => {
    const { page } = await owner()
    const session = await page.createCDPSession()
    const { errors, manifest } = await session.send('Page.getAppManifest', {})
    expect(errors).toEqual([])
    expect(manifest).toMatchObject({
      protocolHandlers: [{ protocol: 'magnet', url: `${server.origin}/f#%s` }],
      shareTarget: { action: `${server.origin}/files/shared` },
      launchHandler: { clientMode: 'kNavigateNew' },
    })
  })

  test('everybody can use it: axe finds nothing, and nothing is wider than a phone', async () => {
    const { page } = await owner()
    await share(page, { files: { [`${'AnExtraordinarilyLongName'.repeat(5)}.txt`]: 'x', 'b.txt': 'b' }, words: { text: 'long '.repeat(900) } })
    const address = page.url()
    for (const at of [address, `${server.origin}/files#no-room`, `${server.origin}/files/shared?0`]) {
      for (const width of [360, 1280]) {
        await page.setViewport({ width, height: 780 })
        await page.goto(at)
        await page.waitForSelector('files-section h1')
        await accessible(page)
        expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), at).toBeLessThanOrEqual(0)
      }
    }
  })
})

test('files that are let go of where nothing takes them leave the page as it is', async () => {
  const { page } = await owner()
  const files = await write(await kit.folder(), { 'dropped.txt': 'words' })
  const session = await page.createCDPSession()
  const drop = async () => {
    const data = { items: [], files, dragOperationsMask: 1 }
    for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
      await session.send('Input.dispatchDragEvent', { type, x: 400, y: 300, data })
    }
  }
  await press(page, 'What leaves this device', 'link')
  await reads(page, 'While you record')
  await drop()
  const [asked] = await page.evaluate(() => {
    const dataTransfer = new DataTransfer()
    dataTransfer.items.add(new File([], 'a'))
    const drop = new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer })
    return [document.body.dispatchEvent(drop)]
  })
  expect(asked).toBe(false)
  await press(page, 'Files', 'link')
  await reads(page, 'Choose files')
  await drop()
  await givenLink(page)
  await reads(page, 'dropped.txt')
})

/** Pastes or drops on the page what the browser would have for it. */
const give = (page: Page, how: 'paste' | 'drop', what: { file?: string; text?: string }): Promise<void> =>
  page.evaluate(
    (how, { file, text }) => {
      const data = new DataTransfer()
      if (file) data.items.add(new File(['of the clipboard'], file, { type: 'image/png' }))
      if (text) data.setData(how === 'drop' ? 'text/uri-list' : 'text/plain', text)
      const facts = { bubbles: true, cancelable: true }
      document.body.dispatchEvent(
        how === 'drop' ? new DragEvent('drop', { ...facts, dataTransfer: data }) : new ClipboardEvent('paste', { ...facts, clipboardData: data }),
      )
    },
    how,
    what,
  )

test('what is pasted or dropped is sent, and a link opened', async () => {
  const { page } = await owner()
  const link = `${server.origin}/f#${'0123456789'.repeat(4)}.${'A'.repeat(22)}`
  await give(page, 'paste', { file: 'image.png', text: 'https://example.org/image.png' })
  await givenLink(page)
  expect(await reads(page, 'image.png')).toContain('16 bytes')
  for (const how of ['paste', 'drop'] as const) {
    await page.goto(`${server.origin}/files`)
    await reads(page, 'Choose files')
    await give(page, how, { text: 'https://example.org/' })
    // With the picture that Word makes of what is copied.
    await give(page, how, { text: link, ...(how === 'paste' && { file: 'image.png' }) })
    await reads(page, 'Looking for whoever has it')
    expect(page.url()).toBe(link)
  }
  await reads(page, 'This is neither a file, nor a Starling link')
})
