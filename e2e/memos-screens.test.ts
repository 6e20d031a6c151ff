/** The pages of memos under any hand and eye: by keyboard, by screen reader, on small screens, with large letters. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { HTTPRequest } from 'puppeteer-core'
import { harness, named, until, type Person, type PersonOptions, type Server } from './harness/index.ts'
import {
  accessible,
  closeMessages,
  control,
  haveMemos,
  inked,
  longSound,
  makeMemo,
  onTheClock,
  path,
  position,
  press,
  reads,
  recordFor,
  shareLink,
  text,
  titles,
  visit,
} from './memos.kit.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

const visitor = (options?: PersonOptions): Promise<Person> => visit(kit, server, 'chromium', options)

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
    await until('the focus to be kept', () => page.evaluate(() => document.activeElement !== document.body))
    await focus('By hand')
    await page.keyboard.press('Enter')
    await until('its page', async () => (await page.title()).startsWith('By hand'))
    await until('the focus on the new page’s heading', () => page.evaluate(() => document.activeElement?.tagName === 'H1'))
  })

  test('a memo leads back to where its list was left, and choosing keeps the focus', async () => {
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

  test('a message stays what it is when another goes, and is not read aloud once more', async () => {
    const { page } = await visitor()
    await haveMemos(page, [{ title: 'One' }, { title: 'Two' }])
    for (const title of ['One', 'Two']) {
      await press(page, title, 'link')
      await press(page, 'Delete')
      await reads(page, 'Memos', 'h1')
    }
    // With Undo: the app may tell meanwhile that it is ready for offline use.
    const messages = () => page.$$('.toast:has(.toast-action)')
    await until('two messages', async () => (await messages()).length === 2)
    const [first, second] = await messages()
    await first!.$eval('.toast-close', (button) => (button as HTMLElement).click())
    await until('one message', async () => (await messages()).length === 1)
    expect(await second!.evaluate((message) => message.isConnected)).toBe(true)
    expect(await page.$eval('.toasts', (all) => all.ariaAtomic)).toBe('false')
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
    const ann = await visitor()
    const { page } = ann
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
    const other = await ann.tab()
    await other.goto(`${server.origin}/memos/memo-2`)
    await press(other, 'Delete')
    await page.bringToFront()
    await until('that one to be gone', async () => (await titles(page)).join() === 'Memo 0')
    await heading()
  })

  test('by keyboard, Undo is a step or two back from where a deletion leaves the focus', async () => {
    const { page } = await visitor()
    await haveMemos(page, Array.from({ length: 30 }, (_, i) => ({ title: `Memo ${i}` })))
    await press(page, 'Memo 20', 'link')
    await (await control(page, 'Delete')).focus()
    await page.keyboard.press('Enter')
    const focused = () => page.evaluate(() => document.activeElement!.textContent!.trim())
    await until('the heading of the list', async () => (await path(page)) === '/memos' && (await focused()) === 'Memos')
    await reads(page, 'Memo deleted', '.toasts')
    let steps = 0
    await until('the focus on Undo', async () => {
      const at = await focused()
      if (at === 'Undo') return true
      // The page may put it there once more as it opens.
      if (at === 'Memos') steps = 0
      steps++
      await page.keyboard.down('Shift')
      await page.keyboard.press('Tab')
      await page.keyboard.up('Shift')
      return false
    })
    expect(steps).toBe(2)
    await page.keyboard.press('Enter')
    await until('the memo', async () => (await titles(page)).length === 30)
    await until('the focus to be where it was', async () => (await focused()) === 'Memos')
  })

  test.each(['chromium', 'firefox'] as const)(
    'by keyboard in %s, Record is not behind a long list, and what has the focus is in sight',
    async (kind) => {
      const { page } = await visit(kit, server, kind)
      await reads(page, 'Record something')
      await haveMemos(page, Array.from({ length: 30 }, (_, i) => ({ title: `Memo ${i}` })))
      const at = () => page.evaluate(() => document.activeElement!.ariaLabel ?? document.activeElement!.textContent!.trim())
      const inSight = () =>
        page.evaluate(() => {
          const focused = document.activeElement!
          const { left, top, width, height } = focused.getBoundingClientRect()
          return focused.contains(document.elementFromPoint(left + width / 2, top + height / 2))
        })
      for (const [width, height] of [[360, 640], [1280, 600]] as const) {
        await page.setViewport({ width, height })
        await page.reload()
        await until('the list', async () => (await titles(page)).length === 30)
        const met: string[] = []
        while (!met.includes('Memo 15')) {
          await page.keyboard.press('Tab')
          met.push(await at())
          await until(`${met.at(-1)} in sight at ${width} by ${height}`, inSight)
        }
        expect(met.indexOf('Record'), met.join()).toBeLessThan(met.indexOf('Memo 0'))
      }
    },
  )

  test('a list is where it was when the page is loaded anew, or come back to from elsewhere', async () => {
    const { page } = await visitor()
    await haveMemos(page, Array.from({ length: 60 }, (_, i) => ({ title: `Memo ${i}` })))
    // Rows that are out of sight are as high as they turn out to be.
    const there = () => page.evaluate(() => Math.abs(Math.max(scrollY, document.querySelector('memos-list')?.scrollTop ?? 0) - 1500) < 200)
    for (const [width, path] of [[360, '/memos'], [1280, '/memos'], [1280, '/memos/memo-20']] as const) {
      await page.setViewport({ width, height: 700 })
      await page.goto(server.origin + path)
      await until('the list', () => page.evaluate(() => document.querySelectorAll('.row').length === 60))
      await page.evaluate(() => {
        for (const scrolled of [document.documentElement, document.querySelector('memos-list')!]) scrolled.scrollTop = 1500
      })
      await until('it to be scrolled', there)
      await page.reload()
      await until('it to be there again', there)
      await page.goto(`${server.origin}/stats`)
      await page.goBack()
      await until('it to be there again', there)
    }
  })

  test('by keyboard, the content that is skipped to is the page, and not the list beside it', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 1280, height: 800 })
    await haveMemos(page, Array.from({ length: 30 }, (_, i) => ({ title: `Memo ${i}` })))
    await page.goto(`${server.origin}/memos/memo-20`)
    await control(page, 'Play')
    const focused = () => page.evaluate(() => document.activeElement!.textContent!.trim())
    await page.keyboard.press('Tab')
    expect(await focused()).toBe('Skip to content')
    await page.keyboard.press('Enter')
    expect(await focused()).toBe('Memo 20')
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => (document.activeElement as HTMLTextAreaElement).name)).toBe('title')
  })

  test('what a button does is read aloud once, and told by the pointer', async () => {
    const { page } = await visitor()
    const devtools = await page.createCDPSession()
    const check = async () => {
      const { nodes } = await devtools.send('Accessibility.getFullAXTree')
      const twice = nodes.filter(({ name, description }) => name?.value && name.value === description?.value)
      expect(twice.map(({ name }) => name!.value as string)).toEqual([])
      const untold = await page.$$eval('.icon-only, .record', (all) =>
        all.filter((button) => !button.querySelector(`[title="${button.ariaLabel}"]`)).map(({ ariaLabel }) => ariaLabel),
      )
      expect(untold).toEqual([])
    }
    await reads(page, 'Record something')
    await check()
    await recordFor(page, 1)
    await check()
    await press(page, 'Stop')
    await control(page, 'Play')
    await check()
  })

  test('the memos are a list to Safari too, for which what has no markers is none unless it says so', async () => {
    const { page } = await visitor()
    await haveMemos(page, [{ title: 'One' }])
    await page.waitForSelector('.row')
    expect(await page.$$eval('main ul', (all) => all.map((list) => list.role))).toEqual(['list'])
  })

  test('a screen reader on the position says where the user put it, and not every second that plays', async () => {
    const { page } = await visitor()
    await haveMemos(page, [{ title: 'Long', type: 'audio/wav', sound: longSound }])
    await press(page, 'Long', 'link')
    await press(page, 'Play')
    const said = () => page.$eval('ui-wave', (wave) => wave.ariaValueText!)
    const clock = () => text(page, '.times time')
    await until('its length', async () => (await said()).endsWith('of 0:57'))
    await page.focus('ui-wave')
    const before = await said()
    await page.keyboard.press('ArrowRight')
    const after = await until('what was done to be said', async () => (await said()) !== before && said())
    const at = await clock()
    await until('it to play on', async () => (await clock()) !== at)
    expect(await said()).toBe(after)
    await press(page, 'Pause')
    await until('where it stands to be said', async () => (await said()) === `${await clock()} of 0:57`)
    expect(await said()).not.toBe(after)
  })

  test('Enter that ends the writing of a word with an input method does not end that of the title', async () => {
    const { page } = await visitor()
    await haveMemos(page, [{ title: 'One' }])
    await press(page, 'One', 'link')
    await page.focus('textarea[name=title]')
    // As Safari tells of it.
    const key = { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true }
    const kept = await page.evaluate((key) => document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', key)), key)
    expect(kept).toBe(true)
    expect(await page.evaluate(() => (document.activeElement as HTMLTextAreaElement).name)).toBe('title')
  })

  test.each(['chromium', 'firefox'] as const)('in %s, the page stays where it is while a long description is written', async (kind) => {
    const { page } = await visit(kit, server, kind)
    await reads(page, 'Record something')
    await page.setViewport({ width: 360, height: 640 })
    await haveMemos(page, [{ title: 'One' }])
    await press(page, 'One', 'link')
    await control(page, 'Play')
    const before = await page.evaluate(() => {
      const field = document.querySelector<HTMLTextAreaElement>('textarea[name=description]')!
      field.focus()
      field.value = 'word\n'.repeat(80)
      field.dispatchEvent(new Event('input', { bubbles: true }))
      field.setSelectionRange(40 * 5, 40 * 5)
      // The line that is written on is in the middle of the screen.
      const { top, height } = field.getBoundingClientRect()
      scrollTo(0, scrollY + top + height / 2 - innerHeight / 2)
      return scrollY
    })
    expect(before).toBeGreaterThan(500)
    await page.keyboard.type('More ')
    await until('the words', () => page.evaluate(() => (document.activeElement as HTMLTextAreaElement).value.includes('More word')))
    expect(await page.evaluate(() => scrollY)).toBe(before)
    await page.keyboard.press('Tab')
    await until('the words to be kept', () => page.evaluate(() => dispatchEvent(new Event('beforeunload', { cancelable: true }))))
  })

  test.each(['chromium', 'firefox'] as const)('a page that %s translates goes on to say what happens', async (kind) => {
    const { page } = await visit(kit, server, kind)
    /** What their translators do: Chromium's wraps texts, Firefox's takes all out and puts texts and elements back. */
    const translate = () =>
      page.evaluate((firefox) => {
        const texts: Text[] = []
        const walker = document.createTreeWalker(document.querySelector('starling-app')!, NodeFilter.SHOW_TEXT)
        while (walker.nextNode()) texts.push(walker.currentNode as Text)
        const meant = texts.filter((text) => text.data.trim() && !text.parentElement!.closest('[translate=no], textarea'))
        for (const text of meant) {
          const parent = text.parentElement!
          if (firefox) parent.replaceChildren(...[...parent.childNodes].filter(({ nodeType }) => nodeType !== Node.COMMENT_NODE))
          else {
            const font = document.createElement('font')
            text.replaceWith(font)
            font.append(text.data)
          }
        }
      }, kind === 'firefox')
    await recordFor(page, 1)
    await translate()
    await press(page, 'Pause')
    await reads(page, 'Paused', '.recording-state')
    await translate()
    await press(page, 'Resume')
    await reads(page, 'Recording', '.recording-state')
    await onTheClock(page, 2)
    await translate()
    await press(page, 'Stop')
    await until('the title to be written', () =>
      page.evaluate(() => (document.activeElement as HTMLTextAreaElement).name === 'title'),
    )
    for (const part of ['Fl', 'ock']) {
      await translate()
      await page.keyboard.type(part)
    }
    await page.keyboard.press('Enter')
    await until('the title', async () => (await page.title()).startsWith('Flock'))
    await shareLink(page)
    await translate()
    await press(page, 'Public link')
    await reads(page, 'Anyone at all can listen', 'dialog:modal')
    await control(page, 'Copy magnet')
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

  test('Record holds still while the microphones are looked for', async () => {
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

  test('a double click on Record records, and one on a message that it was read does not press what lay below', async () => {
    const { page } = await visitor()
    // Where Stop comes to lie on Record.
    await page.setViewport({ width: 390, height: 640 })
    const record = (await (await control(page, 'Record')).boundingBox())!
    await page.mouse.click(record.x + 40, record.y + 40, { count: 2 })
    await onTheClock(page, 2)
    await press(page, 'Stop')
    await control(page, 'Share')
    await press(page, 'Delete')
    const close = (await (await control(page, 'Close this message')).boundingBox())!
    await page.evaluate((x, y) => {
      const below = document.createElement('button')
      below.style.cssText = `position: fixed; left: ${x}px; top: ${y}px; width: 40px; height: 40px`
      below.onclick = () => (document.body.dataset.below = 'pressed')
      document.body.append(below)
    }, close.x, close.y)
    await page.mouse.click(close.x + 20, close.y + 20, { count: 2 })
    await page.waitForFunction(() => !document.querySelector('.toast'))
    expect(await page.evaluate(() => document.body.dataset.below)).toBeUndefined()
    await page.mouse.click(close.x + 20, close.y + 20)
    expect(await page.evaluate(() => document.body.dataset.below)).toBe('pressed')
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

  test.each(['.sheet-words', '.link button'])('what is pressed on the sheet, at %s, and let go of beside it does not close it', async (on) => {
    const { page } = await visitor()
    await makeMemo(page, 'One')
    await press(page, 'Share')
    // It holds still.
    await press(page, 'Link', 'textbox')
    const { x, y } = (await (await page.$(on))!.boundingBox())!
    const clicked = page.evaluate(() => new Promise((resolve) => addEventListener('click', resolve, { once: true })))
    await page.mouse.move(x + 50, y + 10)
    await page.mouse.down()
    await page.mouse.move(90, y + 10, { steps: 5 })
    await page.mouse.up()
    await clicked
    expect(await page.$('dialog:modal')).not.toBe(null)
    await page.mouse.click(90, y + 10)
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

  test('who asks for more contrast gets it', async () => {
    const { page } = await visitor()
    await haveMemos(page, [{ title: 'One' }])
    await press(page, 'One', 'link')
    await control(page, 'Play')
    const devtools = await page.createCDPSession()
    const style = async (selector: string, name: 'color' | 'borderTopWidth', value: 'more' | 'no-preference') => {
      await devtools.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-contrast', value }] })
      return page.$eval(selector, (element, name) => getComputedStyle(element)[name], name)
    }
    expect(await style('.memo-facts', 'color', 'more')).not.toBe(await style('.memo-facts', 'color', 'no-preference'))
    // Where one ends, and where one is, not only by a shade.
    expect(await style('.play.large', 'borderTopWidth', 'more')).toBe('1px')
    expect(await style('nav [aria-current]', 'borderTopWidth', 'more')).toBe('2px')
  })

  test('who wants less motion is not told that a third is here of what nobody knows', async () => {
    const { page } = await visitor()
    await page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }])
    await page.goto(`${server.origin}/m#${'0'.repeat(40)}.${'A'.repeat(22)}`)
    await reads(page, 'Finding')
    const [part, whole] = await page.$eval('.bar', (bar) => [bar.firstElementChild!.clientWidth, bar.clientWidth])
    expect(part).toBe(whole)
  })

  test('on paper are the words and the wave, and nothing to press', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 794, height: 1123 })
    await makeMemo(page, 'On paper')
    await page.emulateMediaType('print')
    const printed = (selector: string) => page.$eval(selector, (element) => element.checkVisibility())
    for (const words of ['textarea[name=title]', '.memo-facts', 'ui-wave']) expect(await printed(words), words).toBe(true)
    for (const part of ['.shell-bar', '.memo-tools', '.transport', 'textarea[name=description]'])
      expect(await printed(part), part).toBe(false)
    await page.goto(`${server.origin}/memos`)
    await reads(page, 'On paper')
    expect(await printed('.dock')).toBe(false)
  })

  test('a long title leaves Play in sight on a phone', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 360, height: 640 })
    await haveMemos(page, [{ title: 'An interview about the flood of 1954, with questions '.repeat(3).trim() }])
    await page.locator('.row-title').click()
    const play = await control(page, 'Play')
    await until('Play in sight', () => play!.evaluate((button) => button.getBoundingClientRect().bottom <= innerHeight))
  })

  test('on a small phone, a message leaves Play to whoever presses it, and Share where there is room', async () => {
    const { page } = await visitor()
    await reads(page, 'Record something')
    await haveMemos(page, [{ title: 'Gone' }])
    await press(page, 'Gone', 'link')
    // On the list the app may have told that it is ready for offline use.
    await closeMessages(page)
    for (const [width, height] of [[320, 568], [360, 640], [640, 360]] as const) {
      await page.setViewport({ width, height })
      await press(page, 'Play')
      await reads(page, 'The sound of this memo is missing')
      const toast = (await (await page.$('.toast'))!.boundingBox())!
      for (const button of ['.play.large', ...(height < 640 ? [] : ['.memo-tools'])]) {
        const { y, height: tall } = (await (await page.$(button))!.boundingBox())!
        const covered = toast.y < y + tall && y < toast.y + toast.height
        expect(covered, `${button} at ${width} by ${height}`).toBe(false)
      }
      await closeMessages(page)
    }
  })

  test('in a low window all of the bar can be reached', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 640, height: 200 })
    await page.goto(`${server.origin}/files`)
    await reads(page, 'Choose files')
    const bottom = await page.$eval('.about-link', (link) => {
      link.scrollIntoView()
      return link.getBoundingClientRect().bottom
    })
    expect(bottom).toBeLessThanOrEqual(200)
  })

  test('however low the screen, a message is on it', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 320, height: 256 })
    await page.goto(`${server.origin}/memos/new`)
    await control(page, 'Record')
    await page.$eval('ui-toasts', (toasts) =>
      (toasts as HTMLElement & { show(toast: object): void }).show({ text: 'Nothing came from the microphone, so there is no memo.', time: Infinity }),
    )
    const top = await (await page.waitForSelector('.toast'))!.evaluate(async (toast) => {
      await Promise.all(toast.getAnimations().map(({ finished }) => finished))
      return toast.getBoundingClientRect().top
    })
    expect(top).toBeGreaterThanOrEqual(0)
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

  test('on a phone held sideways, nothing lies under what is cut out of its screen', async () => {
    const { page } = await visitor()
    await page.setViewport({ width: 844, height: 390 })
    await reads(page, 'Record something')
    await haveMemos(page, [{ title: 'A title that is longer than the screen of any phone is wide, '.repeat(3) }])
    const session = await page.createCDPSession()
    await session.send('Emulation.setSafeAreaInsetsOverride', { insets: { left: 47, right: 47, bottom: 21 } })
    const under = () =>
      page.$$eval('a, button, h1, textarea', (all) =>
        all
          .map((element) => [element.getBoundingClientRect(), element.textContent!.trim() || element.ariaLabel] as const)
          .filter(([{ left, right, width }]) => width && (left < 47 || right > innerWidth - 47) && right > 0)
          .map(([, name]) => name),
      )
    await page.waitForSelector('.row')
    await until('nothing under it', async () => !(await under()).filter((name) => name !== 'Skip to content').length)
    await page.locator('.row-title').click()
    await control(page, 'Play')
    expect((await under()).filter((name) => name !== 'Skip to content')).toEqual([])
    await press(page, 'Delete')
    const toast = (await (await page.waitForSelector('.toast'))!.boundingBox())!
    expect(toast.x).toBeGreaterThanOrEqual(47)
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
      if (width > 360) continue
      // All of the bar in one line, and words enough of a title to know it by.
      const [bottom, top] = await page.evaluate(() => [
        document.querySelector('.brand')!.getBoundingClientRect().bottom,
        document.querySelector('.about-link')!.getBoundingClientRect().top,
      ])
      expect(top).toBeLessThan(bottom!)
      await shareLink(page)
      const [height, line] = await page.$eval('dialog h2', (title) => [title.offsetHeight, parseFloat(getComputedStyle(title).lineHeight)])
      expect(Math.round(height! / line!)).toBe(3)
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
