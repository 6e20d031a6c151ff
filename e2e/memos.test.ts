/** Memos on one device: recording, keeping, hearing, naming, deleting, and what goes wrong with them. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { HTTPRequest, Page } from 'puppeteer-core'
import { harness, named, until, type Kind, type Person, type Server } from './harness/index.ts'
import {
  accessible,
  closeMessages,
  control,
  fillStorage,
  haveMemos,
  holdPrompt,
  inked,
  makeMemo,
  ofPrompt,
  onTheClock,
  position,
  press,
  reads,
  recordFor,
  sees,
  shareLink,
  slowWrites,
  text,
  titles,
} from './memos.kit.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

async function visitor(options?: Parameters<typeof kit.person>[1]): Promise<{ ann: Person; page: Page }> {
  const ann = await kit.person('chromium', options)
  await ann.allowMicrophone(server.origin)
  await ann.page.goto(server.origin)
  return { ann, page: ann.page }
}

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
    await onTheClock(page, 2)
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
    await makeMemo(page, 'Seek', 3)
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
    expect(duration).toBeLessThan(10)
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
    expect((await titles(page)).length).toBe(1)
    expect(await sees(page, 'Record')).toBe(true)
  })

  test('leads back to where its list was left, and choosing keeps the focus', async () => {
    const { page } = await visitor()
    const path = await makeMemo(page, 'There and back')
    const at = () => page.evaluate(() => location.pathname)
    // The other link of that name is the section's, in the bar.
    await page.locator('.memo-back').click()
    await until('the list', async () => (await at()) === '/memos')
    await page.evaluate(() => history.forward())
    await until('the memo', async () => (await at()) === path)
    await press(page, 'Memos', 'link')
    await press(page, 'Select')
    expect(await page.evaluate(() => document.activeElement!.textContent!.trim())).toBe('Done')
    await press(page, 'Select There and back', 'checkbox')
    await press(page, 'Delete')
    await until('the focus to be kept', () => page.evaluate(() => document.activeElement!.tagName === 'H1'))
  })

  test('coming back, the focus is on the memo that was left', async () => {
    const { page } = await visitor()
    await haveMemos(page, Array.from({ length: 30 }, (_, i) => ({ title: `Memo ${i}` })))
    await until('the list', async () => (await titles(page)).length === 30)
    await page.focus('a[href="/memos/memo-25"]')
    await page.keyboard.press('Enter')
    await until('its page', async () => (await page.title()).startsWith('Memo 25'))
    await page.goBack()
    const focused = () => page.evaluate(() => document.activeElement!.textContent!.trim())
    await until('the focus on it', async () => (await focused()) === 'Memo 25')
    // Elsewhere it is on the heading.
    await press(page, 'Files', 'link')
    await until('the heading', async () => (await focused()) === 'Send files')
  })

  test('the focus does not go away with what is deleted', async () => {
    const { page } = await visitor()
    await haveMemos(page, Array.from({ length: 3 }, (_, i) => ({ title: `Memo ${i}` })))
    await until('the list', async () => (await titles(page)).length === 3)
    const heading = () => until('the focus on a heading', () => page.evaluate(() => document.activeElement!.tagName === 'H1'))
    await page.focus('a[href="/memos/memo-1"]')
    await page.keyboard.press('Enter')
    await until('its page', async () => (await page.title()).startsWith('Memo 1'))
    await (await control(page, 'Delete')).focus()
    await page.keyboard.press('Enter')
    await until('it to be gone', async () => (await titles(page)).join() === 'Memo 0,Memo 2')
    await heading()
    // Or it is deleted in another tab.
    await page.focus('a[href="/memos/memo-2"]')
    const other = await page.browserContext().newPage()
    await other.goto(`${server.origin}/memos/memo-2`)
    await press(other, 'Delete')
    await page.bringToFront()
    await until('that one to be gone', async () => (await titles(page)).join() === 'Memo 0')
    await heading()
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

  test('a long title leaves Play in sight on a phone', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 360, height: 640 })
    await haveMemos(page, [{ title: 'An interview about the flood of 1954, with questions '.repeat(3).trim() }])
    await page.locator('.row-title').click()
    const play = await control(page, 'Play')
    await until('Play in sight', () => play!.evaluate((button) => button.getBoundingClientRect().bottom <= innerHeight))
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
      const seen = new Set<string>()
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

  test('on a small phone, a message leaves Play to whoever presses it', async () => {
    const { page } = await visitor()
    await reads(page, 'Record something')
    await haveMemos(page, [{ title: 'Gone' }])
    await press(page, 'Gone', 'link')
    for (const [width, height] of [[320, 568], [360, 640], [640, 360]] as const) {
      await page.setViewport({ width, height })
      await press(page, 'Play')
      await reads(page, 'The sound of this memo is missing')
      const toast = (await (await page.$('.toast'))!.boundingBox())!
      const play = (await (await page.$('.play.large'))!.boundingBox())!
      expect(toast.y + toast.height, `${width} by ${height}`).toBeLessThanOrEqual(play.y)
      await closeMessages(page)
    }
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

  test('over a slow line something shows that the page comes', async () => {
    const { page } = await visitor()
    await page.setCacheEnabled(false)
    await page.evaluate(async () => {
      for (const worker of await navigator.serviceWorker.getRegistrations()) await worker.unregister()
    })
    let held: HTTPRequest[] | undefined = []
    await page.setRequestInterception(true)
    page.on('request', (request) => {
      if (held && request.resourceType() === 'script') held.push(request)
      else void request.continue()
    })
    const opened = page.goto(`${server.origin}/memos`)
    const shown = () => page.$eval('.opening', (mark) => getComputedStyle(mark).display !== 'none' && getComputedStyle(mark).opacity !== '0')
    await until('the mark', () => shown().catch(() => false))
    const scripts = held
    held = undefined
    for (const script of scripts) void script.continue()
    await opened
    await reads(page, 'Record something')
    expect(await shown()).toBe(false)
  })

  test('is recorded with a button that holds still while the microphones are looked for', async () => {
    const { page } = await visitor()
    await makeMemo(page, 'One')
    await press(page, 'What leaves this device', 'link')
    await reads(page, 'While you record')
    const places = await page.evaluateHandle(() => {
      const found = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices)
      navigator.mediaDevices.enumerateDevices = async () => {
        await new Promise((resolve) => setTimeout(resolve, 300))
        return found()
      }
      const seen = new Set<number>()
      const look = (): void => {
        // Its middle: while it is pressed it is drawn smaller.
        const box = document.querySelector('.dock [aria-label="Record"]')?.getBoundingClientRect()
        if (box) seen.add(Math.round(box.top + box.height / 2))
        requestAnimationFrame(look)
      }
      look()
      return seen
    })
    await press(page, 'Memos', 'link')
    await page.waitForSelector('aria/Microphone')
    await press(page, 'Record')
    await onTheClock(page, 1)
    expect(await places.evaluate((seen) => [...seen])).toHaveLength(1)
  })

  test('shows up at once in another tab', async () => {
    const { ann, page } = await visitor()
    const other = await ann.tab()
    await other.goto(server.origin)
    await reads(other, 'Record something')
    await makeMemo(page, 'Seen twice')
    await until('it in the other tab', async () => (await titles(other)).join() === 'Seen twice')
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

  test('that is not here says so, and shows the way home; as does an address that leads nowhere', async () => {
    const { ann, page } = await visitor()
    await page.goto(`${server.origin}/memos/nobody`)
    await reads(page, 'This memo is not on this device')
    await press(page, 'Go to your memos', 'link')
    await reads(page, 'Record something')
    ann.allow(/404/)
    await page.evaluate(() => history.pushState({}, '', '/nowhere'))
    await page.evaluate(() => dispatchEvent(new PopStateEvent('popstate')))
    await reads(page, 'This address leads nowhere')
  })
})

describe('the ways the original lost recordings', () => {
  test('Cancel while the microphone is asked for does not discard the next recording', async () => {
    const ann = await kit.person('chromium')
    await ann.allowMicrophone(server.origin)
    const { page } = ann
    await holdPrompt(page)
    await page.goto(server.origin)
    await press(page, 'Record')
    await until('the prompt', () => ofPrompt(page, 'open'))
    await press(page, 'Cancel')
    await press(page, 'Record')
    await until('both prompts', async () => (await ofPrompt(page, 'open')) === 2)
    await ofPrompt(page, 'answer')
    await until(
      'the first microphone to be let go',
      async () => (await ofPrompt(page, 'given')) === 1 && (await ofPrompt(page, 'live')) === 0,
    )
    await ofPrompt(page, 'answer')
    await onTheClock(page, 1)
    await press(page, 'Stop')
    await press(page, 'Memos', 'link')
    await until('the second recording', async () => (await titles(page)).length === 1)
    expect(await ofPrompt(page, 'live')).toBe(0)
  })

  test('Stop while the prompt is open starts no hot microphone, and Record again orphans no stream', async () => {
    const ann = await kit.person('chromium')
    await ann.allowMicrophone(server.origin)
    const { page } = ann
    await holdPrompt(page)
    await page.goto(`${server.origin}/memos/new`)
    expect(await ofPrompt(page, 'open')).toBe(0)
    await press(page, 'Record')
    await until('the prompt', () => ofPrompt(page, 'open'))
    await press(page, 'Stop')
    await control(page, 'Record')
    await ofPrompt(page, 'answer')
    await until(
      'the microphone to be let go',
      async () => (await ofPrompt(page, 'given')) === 1 && (await ofPrompt(page, 'live')) === 0,
    )
    expect(await sees(page, 'Record')).toBe(true)
    await press(page, 'Record')
    await until('the second prompt', () => ofPrompt(page, 'open'))
    await ofPrompt(page, 'answer')
    await onTheClock(page, 1)
    expect(await ofPrompt(page, 'live')).toBe(1)
    await press(page, 'Stop')
    await until('silence', async () => (await ofPrompt(page, 'live')) === 0)
  })

  test('a denial does not discard the next recording', async () => {
    const ann = await kit.person('chromium')
    const { page } = ann
    await page.goto(server.origin)
    await press(page, 'Record')
    await reads(page, 'The microphone is not allowed')
    await reads(page, 'Click the icon left of the address')
    await ann.allowMicrophone(server.origin)
    await recordFor(page, 1)
    await press(page, 'Stop')
    await press(page, 'Memos', 'link')
    await until('the recording', async () => (await titles(page)).length === 1)
  })
})

describe('what goes wrong', () => {
  test('no microphone: the page says so', async () => {
    const { page } = await visitor()
    await page.evaluate(() => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))
    })
    await press(page, 'Record')
    await reads(page, 'No microphone was found')
  })

  test('a microphone that is muted, or gives nothing: the page says so while it records, until there is sound', async () => {
    const { page } = await visitor()
    await page.evaluateOnNewDocument(() => {
      navigator.mediaDevices.getUserMedia = async () => {
        const context = new AudioContext()
        const tone = new OscillatorNode(context)
        const volume = new GainNode(context, { gain: 0 })
        const microphone = new MediaStreamAudioDestinationNode(context)
        tone.connect(volume).connect(microphone)
        tone.start()
        Object.assign(globalThis, { volume })
        return microphone.stream
      }
    })
    await page.reload()
    await recordFor(page, 1)
    await reads(page, 'Nothing is heard. Is the microphone muted?')
    const saved = await text(page, '.timer')
    await until('it goes on', async () => (await text(page, '.timer')) !== saved)
    await page.evaluate(() => ((globalThis as unknown as { volume: GainNode }).volume.gain.value = 1))
    const gone = () => until('that to be taken back', async () => !(await text(page)).includes('Nothing '))
    await gone()
    await press(page, 'Stop')
    await control(page, 'Play')

    await press(page, 'Memos', 'link')
    await page.evaluate(() => {
      const { start } = MediaRecorder.prototype
      // Without a time slice the data come at the end only.
      MediaRecorder.prototype.start = function () {
        start.call(this)
        Object.assign(globalThis, { data: () => this.requestData() })
      }
    })
    await press(page, 'Record')
    await reads(page, 'Nothing comes from the microphone.')
    expect(await text(page, '.timer')).toBe('0:00')
    await page.evaluate(() => {
      ;(globalThis as unknown as { volume: GainNode }).volume.gain.value = 1
      ;(globalThis as unknown as { data: () => void }).data()
    })
    await gone()
    await press(page, 'Stop')
    await control(page, 'Play')
  })

  test('the microphone is unplugged: what there is is saved', async () => {
    const ann = await kit.person('chromium')
    await ann.allowMicrophone(server.origin)
    const { page } = ann
    await holdPrompt(page)
    await page.goto(server.origin)
    await press(page, 'Record')
    await until('the prompt', () => ofPrompt(page, 'open'))
    await ofPrompt(page, 'answer')
    await onTheClock(page, 1)
    await ofPrompt(page, 'unplug')
    await reads(page, 'The microphone was unplugged. What was recorded up to then is saved.')
    await control(page, 'Play')
    expect(await ofPrompt(page, 'live')).toBe(0)
  })

  test('the tab is killed: the recording is offered back, and at most a second of it is lost', async () => {
    const { ann, page } = await visitor()
    ann.allow(/crashed/)
    await recordFor(page, 3)
    const crashed = new Promise((resolve) => page.once('error', resolve))
    page.goto('chrome://crash').catch(() => undefined)
    await crashed
    const again = await ann.tab()
    await again.goto(server.origin)
    await reads(again, 'A recording was interrupted')
    await press(again, 'Keep')
    // The clock counts from when it was asked to record; on a busy machine the microphone is heard a little later.
    await until('the memo', async () => (await position(again))[1] >= 2)
    await press(again, 'Play')
    await until('it to play', async () => (await position(again))[0] >= 1)
    await press(again, 'Memos', 'link')
    await until(
      'it in the list, once',
      async () => (await titles(again)).length === 1 && !(await text(again)).includes('interrupted'),
    )
  })

  test('another tab that records is not taken for an interrupted one', async () => {
    const { ann, page } = await visitor()
    await recordFor(page, 1)
    const other = await ann.tab()
    await other.goto(server.origin)
    await reads(other, 'Record something')
    expect(await text(other)).not.toContain('interrupted')
    await press(page, 'Stop')
  })

  test('the device is full: the page says so, and keeps what is there', async () => {
    const ann = await kit.person('chromium', { own: true, allow: [/Quota|exceeded/i] })
    await ann.allowMicrophone(server.origin)
    const { page } = ann
    const devtools = await page.createCDPSession()
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize: 8e6 })
    await page.goto(server.origin)
    await makeMemo(page, 'Before')
    await press(page, 'Memos', 'link')
    await recordFor(page, 1)
    await fillStorage(page)
    const said = await reads(page, 'This device is full.')
    if (said.includes('then press Keep')) await control(page, 'Keep')

    await page.evaluate(() => void indexedDB.deleteDatabase('filler'))
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.origin })
    // The browser measures anew once nobody uses the storage.
    await page.goto('about:blank')
    await page.goto(server.origin)
    const both = async () => (await titles(page)).length === 2
    await until('it, saved or offered', async () => (await both()) || (await text(page)).includes('interrupted'))
    if (!(await both())) {
      await press(page, 'Keep')
      await control(page, 'Play')
      await press(page, 'Memos', 'link')
    }
    await until('both memos', both)
  })

  test('a full device can be made room on: memos are deleted there, and words that are not kept are told of', async () => {
    const ann = await kit.person('chromium', { own: true })
    await ann.allowMicrophone(server.origin)
    const { page } = ann
    const devtools = await page.createCDPSession()
    // Before anything is written: Chromium looks up what is left for a database only now and then.
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize: 12e6 })
    await page.goto(server.origin)
    await reads(page, 'App ready for offline use')
    await makeMemo(page, 'Kept')
    await fillStorage(page)
    await page.focus('.memo-title')
    await page.keyboard.type('Lost')
    await reads(page, 'This device is full: what you write now is not kept.')
    await press(page, 'Delete')
    await reads(page, 'Memo deleted')
    expect(await titles(page)).toEqual([])
    await press(page, 'Undo')
    await until('it back, as it was', async () => (await titles(page)).join() === 'Kept')
    await press(page, 'Select')
    await press(page, 'Select Kept', 'checkbox')
    await press(page, 'Delete')
    await reads(page, 'Memo deleted')
    // Every other tab shows it until Undo is not offered any more.
    const other = await ann.tab()
    await other.goto(server.origin)
    expect(await until('the list', () => titles(other).then(String))).toBe('Kept')
    await closeMessages(page)
    await reads(other, 'Record something')
  })

  test('a memo that is not heard: the page says why, and offers the file where another program may play it', async () => {
    const { page } = await visitor()
    await reads(page, 'Record something')
    await haveMemos(page, [
      { title: 'Strange', type: 'audio/amr', sound: '#!AMR' },
      { title: 'Damaged', type: 'audio/webm;codecs=opus', sound: 'no sound' },
      { title: 'Gone' },
    ])
    const play = async (title: string, reason: string): Promise<void> => {
      // All of them, as the app may tell meanwhile that it is ready for offline use.
      await closeMessages(page)
      await page.locator(`.row:has(a[href$="${title}"]) .play`).click()
      await reads(page, reason)
    }
    await play('memo-0', 'This browser does not play recordings of this kind.')
    expect(await sees(page, 'Download')).toBe(true)
    await play('memo-1', 'This recording is damaged, or made in a way that this browser does not play.')
    expect(await sees(page, 'Download')).toBe(true)
    await play('memo-2', 'The sound of this memo is missing')
    expect(await sees(page, 'Download')).toBe(false)
    // Nor can it be shared, however often.
    await press(page, 'Gone', 'link')
    await press(page, 'Share')
    await reads(page, 'The sound of “Gone” is missing')
    expect(await sees(page, 'Try again')).toBe(false)
    await page.keyboard.press('Escape')
    await closeMessages(page)
    await press(page, 'Download')
    await reads(page, 'The sound of “Gone” is missing', 'ui-toasts')
  })

  test('a browser that keeps nothing for the page: every page says so, and none is empty', async () => {
    const ann = await kit.person('firefox', { prefs: { 'network.cookie.cookieBehavior': 2 }, allow: [/ServiceWorker|insecure/] })
    const { page } = ann
    await page.goto(server.origin)
    await reads(page, 'This browser keeps nothing for this page')
    await page.goto(`${server.origin}/memos/new`)
    await press(page, 'Record')
    await reads(page, 'Open the page in an ordinary window')
    await page.goto(`${server.origin}/files`)
    await reads(page, 'This browser gives the page no storage')
  })

  test.each<Kind>(['chromium', 'firefox'])('%s, by http:// and another name than localhost: every page says what it lacks, and none is empty', async (kind) => {
    const options =
      kind === 'firefox'
        ? { prefs: { 'network.dns.localDomains': 'memos.test' } }
        : { args: ['--host-resolver-rules=MAP memos.test 127.0.0.1'], allow: [/Cross-Origin-Opener-Policy/] }
    const { page } = await kit.person(kind, options)
    const origin = server.origin.replace('localhost', 'memos.test')
    await page.goto(origin)
    await press(page, 'Record')
    await reads(page, 'ask whoever runs the server to turn on HTTPS')
    await page.goto(`${origin}/m#${'0123456789'.repeat(4)}.${'A'.repeat(22)}`)
    await reads(page, 'open it over HTTPS')
    await page.goto(`${origin}/files`)
    await reads(page, 'Send files')
  })

  test('offline: what was recorded is there, and more can be recorded', async () => {
    const { page } = await visitor()
    await reads(page, 'App ready for offline use')
    await page.goto(`${server.origin}/about`)
    await reads(page, 'App ready for offline use')
    await page.goBack()
    const path = await makeMemo(page, 'Kept')
    await server.stop()
    try {
      await page.goto(server.origin + path)
      await until('the memo', async () => (await page.title()).startsWith('Kept'))
      await press(page, 'Memos', 'link')
      await makeMemo(page, 'More')
      await page.goto(server.origin)
      await until('both', async () => (await titles(page)).join() === 'More,Kept')
    } finally {
      await server.restart()
    }
  })
})

describe('everybody can use it', () => {
  test('axe finds nothing on any screen, in light and dark, on a phone and on a desktop', async () => {
    const ann = await kit.person('chromium')
    const { page } = ann
    for (const width of [360, 1280]) {
      await page.setViewport({ width, height: 800 })
      await page.goto(`${server.origin}/memos`)
      await reads(page, width === 360 ? 'Record something' : 'Memos')
      await accessible(page)
      await page.goto(`${server.origin}/memos/new`)
      await accessible(page)
      if (width === 360) {
        await press(page, 'Record')
        await reads(page, 'The microphone is not allowed')
        await accessible(page)
        await ann.allowMicrophone(server.origin)
      }
      await recordFor(page, 1)
      await accessible(page)
      await press(page, 'Pause')
      await accessible(page)
      await press(page, 'Stop')
      await control(page, 'Play')
      await accessible(page)
      await press(page, 'Share')
      await control(page, 'Copy link')
      await accessible(page)
      await page.keyboard.press('Escape')
      await page.goto(`${server.origin}/memos`)
      await press(page, 'Select')
      await accessible(page)
      await page.goto(`${server.origin}/m#${'0'.repeat(40)}.${'A'.repeat(22)}`)
      await reads(page, 'Finding')
      await accessible(page)
      await page.goto(`${server.origin}/m`)
      await reads(page, 'This link is not complete')
      await accessible(page)
      await page.goto(`${server.origin}/memos/nobody`)
      await reads(page, 'This memo is not on this device')
      await accessible(page)
      await page.goto(`${server.origin}/about`)
      await reads(page, 'What leaves this device')
      await accessible(page)
      if (width === 360) {
        await page.goto(`${server.origin}/memos`)
        await press(page, 'Select')
        await (await page.waitForSelector('.tick input'))!.click()
        await press(page, 'Delete')
        await reads(page, 'Record something')
        await accessible(page)
      }
    }
  })

  test('the keyboard is enough', async () => {
    const { page } = await visitor()
    const focus = (name: string) =>
      until(`the focus on ${name}`, async () => {
        const at = await page.evaluate(() => {
          const element = document.activeElement as HTMLElement | null
          return element?.getAttribute('aria-label') ?? element?.textContent?.trim()
        })
        if (at !== name) await page.keyboard.press('Tab')
        return at === name
      })
    await reads(page, 'Record something')
    await focus('Record')
    await page.keyboard.press('Enter')
    await onTheClock(page, 1)
    await focus('Stop')
    await page.keyboard.press('Enter')
    await until('the title', () =>
      page.evaluate(() => (document.activeElement as HTMLTextAreaElement).name === 'title'),
    )
    await page.keyboard.type('By hand')
    await page.keyboard.press('Enter')
    await focus('Play')
    await page.keyboard.press('Space')
    await until('it to play', async () => (await position(page))[0] >= 1)
    await page.reload()
    await reads(page, '0:0')
    await focus('Delete')
    await page.keyboard.press('Enter')
    await reads(page, 'Record something')
    await focus('Undo')
    await page.keyboard.press('Enter')
    await until('the memo', async () => (await titles(page)).join() === 'By hand')
    await until('the focus to be where it was', () => page.evaluate(() => document.activeElement!.closest('main') !== null))
    await focus('By hand')
    await page.keyboard.press('Enter')
    await until('its page', async () => (await page.title()).startsWith('By hand'))
    // The focus is on the new page's heading.
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe('H1')
  })

  test('what is deleted in one tab is neither played nor selected in another', async () => {
    const { ann, page } = await visitor()
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

  test('the sheet to share on: a double click leaves it open, Back does not', async () => {
    const { page } = await visitor()
    await makeMemo(page, 'A title that goes on and on, '.repeat(6))
    await (await control(page, 'Share')).click({ count: 2 })
    await page.setViewport({ width: 360, height: 640 })
    const link = await control(page, 'Link', 'textbox')
    expect((await link!.boundingBox())!.y).toBeLessThan(640)
    await page.goBack()
    await page.waitForFunction(() => !document.querySelector('dialog'))
  })

  test('with the colours of the system, the buttons and what is chosen can be seen', async () => {
    const { page } = await visitor()
    await (await page.createCDPSession()).send('Emulation.setEmulatedMedia', {
      features: [{ name: 'forced-colors', value: 'active' }],
    })
    await reads(page, 'Record something')
    expect(await inked(page, named(page, 'Record', 'button'))).toBeGreaterThan(0.3)
    await recordFor(page, 1)
    expect(await inked(page, named(page, 'Stop', 'button'))).toBeGreaterThan(0.1)
    await press(page, 'Stop')
    await press(page, 'Memos', 'link')
    await press(page, 'Select')
    const before = await inked(page, '.tick')
    await (await page.waitForSelector('.tick input'))!.click()
    await reads(page, '1 selected')
    expect(await inked(page, '.tick')).toBeGreaterThan(before + 0.1)
  })

  test('on a phone held sideways, Stop, Record and Play are in sight, also when it was turned meanwhile', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 640, height: 320 })
    const inSight = async (name: string) => {
      const { y, height } = (await (await control(page, name)).boundingBox())!
      expect(y, name).toBeGreaterThan(0)
      expect(y + height, name).toBeLessThanOrEqual(320)
    }
    await inSight('Record')
    await recordFor(page, 1)
    for (const name of ['Stop', 'Cancel', 'Pause']) await inSight(name)
    await press(page, 'Cancel')
    await reads(page, 'Recording discarded')
    await page.goto(`${server.origin}/memos/new`)
    await inSight('Record')

    await page.setViewport({ width: 320, height: 740 })
    await recordFor(page, 1)
    await page.setViewport({ width: 320, height: 568 })
    const edge = (selector: string, side: 'top' | 'bottom') =>
      page.$eval(selector, (element, side) => element.getBoundingClientRect()[side], side)
    await until('the level above the buttons', async () => (await edge('.level', 'bottom')) < (await edge('.controls', 'top')))
    await press(page, 'Stop')
    await control(page, 'Play')
    await page.setViewport({ width: 640, height: 320 })
    await inSight('Play')
  })

  test('on the narrowest phone, what is done with selected memos stands in one line', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 320, height: 568 })
    await reads(page, 'Record something')
    await haveMemos(page, [{ title: 'One' }, { title: 'Two' }])
    await press(page, 'Select')
    const middle = async (name: string) => {
      const { y, height } = (await (await control(page, name)).boundingBox())!
      return y + height / 2
    }
    expect(await middle('Share')).toBeCloseTo(await middle('Delete'), 0)
    const heading = (await (await page.$('h1'))!.boundingBox())!
    expect(await middle('Done')).toBeCloseTo(heading.y + heading.height / 2, 0)
  })

  test('with letters twice as large nothing is cut off', async () => {
    const { page } = await visitor({ args: ['--blink-settings=defaultFontSize=32'] })
    await makeMemo(page, 'A title that is long enough to need its room on a narrow screen')
    const memo = await page.evaluate(() => location.pathname)
    for (const width of [360, 768, 1280]) {
      await page.setViewport({ width, height: 740 })
      for (const path of ['', '/memos/new', '/files', '/about', memo]) {
        await page.goto(server.origin + path)
        await page.waitForSelector('main h1')
        const wide = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        )
        expect(wide, `${path} at ${width}`).toBeLessThanOrEqual(0)
      }
    }

    // Within the sheet and while several are selected, on the narrowest phone.
    await page.setViewport({ width: 320, height: 740 })
    const cut = () =>
      page.$$eval('button, select, .sheet input', (controls) =>
        controls
          .filter((control) => control.clientWidth)
          .filter((control) => control.getBoundingClientRect().right > innerWidth || control.clientWidth < 44)
          .map((control) => control.textContent?.trim() || control.ariaLabel),
      )
    await page.goto(server.origin)
    await haveMemos(page, [{ title: 'Another' }])
    await page.waitForSelector('.row')
    expect(await cut()).toEqual([])
    await press(page, 'Select')
    expect(await cut()).toEqual([])
    await page.goto(server.origin + memo)
    await shareLink(page)
    expect(await cut()).toEqual([])
  })

  test('at 200 % zoom nothing is cut off', async () => {
    const { page } = await visitor()
    await makeMemo(page, 'A title that is long enough to need its room on a narrow screen')
    await page.setViewport({ width: 320, height: 400, deviceScaleFactor: 2 })
    for (const path of ['', '/memos/new', '/about', await page.evaluate(() => location.pathname)]) {
      await page.goto(server.origin + path)
      await page.waitForSelector('main h1')
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      expect(wide, path).toBeLessThanOrEqual(0)
    }
  })
})
