/** What people do in the section Memos, for its tests. */
import axe from 'axe-core'
import { expect } from 'vitest'
import type { ElementHandle, Page } from 'puppeteer-core'
import { named, until, type Kit, type Kind, type Person, type PersonOptions } from './harness/index.ts'

/** Somebody who may use the microphone, on the first page. */
export async function visit(
  kit: Kit,
  { origin }: { origin: string },
  kind: Kind = 'chromium',
  options?: PersonOptions,
): Promise<Person> {
  const person = await kit.person(kind, options)
  await person.allowMicrophone(origin)
  await person.page.goto(origin)
  return person
}

/** Waits for what has that name and role. */
export const control = (page: Page, name: string, role = 'button'): Promise<ElementHandle> =>
  page.waitForSelector(named(page, name, role)) as Promise<ElementHandle>

/** Waits for that control, and until it holds still: sheets rise, and one that moves is missed. */
export async function press(page: Page, name: string, role = 'button'): Promise<void> {
  await page.bringToFront()
  await page.locator(named(page, name, role)).setVisibility('visible').click()
}

/** Whether a control of that name is there to be used. */
export async function sees(page: Page, name: string, role = 'button'): Promise<boolean> {
  const control = await page.$(named(page, name, role))
  return !!control && (await control.isVisible())
}

/** All at once: one that is waited for may go by itself meanwhile. */
export const closeMessages = (page: Page): Promise<void> =>
  page.$$eval('.toast-close', (buttons) => {
    for (const button of buttons) (button as HTMLElement).click()
  })

export const path = (page: Page): Promise<string> => page.evaluate(() => location.pathname)

export const text = (page: Page, selector = 'main'): Promise<string> =>
  page.$eval(selector, (element) => (element as HTMLElement).innerText).catch(() => '')

/** Waits until what is shown reads so; where it never does, the error tells what was shown instead. */
export async function reads(page: Page, words: string | RegExp, selector = 'starling-app', within?: number): Promise<string> {
  let shown = ''
  const met = async () => {
    shown = await text(page, selector)
    return typeof words === 'string' ? shown.includes(words) : words.test(shown)
  }
  await until(`“${words}” on the page`, met, { within }).catch((error: Error) => {
    throw new Error(`${error.message}; it reads: ${shown}`, { cause: error })
  })
  return shown
}

/** Waits until all of a link is here: as long as it takes, if only it goes on. */
export async function arrives(page: Page): Promise<void> {
  const standing = () => text(page, '.standing')
  for (let now = await standing(); !now.includes('Saved'); now = await standing()) {
    await until(`more than “${now}”`, async () => (await standing()) !== now)
  }
}

/** Records until the clock shows that many seconds, which are then on disk. */
export async function recordFor(page: Page, seconds: number): Promise<void> {
  await press(page, 'Record')
  await onTheClock(page, seconds)
}

export const onTheClock = (page: Page, seconds: number): Promise<boolean> =>
  until(`${seconds} s recorded`, async () => Number((await text(page, '.timer')).split(':')[1] ?? 0) >= seconds).catch(
    async (error: Error) => {
      throw new Error(`${error.message}; it reads: ${await text(page, 'starling-app')}`, { cause: error })
    },
  )

/** Records a memo and gives it a title. Ends on its page; returns its path. */
export async function makeMemo(page: Page, title: string, seconds = 1): Promise<string> {
  await recordFor(page, seconds)
  await press(page, 'Stop')
  await until('the title to be written', () =>
    page.evaluate(() => (document.activeElement as HTMLTextAreaElement).name === 'title'),
  )
  await page.keyboard.type(title)
  await page.keyboard.press('Enter')
  await until('the title to be shown', async () => (await page.title()).startsWith(title))
  await until('the title to be kept', () => mayLeave(page))
  return path(page)
}

/** Whether nothing would be lost: where it would, the browser asks whoever leaves the page. */
const mayLeave = (page: Page): Promise<boolean> =>
  page.evaluate(() => dispatchEvent(new Event('beforeunload', { cancelable: true })))

/** The titles in the list. */
export const titles = (page: Page): Promise<string[]> =>
  page.$$eval('.rows .row-title', (rows) => rows.map((row) => row.textContent!.trim()))

/** Puts memos into the page's database as they are said to be, and opens the list. sound: what their file holds, if any. */
export async function haveMemos(page: Page, memos: { title: string; type?: string; sound?: string }[]): Promise<void> {
  await page.evaluate(async (memos) => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('memos')
      opening.onsuccess = () => resolve(opening.result)
    })
    const writing = db.transaction(['memos', 'audio'], 'readwrite')
    for (const [i, { title, type = 'audio/webm', sound }] of memos.entries()) {
      const facts = { description: '', created: Date.now() - i, duration: 3, size: 9, peaks: new Uint8Array(9) }
      writing.objectStore('memos').put({ id: `memo-${i}`, title, type, ...facts })
      if (sound !== undefined) writing.objectStore('audio').put(new Blob([sound], { type }), `memo-${i}`)
    }
    await new Promise((resolve) => (writing.oncomplete = resolve))
    db.close()
  }, memos)
  await page.goto(`${new URL(page.url()).origin}/memos`)
}

/** 57 s of silence as a WAV, for haveMemos: made of ASCII alone. */
export const longSound =
  'RIFF\x24\0\x07\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x40\x1f\0\0\x01\0\x08\0data\0\0\x07\0' + '@'.repeat(0x70000)

/** From now on each write takes as long as on a slow disk. */
export const slowWrites = (page: Page): Promise<void> =>
  page.evaluate(() => {
    const { transaction } = IDBDatabase.prototype
    IDBDatabase.prototype.transaction = function (stores, mode, options) {
      const tx = transaction.call(this, stores, mode, options)
      if (mode === 'readwrite') for (let i = 0; i < 500; i++) tx.objectStore(tx.objectStoreNames[0]!).count()
      return tx
    }
  })

/** Opens the share sheet and waits for the link. */
export async function shareLink(page: Page): Promise<string> {
  await press(page, 'Share')
  const field = await control(page, 'Link', 'textbox')
  return field.evaluate((input) => (input as HTMLInputElement).value)
}

/** Seconds that the player's slider says, as [position, duration]. */
export async function position(page: Page): Promise<[number, number]> {
  const words = await page.$eval('ui-wave', (wave) => wave.getAttribute('aria-valuetext') ?? '').catch(() => '')
  const [at = 0, of = 0] = words
    .split(' of ')
    .map((clock) => clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0))
  return [at, of]
}

/** Writes to the page's storage until it is full; emptied by deleting the database 'filler'. */
export const fillStorage = (page: Page): Promise<void> =>
  page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('filler')
      opening.onupgradeneeded = () => opening.result.createObjectStore('parts', { autoIncrement: true })
      opening.onsuccess = () => resolve(opening.result)
    })
    const write = (size: number) =>
      new Promise<boolean>((resolve) => {
        const writing = db.transaction('parts', 'readwrite')
        writing.objectStore('parts').put(crypto.getRandomValues(new Uint8Array(size)))
        writing.oncomplete = () => resolve(true)
        writing.onabort = () => resolve(false)
      })
    for (const size of [65_536, 4096, 256]) while (await write(size));
    db.close()
  })

/** axe finds nothing, in light and in dark. */
export async function accessible(page: Page): Promise<void> {
  await page.evaluate(axe.source)
  for (const scheme of ['light', 'dark']) {
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: 'reduce' },
    ])
    const violations = await page.evaluate(async () => {
      const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run(document)
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)
    })
    expect(violations, `${scheme}, ${page.url()}`).toEqual([])
  }
}

/** How much of an element differs in colour from its corner, 0 to 1: nothing where it cannot be seen. */
export async function inked(page: Page, selector: string): Promise<number> {
  const shown = await (await page.waitForSelector(selector))!.screenshot()
  return page.evaluate(async (bytes) => {
    const image = await createImageBitmap(new Blob([Uint8Array.from(bytes)], { type: 'image/png' }))
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d')!
    context.drawImage(image, 0, 0)
    const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer)
    return pixels.filter((pixel) => pixel !== pixels[0]).length / pixels.length
  }, [...shown])
}

/**
 * From the next page on, the microphone's prompt stays open until answer is called; and the page's live tracks can be
 * counted and unplugged.
 */
export async function holdPrompt(page: Page): Promise<void> {
  await page.evaluateOnNewDocument(() => {
    const held: (() => void)[] = []
    const tracks: MediaStreamTrack[] = []
    const { mediaDevices } = navigator
    const ask = mediaDevices.getUserMedia.bind(mediaDevices)
    mediaDevices.getUserMedia = async (constraints) => {
      await new Promise<void>((resolve) => held.push(resolve))
      const stream = await ask(constraints)
      tracks.push(...stream.getTracks())
      return stream
    }
    Object.assign(globalThis, {
      prompt: {
        answer: () => held.shift()!(),
        open: () => held.length,
        given: () => tracks.length,
        live: () => tracks.filter((track) => track.readyState === 'live').length,
        unplug: () =>
          tracks
            .filter((track) => track.readyState === 'live')
            .forEach((track) => track.dispatchEvent(new Event('ended'))),
      },
    })
  })
}

export interface Prompt {
  answer(): void
  open(): number
  given(): number
  live(): number
  unplug(): void
}

export const ofPrompt = (page: Page, what: keyof Prompt): Promise<number> =>
  page.evaluate((what) => Number((globalThis as unknown as { prompt: Prompt }).prompt[what]() ?? 0), what)
