/** Memos between people: links, what both sides see, and what happens when something on the way is not there. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import type { Memos } from '../web/memos/memos.ts'
import { harness, later, until, type Kind, type Person, type Server } from './harness/index.ts'
import { arrives, control, makeMemo, path, position, press, reads, recordFor, shareLink, text, titles, visit } from './memos.kit.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

const visitor = (kind?: Kind): Promise<Person> => visit(kit, server, kind)

/** Seconds without progress, and somewhat more, after which a page says why. */
const patience = 16

/** Opens what the page tells in numbers, and waits until it reads so. */
async function details(page: Page, words: string): Promise<void> {
  await (await page.waitForSelector('summary'))!.click()
  await reads(page, words)
}

/** Puts a memo of that many megabytes of silence into the page's library, as if it had been recorded. */
async function longMemo(page: Page, megabytes: number): Promise<void> {
  await page.evaluate(async (megabytes) => {
    const length = megabytes * 1e6
    const head = new DataView(new ArrayBuffer(44))
    const say = (at: number, text: string) => [...text].forEach((char, i) => head.setUint8(at + i, char.charCodeAt(0)))
    say(0, 'RIFF')
    head.setUint32(4, 36 + length, true)
    say(8, 'WAVEfmt ')
    const fields: [number, number, 2 | 4][] = [
      [16, 16, 4],
      [20, 1, 2],
      [22, 2, 2],
      [24, 48_000, 4],
      [28, 192_000, 4],
      [32, 4, 2],
      [34, 16, 2],
      [40, length, 4],
    ]
    for (const [at, value, size] of fields)
      size === 4 ? head.setUint32(at, value, true) : head.setUint16(at, value, true)
    say(36, 'data')
    const part = new Uint8Array(1e6)
    const audio = new Blob(
      [head.buffer, ...Array.from({ length: megabytes }, (_, i) => (part.fill(i), part.slice()))],
      { type: 'audio/wav' },
    )
    const db = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('memos')
      opening.onsuccess = () => resolve(opening.result)
    })
    const writing = db.transaction(['memos', 'audio'], 'readwrite')
    const memo = {
      id: 'long',
      title: 'Long',
      description: '',
      created: Date.now(),
      duration: length / 192_000,
      type: 'audio/wav',
      size: audio.size,
      peaks: new Uint8Array(9),
    }
    writing.objectStore('memos').put(memo)
    writing.objectStore('audio').put(audio, 'long')
    await new Promise((resolve) => (writing.oncomplete = resolve))
    db.close()
  }, megabytes)
  await page.goto(`${new URL(page.url()).origin}/memos/long`)
}

describe.each(['chromium', 'firefox'] as const)('to %s', (kind) => {
  test('a private link brings the memo; both sides see where it stands; it is kept', async () => {
    const [ann, bob] = [await visitor(), await visitor(kind)]
    await makeMemo(ann.page, 'For Bob', 2)
    await (await control(ann.page, 'Description', 'textbox')).type('first line\nsecond line')
    const link = await shareLink(ann.page)
    expect(link).toMatch(/\/m#[0-9a-f]{40}\.[\w-]{22}$/)
    await reads(ann.page, 'Nobody has it yet. Keep this page open')
    await reads(ann.page, 'Anyone with this link can listen')
    await press(ann.page, 'Copy link')
    await reads(ann.page, 'The link is selected: copy it yourself')
    await ann.context.overridePermissions(server.origin, ['microphone', 'clipboard-sanitized-write'])
    await press(ann.page, 'Copy link')
    await reads(ann.page, 'Copied')

    await bob.page.goto(link)
    await reads(bob.page, 'Saved')
    const shown = await text(bob.page)
    expect([shown.includes('For Bob'), shown.includes('first line\nsecond line')]).toEqual([true, true])
    await reads(ann.page, '1 other has all of it. You may close this page.')
    const hears = async () => {
      // Without a sound card Firefox refuses to play; Chromium plays to nobody.
      if (kind === 'firefox') return
      await press(bob.page, 'Play')
      await until('it to play', async () => (await position(bob.page))[0] >= 1)
    }
    await hears()

    // The same link again is no second import, and what was kept needs nobody else.
    await ann.page.close()
    await bob.page.goto(`${server.origin}/memos`)
    await until('the memo', async () => (await titles(bob.page)).join() === 'For Bob')
    await bob.page.goto(link)
    await until('the memo itself', async () => (await path(bob.page)).startsWith('/memos/'))
    await hears()
    await bob.page.goto(`${server.origin}/memos`)
    await until('one memo', async () => (await titles(bob.page)).length === 1)
    await reads(bob.page, 'Received')
  })
})

test('whoever opens a link is told of the memo, and not of the app', async () => {
  const [ann, bob] = [await visitor(), await kit.person('chromium')]
  await makeMemo(ann.page, 'First visit')
  const link = await shareLink(ann.page)
  await bob.page.evaluateOnNewDocument(() => {
    navigator.serviceWorker?.addEventListener('message', ({ data }: MessageEvent<{ type?: string }>) => {
      if (data.type === 'starling:ready') Object.assign(globalThis, { told: true })
    })
  })
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
  await until('the page to be told', () => bob.page.evaluate(() => 'told' in globalThis))
  expect(await text(bob.page, 'starling-app')).not.toContain('offline use')
})

test('a renamed memo keeps its link, and those who have it see the new name; a reload changes neither', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'Before')
  const link = await shareLink(ann.page)
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
  await ann.page.keyboard.press('Escape')
  const title = await control(ann.page, 'Title', 'textbox')
  await title.click({ count: 3 })
  await ann.page.keyboard.type('After')
  await ann.page.keyboard.press('Enter')
  await reads(bob.page, 'After')
  await ann.page.reload()
  await control(ann.page, 'Title', 'textbox')
  expect(await shareLink(ann.page)).toBe(link)

  // Carol hears it from Ann, who only opened her page again.
  const carol = await visitor()
  await bob.page.close()
  await carol.page.goto(link)
  await reads(carol.page, 'Saved')
  await reads(carol.page, 'After')
})

test.each([360, 1280])('at a width of %d, Copy link stays where it is when somebody comes to have the memo', async (width) => {
  const [ann, bob] = [await visitor(), await visitor()]
  await ann.page.setViewport({ width, height: 800 })
  // As it holds still: the sheet rises.
  await ann.page.emulateMediaFeatures([{ name: 'prefers-reduced-motion', value: 'reduce' }])
  await makeMemo(ann.page, 'Steady')
  const link = await shareLink(ann.page)
  await reads(ann.page, 'Nobody has it yet', 'dialog')
  const place = async () => (await (await control(ann.page, 'Copy link')).boundingBox())!.y
  const before = await place()
  await bob.page.goto(link)
  await reads(ann.page, '1 other has all of it', 'dialog')
  expect(await place()).toBe(before)
  // Who has it all waits for nobody.
  await ann.page.close()
  await details(bob.page, 'None now')
})

test('who skips to the content stays at what the link leads to', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'Skipped to')
  const link = await shareLink(ann.page)
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
  await bob.page.bringToFront()
  await (await control(bob.page, 'Skip to content', 'link')).focus()
  await bob.page.keyboard.press('Enter')
  await until('the focus to move', () => bob.page.evaluate(() => !document.activeElement!.matches('.skip')))
  expect(await bob.page.evaluate(() => document.activeElement!.id)).toBe('main')
  expect([bob.page.url(), (await text(bob.page)).includes('Skipped to')]).toEqual([link, true])
})

test('plays while it arrives; says so when the sender leaves; goes on when she is back', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await longMemo(ann.page, 150)
  const link = await shareLink(ann.page)
  await bob.page.goto(link)
  const percent = async () => Number(/(\d+) %/.exec(await text(bob.page, '.standing-phase'))?.[1] ?? 0)
  await until('a part of it', async () => (await percent()) >= 5)
  await press(bob.page, 'Play')
  await until('it to play', async () => (await position(bob.page))[0] >= 1)
  const at = await percent()
  expect(at).toBeLessThan(100)
  expect(await text(bob.page, '.standing [role=status]')).not.toMatch(/ to go|per second/)
  const there = await ann.tab()
  await ann.page.close()
  await details(bob.page, 'None yet')
  await later(bob.page, patience)
  await reads(bob.page, 'The sender’s page is closed or offline')
  const left = await percent()
  expect(left).toBeGreaterThanOrEqual(at)
  expect(await text(bob.page, '.cause')).toContain('Retry')
  await there.goto(server.origin)
  await arrives(bob.page)
})

test('a public link is a magnet too, and the article’s app’s links still work', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'For all')
  // The sheet grows when the first link comes, and what is on it moves.
  await shareLink(ann.page)
  await press(ann.page, 'Public link')
  const field = await control(ann.page, 'Magnet', 'textbox')
  const magnet = await field.evaluate((input) => (input as HTMLInputElement).value)
  expect(magnet).toMatch(/^magnet:\?xt=urn:btih:[0-9a-f]{40}&/)
  const link = await (await control(ann.page, 'Link', 'textbox')).evaluate((input) => (input as HTMLInputElement).value)
  expect(link).toMatch(/\/m#[0-9a-f]{40}$/)
  await reads(ann.page, 'It is not encrypted')
  await bob.page.goto(`${server.origin}/share?${new URLSearchParams({ seeds: magnet })}`)
  await reads(bob.page, 'Saved')
  // What it is about is not told to the server again, with a reload say.
  expect(new URL(bob.page.url()).search).toBe('')
  expect(new URL(bob.page.url()).hash).toContain(encodeURIComponent('urn:btih:'))
  await reads(bob.page, 'For all')
  await ann.page.keyboard.press('Escape')
  await reads(ann.page, 'Public', '.badge')
  // Who passes it on reads the same.
  await press(bob.page, 'Open in your memos', 'link')
  expect(await shareLink(bob.page)).toBe(link)
  await reads(bob.page, 'It is not encrypted')
})

test('words reach those who have the memo also when the writer goes back with the field still open', async () => {
  // Which tells of no change then.
  const [ann, bob] = [await visitor('firefox'), await visitor()]
  await makeMemo(ann.page, 'Before')
  await bob.page.goto(await shareLink(ann.page))
  await reads(bob.page, 'Saved')
  await ann.page.bringToFront()
  await ann.page.keyboard.press('Escape')
  await (await control(ann.page, 'Title', 'textbox')).click({ count: 3 })
  await ann.page.keyboard.type('After')
  await ann.page.goBack()
  await until('the list', async () => (await titles(ann.page)).join() === 'After')
  await reads(bob.page, 'After')
})

test('several memos go into one link', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  for (const title of ['One', 'Two']) {
    await makeMemo(ann.page, title)
    await press(ann.page, 'Memos', 'link')
  }
  await press(ann.page, 'Select')
  await press(ann.page, 'Select all')
  await reads(ann.page, '2 selected')
  await press(ann.page, 'Select none')
  await reads(ann.page, 'Select memos')
  for (const title of ['One', 'Two']) await press(ann.page, `Select ${title}`, 'checkbox')
  const link = await shareLink(ann.page)
  await bob.page.goto(link)
  await reads(bob.page, 'They are kept on this device.')
  // Each is told apart by those who do not see beside which title it stands.
  const described = await bob.page.$$eval('.receive .play', (buttons) =>
    buttons.map((button) => document.getElementById(button.getAttribute('aria-describedby')!)?.textContent!.trim()),
  )
  expect(described.sort()).toEqual(['One', 'Two'])
  await press(bob.page, 'Open your memos', 'link')
  await until('both', async () => (await titles(bob.page)).sort().join() === 'One,Two')

  // After a reload the sender still answers for the link.
  await ann.page.reload()
  const carol = await visitor()
  await bob.page.close()
  await carol.page.goto(link)
  await reads(carol.page, 'They are kept on this device.')

  // Who sent it may open it, too, and has no second ones then.
  await ann.page.goto(link)
  await reads(ann.page, 'They are kept on this device.')
  await press(ann.page, 'Open your memos', 'link')
  await until('both', async () => (await titles(ann.page)).sort().join() === 'One,Two')
})

test.each(['chromium', 'firefox'] as const)('what %s has lost of a memo is fetched anew', async (kind) => {
  const [ann, bob] = [await visitor(), await visitor(kind)]
  await makeMemo(ann.page, 'Lost')
  const link = await shareLink(ann.page)
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
  // A page without the engine, which every page of the app has after a while: what was received is shared.
  await bob.page.goto(`${server.origin}/stats`)
  const kept = () =>
    bob.page.evaluate(async () => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('starling')
      const names: string[] = []
      for await (const name of (folder as unknown as { keys(): AsyncIterable<string> }).keys()) names.push(name)
      return names
    })
  const [name] = await kept()
  await bob.page.evaluate(async (name) => {
    await (await (await navigator.storage.getDirectory()).getDirectoryHandle('starling')).removeEntry(name)
  }, name!)
  expect(await kept()).toEqual([])
  await bob.page.goto(`${server.origin}/memos`)
  await press(bob.page, 'Lost', 'link')
  await until('it again', async () => {
    await press(bob.page, 'Download')
    return (await kept()).includes(name!)
  })
  expect(await text(bob.page, 'starling-app')).not.toContain('could not be downloaded')
})

test('what is deleted for good goes from the engine, too, where the page is closed before', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'Gone')
  await bob.page.goto(await shareLink(ann.page))
  await press(bob.page, 'Open in your memos', 'link')
  /** Keys of the app's rows, or of the engine's. */
  const keys = (of: 'memos' | 'torrents') =>
    bob.page.evaluate(async (of) => {
      const db = await new Promise<IDBDatabase>((resolve) => {
        const opening = indexedDB.open(of === 'memos' ? of : 'starling')
        opening.onsuccess = () => resolve(opening.result)
      })
      const all = db.transaction(of).objectStore(of).getAllKeys()
      await new Promise((resolve) => (all.onsuccess = resolve))
      db.close()
      return all.result.length
    }, of)
  expect([await keys('memos'), await keys('torrents')]).toEqual([1, 1])
  // It hears of it too late.
  await bob.page.$eval('memos-screens', (screens) => {
    ;(screens as unknown as { memos: Memos }).memos.host.node = () => new Promise(() => {})
  })
  await press(bob.page, 'Delete')
  await press(bob.page, 'Close this message')
  await until('the row to go', async () => (await keys('memos')) === 0)
  expect(await keys('torrents')).toBe(1)
  await bob.page.reload()
  await until('the torrent to go', async () => (await keys('torrents')) === 0)
})

test('what was deleted and is opened by its link again is there again, once', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'Regret')
  const link = await shareLink(ann.page)
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
  await bob.page.goto(`${server.origin}/memos`)
  await press(bob.page, 'Regret', 'link')
  await press(bob.page, 'Delete')
  await reads(bob.page, 'Memo deleted')
  await press(bob.page, 'Close this message')
  await bob.page.goto(link)
  // Fetched anew; or, where the page left before all of it was gone, brought back.
  await reads(bob.page, /Saved|Received/)
  await bob.page.goto(`${server.origin}/memos`)
  await until('it again, once', async () => (await titles(bob.page)).join() === 'Regret')
})

test('what was deleted and is brought back by its link is shared again', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  const share = async (title: string) => {
    await makeMemo(ann.page, title)
    const link = await shareLink(ann.page)
    await ann.page.keyboard.press('Escape')
    return link
  }
  await share('Other')
  await press(ann.page, 'Memos', 'link')
  const link = await share('Regret')
  await press(ann.page, 'Delete')
  await reads(ann.page, 'Memo deleted')
  // This page is about what is left.
  await ann.page.goto(`${server.origin}/memos`)
  const host = async () => {
    const screens = (await ann.page.waitForSelector('memos-screens'))!
    return screens.evaluateHandle((screens) => (screens as unknown as { memos: Memos }).memos.host)
  }
  const shared = async () => (await host()).evaluate(async (host) => (await (await host.node()).states()).length)
  await until('the other one to be shared', async () => (await shared()) === 1)
  await (await host()).evaluate((host, link) => host.navigate(link), link)
  await until('its page', async () => /^\/memos\/./.test(await path(ann.page)))
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
})

describe('what one tab shared alone', () => {
  /** Until the page would go on with it. */
  const waits = (page: Page) =>
    until('the other tab to wait for its turn', () =>
      page.evaluate(async () => (await navigator.locks.query()).pending!.some(({ name }) => name === 'memos-sharing')),
    )

  test('another goes on with when it is closed, though nothing was shared when that one was opened', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    const other = await ann.tab()
    await other.goto(`${server.origin}/memos`)
    await control(other, 'Record')
    await makeMemo(ann.page, 'Passed on')
    const link = await shareLink(ann.page)
    await waits(other)
    await ann.page.close()
    await bob.page.goto(link)
    await reads(bob.page, 'Saved')
  })

  test('another goes on with when the browser freezes it', async () => {
    const [ann, bob] = [await visit(kit, server, 'chromium', { allow: [/announce/] }), await visitor()]
    await makeMemo(ann.page, 'Frozen')
    const link = await shareLink(ann.page)
    const other = await ann.tab()
    await other.goto(`${server.origin}/memos`)
    await waits(other)
    await (await ann.page.createCDPSession()).send('Page.setWebLifecycleState', { state: 'frozen' })
    await bob.page.goto(link)
    await reads(bob.page, 'Saved')
  })

  test('another goes on with that had its turn before', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    const path = await makeMemo(ann.page, 'First')
    await shareLink(ann.page)
    const [other, leader] = [await ann.tab(), await ann.tab()]
    await other.goto(`${server.origin}/memos`)
    await waits(other)
    await leader.goto(server.origin + path)
    await shareLink(leader)
    await ann.page.close()
    await until('the other tab to share the first by the engine of this one', () =>
      leader.evaluate(async () => {
        const { held, pending } = await navigator.locks.query()
        const follows = pending!.find(({ name }) => name === 'starling/1')?.clientId
        return !!follows && follows === held!.find(({ name }) => name === 'memos-sharing')?.clientId
      }),
    )
    await leader.keyboard.press('Escape')
    await press(leader, 'Memos', 'link')
    await makeMemo(leader, 'Second')
    const link = await shareLink(leader)
    await leader.close()
    await bob.page.goto(link)
    await reads(bob.page, 'Saved')
  })
})

test('who cleared the site’s data while the page was open receives all the same', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'One')
  const one = await shareLink(ann.page)
  await ann.page.keyboard.press('Escape')
  await press(ann.page, 'Memos', 'link')
  await makeMemo(ann.page, 'Two')
  const two = await shareLink(ann.page)
  await bob.page.goto(one)
  await reads(bob.page, 'Saved')
  const session = await bob.page.createCDPSession()
  await session.send('Storage.clearDataForOrigin', { origin: server.origin, storageTypes: 'indexeddb,file_systems' })
  await bob.page.evaluate((link) => void (location.href = link), two)
  await until('the other memo', async () => (await bob.page.title()).startsWith('Two'))
  await reads(bob.page, 'Saved')
})

test('what was shared is shared from every page of the app', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'From elsewhere')
  const link = await shareLink(ann.page)
  await ann.page.goto(`${server.origin}/about`)
  await reads(ann.page, 'While you record')
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
})

describe('a link that leads nowhere', () => {
  test('cut short, or without its end, says so at once', async () => {
    const { page } = await visitor()
    for (const rest of ['', 'abcdef0123', `${'a'.repeat(40)}.short`]) {
      await page.goto(`${server.origin}/m#${rest}`)
      await reads(page, 'This link is not complete')
      await press(page, 'Go to your memos', 'link')
      await reads(page, 'Record something')
    }
  })

  test('with a wrong key is told apart from missing data', async () => {
    const [ann, bob] = [await visitor(), await visitor()]
    await makeMemo(ann.page, 'Locked')
    const link = await shareLink(ann.page)
    const wrong = link.replace(/\.(.)/, (_, first: string) => (first === 'A' ? '.B' : '.A'))
    await bob.page.goto(wrong)
    await reads(bob.page, 'The key in this link is wrong')
    // The right one still works.
    await bob.page.goto(link)
    await reads(bob.page, 'Saved')
    // Also for somebody who opens it on another day.
    const carol = await visitor()
    await carol.page.goto(wrong)
    await reads(carol.page, 'The key in this link is wrong')
    await carol.page.goto(server.origin)
    await carol.page.goto(link)
    await reads(carol.page, 'Saved')
  })

  test('with an infohash nobody has waits, and says why', async () => {
    const { page } = await visitor()
    await page.goto(`${server.origin}/m#${'0123456789'.repeat(4)}.${'A'.repeat(22)}`)
    await reads(page, 'Looking for whoever has it')
    await details(page, 'working')
    expect(await text(page)).not.toContain('closed or offline')
    await later(page, patience)
    await reads(page, 'The sender’s page is closed or offline')
    await press(page, 'Retry')
    await reads(page, 'Finding')
    await until('patience again', async () => !(await text(page)).includes('closed or offline'))
  })
})

test.each([
  ['a setting', () => void Reflect.deleteProperty(window, 'RTCPeerConnection')],
  ['an extension', () => void Object.assign(window, { RTCPeerConnection: undefined })],
])('without WebRTC, by %s, both sides say so at once', async (_, without) => {
  const { page } = await visitor()
  await page.evaluateOnNewDocument(without)
  await page.reload()
  await page.goto(`${server.origin}/m#${'0123456789'.repeat(4)}.${'A'.repeat(22)}`)
  await reads(page, 'This browser makes no direct connections')
  await page.goto(`${server.origin}/memos`)
  await makeMemo(page, 'Alone')
  await shareLink(page)
  await reads(page, 'Nobody can fetch it: this browser makes no direct connections')
})

test('where the sender is found and not reached, the page says so, and what the browser refused it', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  for (const { page } of [ann, bob]) {
    await page.evaluateOnNewDocument(() => {
      // As behind a network that lets nothing through.
      window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor() {
          super({ iceTransportPolicy: 'relay' })
        }
        override setConfiguration() {}
      }
    })
    await page.reload()
  }
  const browser = await bob.page.createCDPSession()
  const local = (setting: 'denied' | 'prompt') =>
    browser.send('Browser.setPermission', { permission: { name: 'local-network' }, setting, origin: server.origin, browserContextId: bob.context.id! })
  await makeMemo(ann.page, 'Nearby')
  const link = await shareLink(ann.page)
  await bob.page.goto(link)
  await reads(bob.page, 'The sender was found')
  await local('denied')
  await later(bob.page, patience)
  await reads(bob.page, 'This page may not reach devices in your network')
  await local('prompt')
  await reads(bob.page, 'blocks the direct connection')
  await reads(bob.page, 'If your browser asks whether this page may reach devices in your network, allow it')
})

test('the tracker is down when a link is opened: the page says so, and goes on when it is back', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'Patience')
  const link = await shareLink(ann.page)
  await bob.page.evaluate(async () => void (await navigator.serviceWorker.ready)) // it is kept for offline use
  for (const person of [ann, bob]) person.allow(/WebSocket|ERR_CONNECTION|Failed to (load|fetch)/)
  await server.stop()
  await bob.page.goto(link)
  await details(bob.page, 'The tracker cannot be reached')
  await later(bob.page, patience)
  await reads(bob.page, 'The server that introduces peers cannot be reached')
  await server.restart()
  // Either may have been about to wait its longest before it tries again.
  await reads(bob.page, 'Saved', undefined, 90_000)
})

test('moving about in the app interrupts neither playing nor receiving', async () => {
  const [ann, bob] = [await visitor(), await visitor()]
  await longMemo(ann.page, 60)
  const link = await shareLink(ann.page)
  await bob.page.goto(link)
  await reads(bob.page, /\d %/, '.standing')
  await press(bob.page, 'Play')
  await until('it to play', async () => (await position(bob.page))[0] >= 1)
  await press(bob.page, 'What leaves this device', 'link')
  await reads(bob.page, 'While you record')
  await press(bob.page, 'Memos', 'link')
  await until('it to be received', async () => (await text(bob.page)).includes('Received'), { within: 120_000 })
  expect(await bob.page.$('aria/Pause[role="button"]')).toBeTruthy()
  await recordFor(bob.page, 1)
})
