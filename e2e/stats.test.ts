/** The tracker's page of figures: what happened is seen, by eye, by keyboard and by screen reader, and by nobody else. */
import { join } from 'node:path'
import type { Page } from 'puppeteer-core'
import { beforeAll, describe, expect, test } from 'vitest'
import { Site } from './edge.kit.ts'
import { buildBinary, buildPages, root } from './harness/build.ts'
import { harness, until, type Kind } from './harness/index.ts'

const kit = harness()

beforeAll(async () => {
  await buildPages()
  await buildBinary()
})

async function tracker(): Promise<string> {
  const program = await kit.program(join(root, 'bin/starling'), 'tracker', '--addr', '127.0.0.1:0')
  return (await program.prints(/Starling is at (http:\/\/\S+)/))[1]!
}

const announce = (origin: string, peer: number) =>
  fetch(`${origin}/announce?info_hash=${'h'.repeat(20)}&peer_id=-SL0001-${String(peer).padStart(12, '0')}&port=6881&left=1`)

/** What the tiles say, by their names. */
const tiles = (page: Page) =>
  page.$$eval('#tiles div', (all) => Object.fromEntries(all.map((tile) => [tile.querySelector('dt')!.textContent, tile.querySelector('dd')!.textContent])))

/** Makes the page ask again now, as it does when it is seen again. */
const look = (page: Page) => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))

describe.each<Kind>(['chromium', 'firefox'])('%s', (kind) => {
  test('shows what the tracker alone does, asks nobody else, and fits a phone', async () => {
    const origin = await tracker()
    const { page } = await kit.person(kind)
    const asked = new Set<string>()
    page.on('request', (request) => asked.add(new URL(request.url()).origin))
    await page.setViewport({ width: 360, height: 740 })
    await page.goto(`${origin}/stats`)
    await until('the tiles', async () => (await tiles(page)).Peers === '0')
    for (const peer of [1, 2, 3]) await announce(origin, peer)
    await look(page)
    await until('three peers in one swarm', async () => {
      const { Peers, Swarms } = await tiles(page)
      return Peers === '3' && Swarms === '1'
    })
    expect([...asked].filter((one) => one.startsWith('http'))).toEqual([origin])
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
    // Each plot has drawn its bars in the room that there is.
    expect(await page.$$eval('figure svg', (all) => all.every((svg) => svg.getBoundingClientRect().right <= innerWidth))).toBe(true)
    expect(await page.$$eval('figure', (all) => all.length)).toBe(6)
  })
})

test('a day is read by keyboard, as values and as a table', async () => {
  const { origin } = await kit.serve()
  const { page } = await kit.person('chromium')
  for (const peer of [1, 2]) await announce(origin, peer)
  await page.goto(`${origin}/stats`)
  await until('the plots', async () => (await page.$('figure path')) !== null)
  // As the browser tells a screen reader of it.
  const slider = '::-p-aria([name="Peers, by time"][role="slider"])'
  const value = () => page.$eval(slider, (element) => element.ariaValueText)
  expect(await value()).toMatch(/: 0 WebRTC, 2 IPv4, 0 IPv6$/)
  // What is called as the whole is not named again: "1 swarms" would be wrong.
  for (const title of ['Swarms', 'Connections']) {
    expect(await page.$eval(`::-p-aria([name="${title}, by time"][role="slider"])`, (element) => element.ariaValueText)).toMatch(/: \d$/)
  }
  await page.focus(slider)
  // Two bars back, in case one has just begun.
  for (let i = 0; i < 2; i++) await page.keyboard.press('ArrowLeft')
  expect(await value()).toMatch(/: 0 WebRTC, 0 IPv4, 0 IPv6$/)
  await page.keyboard.press('Home')
  expect(await page.$eval(slider, (element) => element.ariaValueNow)).toBe('0')
  expect(await page.$eval('.reading', (element) => element.textContent)).toBe(await value())

  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  const cells = () => page.$$eval('figure:first-child tr', (rows) => rows.slice(0, 2).map((row) => [...row.children].map((cell) => cell.textContent)))
  await until('the table', async () => (await cells()).length === 2)
  expect(await cells()).toEqual([['From', 'WebRTC', 'IPv4', 'IPv6'], [expect.stringMatching(/\d/), '0', '2', '0']])

  await page.$eval('button[data-minutes="60"]', (button) => button.click())
  expect(await page.$eval(slider, (element) => element.ariaValueMax)).toBe('59')
  expect(await page.$$eval('button[aria-pressed=true]', (all) => all.map((button) => button.textContent))).toEqual(['Hour'])
})

test('figures and times are in English, as all of the page is', async () => {
  const origin = await tracker()
  const { page } = await kit.person('chromium')
  await (await page.createCDPSession()).send('Emulation.setLocaleOverride', { locale: 'ar-EG' })
  await announce(origin, 1)
  await page.goto(`${origin}/stats`)
  await until('the tiles', async () => (await tiles(page)).Peers === '1')
  expect(await page.$eval('#since', (words) => words.textContent)).toMatch(/^Counted since \d+ \w+ \d{4}, \d+:\d\d [ap]m\.$/)
  expect(await page.$eval('[role=slider]', (slider) => slider.ariaValueText)).toMatch(/^\d+:\d\d [ap]m: /)
})

test('without JavaScript the page says why there are no figures', async () => {
  const origin = await tracker()
  const { page } = await kit.person('chromium')
  await page.setJavaScriptEnabled(false)
  await page.goto(`${origin}/stats`)
  const tree = await page.accessibility.snapshot({ interestingOnly: false })
  expect(JSON.stringify(tree)).toContain('with JavaScript')
})

test('with the colours of the system it is seen which is which, and which stretch of time is chosen', async () => {
  const origin = await tracker()
  const { page } = await kit.person('chromium')
  await (await page.createCDPSession()).send('Emulation.setEmulatedMedia', { features: [{ name: 'forced-colors', value: 'active' }] })
  await page.goto(`${origin}/stats`)
  await page.waitForSelector('.key.c1')
  const back = (selector: string, part?: string) =>
    page.$eval(selector, (element, part) => getComputedStyle(element, part).backgroundColor, part)
  expect(await back('.key.c0', '::before')).not.toBe(await back('.key.c1', '::before'))
  expect(await back('button[aria-pressed=true]')).not.toBe(await back('button:not([aria-pressed=true])'))
})

test('an offer that was answered counts as such', async () => {
  const { origin } = await kit.serve()
  const { page } = await kit.person('chromium')
  await page.goto(`${origin}/about`)
  await page.evaluate(async (url) => {
    const socket = async () => {
      const s = new WebSocket(url)
      await new Promise((resolve) => (s.onopen = resolve))
      return s
    }
    const [ann, bob] = [await socket(), await socket()]
    const common = { action: 'announce', info_hash: 'o'.repeat(20) }
    const hears = (s: WebSocket, what: string) =>
      new Promise<Record<string, string>>((resolve) => s.addEventListener('message', ({ data }) => what in JSON.parse(data) && resolve(JSON.parse(data))))
    const joined = hears(ann, 'interval')
    ann.send(JSON.stringify({ ...common, peer_id: 'a'.repeat(20), left: 0 }))
    await joined
    const [offered, answered] = [hears(ann, 'offer'), hears(bob, 'answer')]
    bob.send(JSON.stringify({ ...common, peer_id: 'b'.repeat(20), left: 1, offers: [{ offer: { type: 'offer', sdp: 'x' }, offer_id: '1' }] }))
    await offered
    ann.send(JSON.stringify({ ...common, peer_id: 'a'.repeat(20), to_peer_id: 'b'.repeat(20), offer_id: '1', answer: { type: 'answer', sdp: 'y' } }))
    await answered
  }, origin.replace('http', 'ws') + '/announce')
  const stats = await kit.person('chromium')
  await stats.page.goto(`${origin}/stats`)
  await until('the offer', async () => (await tiles(stats.page))['Offers, this day'] === '1')
  expect((await tiles(stats.page))['Answered in time']).toBe('100 %')
})

test('the owner of a site reads what visitors carry in the same way', async () => {
  const site = await Site.serve(kit, { 'index.html': '<!doctype html><title>A site</title>' })
  const { page } = await kit.person('chromium')
  await page.goto(`${site.origin}/.starling/`)
  await until('the figures', async () => 'Visitors now' in (await tiles(page)))
  const values = await page.$$eval('[role=slider]', (all) => all.map(({ ariaLabel, ariaValueText }) => `${ariaLabel}: ${ariaValueText}`))
  expect(values).toEqual(['Offload', 'Bytes', 'Visitors', 'Over HTTP, by cause'].map((title) => expect.stringMatching(`^${title}, by time: .*: \\d`)))
  await page.$$eval('button', (all) => all.find((button) => button.textContent === 'Month')!.click())
  expect(await page.$eval('[role=slider]', (element) => element.ariaValueMax)).toBe('71')
})

test('whoever is not on this machine is refused', async () => {
  const origin = await tracker()
  const answer = await fetch(`${origin}/stats`, { headers: { Accept: 'text/html', 'X-Forwarded-For': '203.0.113.1' } })
  expect(answer.status).toBe(403)
  expect(await answer.text()).toContain('--metrics-public')
})
