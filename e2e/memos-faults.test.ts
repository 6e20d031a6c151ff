/** What goes wrong with memos on one device, and what the page then says and keeps. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { harness, until, type Kind, type Person, type Server } from './harness/index.ts'
import {
  closeMessages,
  control,
  fillStorage,
  haveMemos,
  holdPrompt,
  makeMemo,
  ofPrompt,
  onTheClock,
  position,
  press,
  reads,
  recordFor,
  sees,
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

/** The page of somebody whose prompt for the microphone stays open until the test answers it. */
async function undecided(path = '/'): Promise<Page> {
  const ann = await kit.person('chromium')
  await ann.allowMicrophone(server.origin)
  await holdPrompt(ann.page)
  await ann.page.goto(server.origin + path)
  return ann.page
}

describe('the ways the original lost recordings', () => {
  test('Cancel while the microphone is asked for does not discard the next recording', async () => {
    const page = await undecided()
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
    const page = await undecided('/memos/new')
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
      const { start, requestData } = MediaRecorder.prototype
      // Without a time slice the data come at the end only, or when they are asked for.
      MediaRecorder.prototype.start = function () {
        start.call(this)
        this.requestData = () => {}
        Object.assign(globalThis, { data: () => requestData.call(this) })
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
    const page = await undecided()
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
    const ann = await visitor()
    const { page } = ann
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
    const ann = await visitor()
    const { page } = ann
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
    // Every other tab shows it until Undo is not offered any more, whose clock stops under the pointer.
    await page.hover('.toast')
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
    await reads(page, /The sound of “\P{L}?Gone\P{L}?” is missing/u)
    expect(await sees(page, 'Retry')).toBe(false)
    await page.keyboard.press('Escape')
    await closeMessages(page)
    await press(page, 'Download')
    await reads(page, /The sound of “\P{L}?Gone\P{L}?” is missing/u, 'ui-toasts')
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
    await reads(page, 'Files cannot be sent without its storage')
  })

  test('a browser that forgets pages after a week: the list says so until it was read', async () => {
    const { page } = await visitor()
    expect(await text(page)).not.toContain('after a week')
    await page.evaluateOnNewDocument(() => Object.defineProperty(navigator, 'vendor', { value: 'Apple Computer, Inc.' }))
    await page.reload()
    await reads(page, 'This browser forgets memos after a week')
    await makeMemo(page, 'Kept')
    await page.goto(`${server.origin}/memos`)
    await reads(page, 'Download what is here')
    await press(page, 'OK')
    await until('it to go', async () => !(await text(page)).includes('after a week'))
    await page.reload()
    await reads(page, 'Kept')
    expect(await text(page)).not.toContain('after a week')
    await page.goto(`${server.origin}/about`)
    await reads(page, 'This one forgets what you stay away from for seven days')
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

  test('a memo that is not here, or an address that leads nowhere: the page says so, and shows the way home', async () => {
    const ann = await visitor()
    const { page } = ann
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
