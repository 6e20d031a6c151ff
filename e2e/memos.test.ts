/** Memos on one device: recording, keeping, hearing, naming and deleting them. */
import { beforeAll, describe, expect, test } from 'vitest'
import { harness, until, type Person, type Server } from './harness/index.ts'
import {
  control,
  haveMemos,
  makeMemo,
  onTheClock,
  path,
  position,
  press,
  reads,
  recordFor,
  sees,
  shareLink,
  slowWrites,
  text,
  titles,
  visit,
} from './memos.kit.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

const visitor = (): Promise<Person> => visit(kit, server)

describe('a memo', () => {
  test('is recorded, listed, played, renamed, deleted and brought back', async () => {
    const { page } = await visitor()
    await reads(page, 'Record something')
    expect(await page.evaluate(() => location.pathname)).toBe('/memos')
    await recordFor(page, 1)
    expect(
      await (await control(page, 'Stop')).evaluate((stop) => Math.min(stop.clientWidth, stop.clientHeight)),
    ).toBeGreaterThanOrEqual(64)
    await press(page, 'Pause')
    await press(page, 'Resume')
    await onTheClock(page, 3)
    await press(page, 'Stop')

    // Saved, and its title can be written at once.
    await until('the title to be written', () =>
      page.evaluate(() => (document.activeElement as HTMLTextAreaElement).name === 'title'),
    )
    await page.keyboard.type('First flight')
    await page.keyboard.press('Enter')
    const description = await control(page, 'Description', 'textbox')
    await description!.type('one\ntwo')

    await press(page, 'Play')
    await until('it to play', async () => (await position(page))[0] >= 1)
    await control(page, 'Play')
    // The clock counts from when it was asked to record; on a busy machine the microphone is heard a little later.
    const [, duration] = await position(page)
    expect(duration).toBeGreaterThanOrEqual(2)

    await page.reload()
    await reads(page, '0:0')
    expect(await page.$$eval('textarea', (fields) => fields.map((field) => field.value))).toEqual([
      'First flight',
      'one\ntwo',
    ])
    await press(page, 'Memos', 'link')
    await until('the list', async () => (await titles(page)).join() === 'First flight')
    expect(await text(page)).not.toContain('Record something')
    await press(page, 'First flight', 'link')
    await press(page, 'Delete')
    await reads(page, 'Record something')
    await press(page, 'Undo')
    await until('the memo to be back', async () => (await titles(page)).join() === 'First flight')
  })

  test('can be sought in: the file that was recorded knows its length and where its parts are', async () => {
    const { page } = await visitor()
    await makeMemo(page, 'Seek', 4)
    const [duration, seekable] = await page.evaluate(async () => {
      const db = await new Promise<IDBDatabase>((resolve) => {
        const opening = indexedDB.open('memos')
        opening.onsuccess = () => resolve(opening.result)
      })
      const [blob] = await new Promise<Blob[]>((resolve) => {
        const getting = db.transaction('audio').objectStore('audio').getAll()
        getting.onsuccess = () => resolve(getting.result as Blob[])
      })
      const audio = new Audio(URL.createObjectURL(blob!))
      audio.preload = 'metadata'
      await new Promise((resolve, reject) => {
        audio.onloadedmetadata = resolve
        audio.onerror = reject
      })
      audio.currentTime = 2
      await new Promise((resolve) => (audio.onseeked = resolve))
      return [audio.duration, audio.seekable.end(0)]
    })
    expect(duration).toBeGreaterThan(2.5)
    expect(duration).toBeLessThan(Infinity)
    expect(seekable).toBeCloseTo(duration!, 1)
    const wave = await control(page, 'Position', 'slider')
    await wave!.focus()
    await page.keyboard.press('End')
    await until('the end', async () => (await position(page)).every((value, _, [, of]) => value === of))
    await page.keyboard.press('Home')
    await until('the start', async () => (await position(page))[0] === 0)
  })

  test('is saved when the user goes back while recording', async () => {
    const { page } = await visitor()
    await recordFor(page, 1)
    await page.goBack()
    await reads(page, 'Saved “')
    await until('it in the list', async () => (await titles(page)).length === 1)
    expect(await sees(page, 'Record')).toBe(true)
  })

  test('who leaves while it is being saved stays where he went', async () => {
    const { page } = await visitor()
    await recordFor(page, 1)
    const [stop, list] = await Promise.all([control(page, 'Stop'), control(page, 'Memos', 'link')])
    await page.evaluate((...both) => both.forEach((element) => (element as HTMLElement).click()), stop, list)
    await reads(page, 'Saved “')
    expect(await path(page)).toBe('/memos')
    await press(page, 'Open')
    await until('the memo', async () => /^\/memos\/.+/.test(await path(page)))
  })

  test('its page is not said to be missing before the list has it', async () => {
    const { page } = await visitor()
    await recordFor(page, 1)
    await page.evaluate(() => {
      const called = new Set<string>()
      new MutationObserver(() => called.add(document.title)).observe(document.querySelector('title')!, { childList: true })
      Object.assign(globalThis, { called })
    })
    await press(page, 'Stop')
    await until('the title to be written', () =>
      page.evaluate(() => (document.activeElement as HTMLTextAreaElement).name === 'title'),
    )
    const called = await page.evaluate(() => [...(globalThis as unknown as { called: Set<string> }).called])
    expect(called.filter((title) => title.startsWith('Nothing'))).toEqual([])
  })

  test('while the position is dragged, the time says where it would go', async () => {
    const { page } = await visitor()
    await haveMemos(page, [{ title: 'Three seconds' }])
    await press(page, 'Three seconds', 'link')
    const wave = await (await control(page, 'Position', 'slider')).boundingBox()
    const time = () => text(page, '.times time')
    const [y, right] = [wave!.y + 20, wave!.x + wave!.width - 2]
    await page.mouse.move(wave!.x + 5, y)
    await page.mouse.down()
    await page.mouse.move(right, y)
    await until('the time under the pointer', async () => (await time()) === '0:02')
    await page.mouse.up()
    await until('it to stay there', async () => (await position(page))[0] === 2)
    expect(await time()).toBe('0:02')
  })

  test('a title is in sight also once its letters and words are given more room', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 1280, height: 800 })
    await reads(page, 'Record something')
    await haveMemos(page, [{ title: 'A title that just fits into a line of it' }])
    await page.goto(`${server.origin}/memos/memo-0`)
    await control(page, 'Play')
    const hidden = () =>
      page.$eval('textarea[name=title]', ({ clientHeight, scrollHeight }) => scrollHeight - clientHeight)
    expect(await hidden()).toBe(0)
    // As WCAG 1.4.12 has it.
    await page.evaluate(() => {
      const sheet = new CSSStyleSheet()
      sheet.replaceSync('* { letter-spacing: .12em !important; word-spacing: .16em !important; line-height: 1.5 !important }')
      document.adoptedStyleSheets = [sheet]
    })
    await until('all of it to be in sight', async () => (await hidden()) === 0)
  })

  test('a title that is written faster than the disk takes it stays whole, and in sight', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 360, height: 640 })
    await reads(page, 'Record something')
    await haveMemos(page, [{ title: 'Short' }])
    await press(page, 'Short', 'link')
    await page.waitForSelector('textarea[name=title]')
    await slowWrites(page)
    const words = 'A rather long title that will not fit on a phone at all, however one turns it and whatever one does'
    const shown = () =>
      page.$eval('textarea[name=title]', ({ value, clientHeight, scrollHeight }) => [value, scrollHeight - clientHeight])
    await page.locator('textarea[name=title]').click({ count: 3 })
    await page.keyboard.type(words)
    expect(await shown()).toEqual([words, 0])
    // What is shown from now on until all is written.
    await page.evaluate(() => {
      const field = document.querySelector<HTMLTextAreaElement>('textarea[name=title]')!
      const seen = new Set([field.value])
      Object.assign(globalThis, { seen })
      setInterval(() => seen.add(field.value))
    })
    await page.keyboard.press('Tab')
    await until('the title to be kept', async () => (await page.title()).startsWith(words))
    expect(await page.evaluate(() => [...(globalThis as unknown as { seen: Set<string> }).seen])).toEqual([words])
    expect(await shown()).toEqual([words, 0])

    // Fewer letters are written larger, and all of them are in sight.
    await page.focus('textarea[name=title]')
    for (let left = words.length; left > 58; left--) await page.keyboard.press('Backspace')
    await until('that to be kept', async () => (await page.title()).startsWith(`${words.slice(0, 58)} ·`))
    expect(await shown()).toEqual([words.slice(0, 58), 0])
  })

  test('the engine comes with the page where a link is opened, and elsewhere once it is needed', async () => {
    const { page } = await visitor()
    await reads(page, 'Record something')
    const engine = () =>
      page.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => /starling-(node|more|opened)-/.test(name)).length)
    expect(await engine()).toBe(0)
    await makeMemo(page, 'Needed')
    await shareLink(page)
    expect(await engine()).toBe(3)
    const opened = await fetch(`${server.origin}/m`).then((response) => response.text())
    expect(opened.match(/rel="modulepreload" href="\/(starling\.js|assets\/starling-)/g)).toHaveLength(4)
  })

  test('shows up at once in another tab', async () => {
    const ann = await visitor()
    const { page } = ann
    const other = await ann.tab()
    await other.goto(server.origin)
    await reads(other, 'Record something')
    await makeMemo(page, 'Seen twice')
    await until('it in the other tab', async () => (await titles(other)).join() === 'Seen twice')
  })

  test('what is deleted in one tab is neither played nor selected in another', async () => {
    const ann = await visitor()
    const { page } = ann
    await makeMemo(page, 'Here and there', 8)
    const other = await ann.tab()
    await other.setViewport({ width: 1280, height: 800 })
    await other.goto(page.url())
    await press(other, 'Play')
    await until('it to play', async () => (await position(other))[0] >= 1)
    await press(other, 'Select')
    await (await other.waitForSelector('.tick input'))!.click()
    await reads(other, '1 selected')
    await press(page, 'Delete')
    await reads(other, 'Record something')
    expect(await other.evaluate(() => navigator.mediaSession.playbackState)).toBe('none')
    await press(page, 'Undo')
    await reads(other, 'Here and there')
    await other.bringToFront()
    expect(await sees(other, 'Record')).toBe(true)
    expect(await sees(other, 'Play')).toBe(true)

    await press(other, 'Select')
    await (await other.waitForSelector('.tick input'))!.click()
    await other.keyboard.press('Escape')
    await until('the focus on Select', () => other.evaluate(() => document.activeElement?.textContent?.trim() === 'Select'))
    expect(await sees(other, 'Record')).toBe(true)
  })

  test('Record while the one before is still being saved records as soon as it is', async () => {
    const { page } = await visitor()
    await recordFor(page, 1)
    await page.evaluate(() => {
      const { stop } = MediaRecorder.prototype
      MediaRecorder.prototype.stop = function () {
        MediaRecorder.prototype.stop = stop
        Object.assign(globalThis, { save: () => stop.call(this) })
      }
    })
    await press(page, 'Memos', 'link')
    await press(page, 'Record')
    await reads(page, 'Saving')
    await page.evaluate(() => {
      const { mediaDevices } = navigator
      const ask = mediaDevices.getUserMedia.bind(mediaDevices)
      mediaDevices.getUserMedia = async (wanted) => {
        await new Promise((resolve) => setTimeout(resolve, 500))
        return ask(wanted)
      }
      ;(globalThis as unknown as { save(): void }).save()
    })
    // Until then the clock is that of the one before, and Stop takes back the question for the microphone.
    await reads(page, 'Recording', '.recording-state')
    await onTheClock(page, 1)
    await press(page, 'Stop')
    await press(page, 'Memos', 'link')
    await until('both', async () => (await titles(page)).length === 2)
  })

  test('can be brought back after a sheet that covered Undo meanwhile', async () => {
    const { page } = await visitor()
    await haveMemos(page, [{ title: 'Gone' }, { title: 'Here', sound: 'x' }])
    await press(page, 'Here', 'link')
    await press(page, 'Share')
    await page.waitForSelector('dialog[open]')
    // As where it was deleted just before: a second to go.
    await page.evaluate(() => {
      const shown = globalThis as unknown as { over: boolean; taken: boolean }
      const action = { label: 'Undo', run: () => (shown.taken = true) }
      document.querySelector<HTMLElement & { show(toast: object): void }>('ui-toasts')!.show({ text: 'Memo deleted', time: 1000, action })
      setTimeout(() => (shown.over = true), 3500)
    })
    await until('its time to be over', () => page.evaluate(() => (globalThis as unknown as { over?: boolean }).over))
    expect(
      await page.evaluate(() => {
        document.querySelector('dialog')!.close()
        document.querySelector<HTMLElement>('.toast-action')?.click()
        return (globalThis as unknown as { taken?: boolean }).taken
      }),
    ).toBe(true)
  })

  test('goes away by Cancel, and comes back by Undo', async () => {
    const { page } = await visitor()
    await recordFor(page, 1)
    await press(page, 'Cancel')
    await reads(page, 'Recording discarded')
    expect(await titles(page)).toEqual([])
    await press(page, 'Undo')
    await until('the recording to be back', async () => (await titles(page)).length === 1)
  })
})
