import { describe, expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { enter, harness, until, type Kind } from './harness/index.ts'

const kit = harness()
declare const lab: typeof import('./stream.page.ts')
const entry = new URL('./stream.page.ts', import.meta.url)

/** What Firefox says to its console whenever a page wants no more of an answer that a service worker gives. */
const unwanted = /A ServiceWorker intercepted the request/

/** Where in the file a moment of the sound lies. */
const byte = (second: number) => 44 + second * 88_200

function reaches(page: Page, second: number): Promise<unknown> {
  return until(`the player to reach second ${second}`, async () => {
    const { time, error } = await page.evaluate(() => lab.player())
    expect(error).toBeNull()
    return time >= second
  })
}

describe.each<Kind>(['chromium', 'firefox'])('%s', (kind) => {
  test('plays, and seeks, before all is there', async () => {
    const place = await kit.lab(entry)
    const { page } = await kit.person(kind, { allow: [unwanted] })
    await enter(page, place)
    const url = (await page.evaluate(() => lab.start(true))) as string
    await page.evaluate((end) => lab.arrive(0, end), byte(20))
    await page.evaluate((url) => lab.play(url), url)
    await reaches(page, 1)
    expect((await page.evaluate(() => lab.player())).duration).toBeCloseTo(120, 0)

    await page.evaluate(() => lab.seek(60))
    await until('a read where the player is', () => page.evaluate((at) => lab.log().furthest > at, byte(58)))
    await page.evaluate((start, end) => lab.arrive(start, end), byte(55), byte(68))
    await reaches(page, 61)
  })

  test('plays across the end of an answer, and to the end', async () => {
    const place = await kit.lab(entry)
    const { page } = await kit.person(kind, { allow: [unwanted] })
    await enter(page, place)
    const url = (await page.evaluate(() => lab.start(true))) as string
    await page.evaluate(() => lab.arrive(0, lab.size))
    await page.evaluate((url) => lab.play(url), url)
    await reaches(page, 0.5)
    const cut = (4 << 20) / 88_200
    await page.evaluate((cut) => lab.seek(cut - 1), cut)
    await reaches(page, cut + 1)
    await page.evaluate(() => lab.seek(118.5))
    await until('the end', () => page.evaluate(() => lab.player().ended))
  })

  test('a tab without the torrent spoils nothing, and plays from the tab that has it', async () => {
    const place = await kit.lab(entry)
    const person = await kit.person(kind, { allow: [unwanted, /404/] })
    const { page: one } = person
    const two = await person.tab()
    const three = await person.tab()
    await enter(one, place)
    await enter(two, place)
    // A page of another kind, which answers nothing.
    await three.goto(place.origin)
    const url = (await one.evaluate(() => lab.start(true))) as string
    expect(await two.evaluate(() => lab.start(false))).toBe(url)
    await one.evaluate(() => lab.arrive(0, lab.size))
    for (const page of [one, two]) {
      await page.bringToFront()
      await page.evaluate((url) => lab.play(url), url)
      await reaches(page, 0.5)
    }
    const missing = url.replace('/0/', '/1/')
    for (const page of [one, two]) expect((await page.evaluate((url) => lab.get(url), missing)).status).toBe(404)
  })

  test('answers as HTTP says, and stops reading when nobody wants more', async () => {
    const place = await kit.lab(entry)
    const { page } = await kit.person(kind, { allow: [unwanted, /416/] })
    await enter(page, place)
    const url = (await page.evaluate(() => lab.start(true))) as string
    await page.evaluate(() => lab.arrive(0, lab.size))
    const size = await page.evaluate(() => lab.size)
    const riff = [...'RIFF'].map((c) => c.charCodeAt(0))
    expect(await page.evaluate((url) => lab.get(url, { Range: 'bytes=0-1' }), url)).toEqual({
      status: 206,
      length: '2',
      range: `bytes 0-1/${size}`,
      type: 'audio/wav',
      bytes: riff.slice(0, 2),
    })
    expect(await page.evaluate((url) => lab.get(url, { Range: 'bytes=-3' }), url)).toMatchObject({
      status: 206,
      range: `bytes ${size - 3}-${size - 1}/${size}`,
    })
    expect(await page.evaluate((url) => lab.get(url, { Range: 'bytes=999999999-' }), url)).toMatchObject({
      status: 416,
      range: `bytes */${size}`,
    })
    const head = await page.evaluate((url) => lab.get(url, {}, 'HEAD'), url)
    expect(head).toMatchObject({ status: 200, length: String(size), bytes: [] })
    await page.evaluate((url) => lab.taste(url), url)
    const { readers } = await page.evaluate(() => lab.log())
    await until('every reader to be released', async () => (await page.evaluate(() => lab.log())).released >= readers)
  })

  test('nothing of a stranger runs here', async () => {
    const place = await kit.lab(entry)
    const { page } = await kit.person(kind, { allow: [unwanted, /403|MIME|blocked|Loading failed/] })
    await enter(page, place)
    const url = (await page.evaluate(() => lab.start(true, 'text/html', 'evil.html'))) as string
    await page.evaluate(() => lab.arrive(0, lab.size))
    const { type } = await page.evaluate((url) => lab.get(url, { Range: 'bytes=0-1' }), url)
    expect(type).toBe('binary/octet-stream')
    expect(await page.evaluate((url) => lab.run(url), url)).toBe('refused')
  })
})

test('the service worker ends in mid-play: the player asks again', async () => {
  const place = await kit.lab(entry)
  const { page } = await kit.person('chromium', { own: true, allow: [/ERR_/] })
  await enter(page, place)
  const url = (await page.evaluate(() => lab.start(true))) as string
  await page.evaluate(() => lab.arrive(0, lab.size))
  await page.evaluate((url) => lab.play(url), url)
  await reaches(page, 0.5)
  const devtools = await page.createCDPSession()
  await devtools.send('ServiceWorker.enable')
  await devtools.send('ServiceWorker.stopAllWorkers')
  await page.evaluate(() => lab.seek(90))
  await reaches(page, 91)
})

test('a page loaded past its service worker gets URLs too', async () => {
  const place = await kit.lab(entry)
  const { page } = await kit.person('chromium')
  await enter(page, place)
  await page.evaluate(() => lab.start(true))
  const devtools = await page.createCDPSession()
  const loaded = page.waitForNavigation()
  await devtools.send('Page.reload', { ignoreCache: true })
  await loaded
  await until('the page', () => page.evaluate(() => 'lab' in globalThis))
  expect(await page.evaluate(() => navigator.serviceWorker.controller)).toBeNull()
  expect(await page.evaluate(() => lab.start(true))).toMatch(/\/~\/d{40}\/0\/tone.wav$/)
})

test('no URL where there is no service worker', async () => {
  const place = await kit.lab(entry, { routes: { '/sw.js': (_, response) => void response.writeHead(404).end() } })
  const { page } = await kit.person('chromium', { allow: [/404/] })
  await enter(page, place)
  expect(await page.evaluate(() => lab.start(true).catch(() => 'not registered'))).toBe('not registered')
})
