/** What goes wrong on a site that its visitors carry, and what they see then: the page, as if there were no script. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { brought, first, img, page, png, settled, sha256, shown, Site, visit, wav } from './edge.kit.ts'
import { root } from './harness/build.ts'
import { enter, harness, until } from './harness/index.ts'

declare const lab: typeof import('./pages/liar.page.ts')

const kit = harness()
const images = Array.from({ length: 8 }, (_, i) => png(140, 120, i))
const body = images.map((_, i) => img(`/img/${i}.png`)).join('')
const files: Record<string, string | Buffer> = {
  'index.html': page(body),
  'strict.html': page(`${body}<video data-poster="/img/5.png" preload=none></video>`, `<meta http-equiv=Content-Security-Policy content="default-src 'none'; script-src 'self'; connect-src 'self' ws:; img-src 'self' data:">`),
  ...Object.fromEntries(images.map((data, i) => [`img/${i}.png`, data])),
}
const whole = images.map(sha256)
const size = images[0]!.length
let site: Site

beforeAll(async () => {
  site = await Site.serve(kit, files, { args: ['--deadline', '1s'] })
})

test('a liar gives wrong bytes: none of them is shown, the liar is banned and counted', async () => {
  const own = await Site.serve(kit, files)
  const { torrents } = (await (await fetch(`${own.origin}/.starling/manifest.json`)).json()) as { torrents: { infoHash: string }[] }
  const file = await (await fetch(`${own.origin}/.starling/t/${torrents[0]!.infoHash}.torrent`)).arrayBuffer()
  const liars = await kit.lab(new URL('./pages/liar.page.ts', import.meta.url))
  const liar = await kit.person('chromium', { allow: [/./] })
  await enter(liar.page, liars)
  await liar.page.evaluate((tracker, bytes) => lab.lie('wrong pieces', tracker, bytes), `${own.origin.replace('http', 'ws')}/.starling/announce`, [...new Uint8Array(file)])
  await settled(own, 1)
  const ann = await visit(kit, own)
  expect(await shown(ann.page)).toEqual(whole)
  expect(await liar.page.evaluate(() => lab.lies)).toBeGreaterThan(0)
  await until('the ban to be told', async () => (await own.figures()).total.liars === 1)
})

test('the tracker is dead: over HTTP at the deadline, and at once what is in view', async () => {
  const own = await Site.serve(kit, files, { args: ['--tracker', 'ws://127.0.0.1:9', '--deadline', '700ms'] })
  const ann = await visit(kit, own, '/', { allow: [/WebSocket/] })
  expect(await shown(ann.page)).toEqual(whole)
  // When each was asked for first, by the page's own clock: however slow the machine is.
  const [inView, ...rest] = await ann.page.evaluate((count) => Array.from({ length: count }, (_, i) =>
    Math.min(...performance.getEntriesByType('resource').filter(({ name }) => name.endsWith(`/img/${i}.png`)).map(({ startTime }) => startTime))), images.length)
  expect(Math.min(...rest) - inView!).toBeGreaterThan(600)
  await until('the cause to be told', async () => {
    const { causes, total } = await own.figures()
    return total.causes[causes.indexOf('deadline')]! >= 6
  })
})

test('the only peer is killed while it uploads: only what is missing comes over HTTP', async () => {
  const own = await Site.serve(kit, files, { args: ['--upload', '100000', '--deadline', '3s'] })
  const ann = await first(kit, own)
  const before = await own.served()
  const bob = await visit(kit, own)
  // In a second a bucket of a second's worth and as much again has come, of four seconds' worth.
  await until('a part to have come', async () => (await brought(bob.page)) >= 2)
  await ann.page.close()
  expect(await shown(bob.page)).toEqual(whole)
  const served = (await own.served()) - before
  expect(served).toBeGreaterThan(2 * size)
  expect(served).toBeLessThan(7 * size)
})

test('a policy forbids blobs: the browser loads them by itself', async () => {
  await first(kit, site)
  const bob = await visit(kit, site, '/strict.html', { allow: [/Content Security Policy|Content-Security-Policy/] })
  await until('all images to be there', () => bob.page.evaluate(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)))
  expect(await brought(bob.page)).toBe(0)
  // Of a poster that is not shown browsers do not tell.
  await until('the poster', () => bob.page.evaluate(() => !!document.querySelector('video')!.poster))
  expect(await bob.page.evaluate(() => document.querySelector('video')!.poster)).toBe(`${site.origin}/img/5.png`)
})

test.each([
  ['WebRTC throws', `window.RTCPeerConnection = class { constructor() { throw new Error('broken') } }`, '', 5],
  ['the storage throws', `indexedDB.open = () => { throw new Error('broken') }`, '', 0],
  ['hashing throws', `crypto.subtle.digest = async () => { throw new Error('broken') }`, '', 5],
  ['the script is cut short', '', 'carry-', 0],
  ['lookups fail', '', 'lookup', 0],
])('%s: the page is whole', async (_, broken, blocked) => {
  await first(kit, site)
  const bob = await kit.person('chromium', { allow: [/broken|Failed to fetch|ERR_FAILED|Failed to load/] })
  if (broken) await bob.page.evaluateOnNewDocument(broken)
  if (blocked) {
    await bob.page.setRequestInterception(true)
    bob.page.on('request', (request) => void (request.url().includes(blocked) ? request.abort() : request.continue()))
  }
  await bob.page.goto(site.origin)
  expect(await shown(bob.page)).toEqual(whole)
})

test('the script itself is kept away: with what the documentation has for that the page is whole', async () => {
  const [, guarded] = /```html\n(<script[^>]* onerror=[^]*?<\/script>)\n/.exec(await readFile(join(root, 'docs/edge.md'), 'utf8'))!
  const [, line] = /(<script.*?<\/script>)/.exec(page(''))!
  const more = '<audio muted preload=auto><source data-src="/sound.wav"></audio><video data-poster="/img/5.png" preload=none></video>'
  await site.deploy('sound.wav', wav(1, 8000))
  await site.deploy('guarded.html', page(body + more).replace(line!, guarded!))
  const bob = await kit.person('chromium', { allow: [/ERR_FAILED/] })
  await bob.page.setRequestInterception(true)
  bob.page.on('request', (request) => void (request.url().endsWith('edge.js') ? request.abort() : request.continue()))
  await bob.page.goto(`${site.origin}/guarded.html`)
  expect(await shown(bob.page)).toEqual(whole)
  await until('the sound', () => bob.page.evaluate(() => document.querySelector('audio')!.readyState >= 2))
  expect(await bob.page.evaluate(() => document.querySelector('video')!.poster)).toBe(`${site.origin}/img/5.png`)
})

test('a manifest of before: nobody is shown the old for the new', async () => {
  const own = await Site.serve(kit, files, { args: ['--deadline', '1s'] })
  const ann = await first(kit, own)
  // The page knows the old sums; the site has another file under the same name by then.
  const bob = await kit.person('chromium')
  await bob.page.evaluateOnNewDocument(`
    const real = fetch
    const place = (url) => String(url?.url ?? url)
    globalThis.fetch = async (...args) => {
      const response = await real(...args)
      if (place(args[0]).endsWith('/lookup')) await new Promise((resolve) => (globalThis.go = resolve))
      return response
    }`)
  await bob.page.goto(own.origin)
  await until('the lookup to be held', () => bob.page.evaluate(() => 'go' in globalThis))
  const fresh = png(150, 120, 77)
  await ann.page.close()
  await own.deploy('img/6.png', fresh)
  await bob.page.evaluate(() => (globalThis as unknown as { go(): void }).go())
  expect(await shown(bob.page)).toEqual(whole.map((sum, i) => (i === 6 ? sha256(fresh) : sum)))
})
