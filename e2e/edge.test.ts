/** A site whose visitors carry it: what owner and visitors are promised, with real browsers. */
import { beforeAll, describe, expect, test } from 'vitest'
import { brought, first, img, page, png, settled, sha256, shown, Site, visit } from './edge.kit.ts'
import { harness, until } from './harness/index.ts'

const kit = harness()
const images = Array.from({ length: 8 }, (_, i) => png(140, 120, i))
const files: Record<string, string | Buffer> = {
  'index.html': page(images.map((_, i) => img(`/img/${i}.png`)).join('')),
  'turned.html': page(images.map((_, i) => img(`/img/${i}.png`)).reverse().join('')),
  'empty.html': page('<p>nothing'),
  'elements.html': page(`
    <div style="height:2000px"></div>
    <img id=set width=600 height=10 sizes=600px data-srcset="/img/1.png 300w, /img/2.png 600w, /img/3.png 1200w">
    <picture><source media="(min-width: 9999px)" data-srcset="/img/1.png"><source media="(min-width: 1px)" data-srcset="/img/4.png 1x"><img id=picture data-src="/img/1.png" width=9 height=9></picture>
    <video id=poster data-poster="/img/5.png" preload=none></video>
    <img id=lazy loading=lazy data-src="/img/6.png" width=9 height=9>
    <img id=relative data-src="img/7.png" width=9 height=9>
    <img id=foreign data-src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==" width=9 height=9>
    <a id=save download="my.png" href="/img/0.png">save</a>`),
  ...Object.fromEntries(images.map((data, i) => [`img/${i}.png`, data])),
}
let site: Site

beforeAll(async () => {
  site = await Site.serve(kit, files)
})

describe('the second visitor', () => {
  test('gets from the first what is not in view, byte by byte, whatever the order on the page', async () => {
    const ann = await first(kit, site)
    expect(await shown(ann.page)).toEqual(images.map(sha256))
    expect(await brought(ann.page)).toBe(0)
    const before = await site.served()
    const bob = await visit(kit, site, '/turned.html')
    expect(await shown(bob.page)).toEqual(images.map(sha256).reverse())
    expect(await brought(bob.page)).toBeGreaterThanOrEqual(6)
    expect((await site.served()) - before).toBeLessThan(2.5 * images[0]!.length)
    // The third has two to ask.
    const cyd = await visit(kit, site)
    await shown(cyd.page)
    expect(await brought(cyd.page)).toBeGreaterThanOrEqual(6)
  })

  test('may be Firefox, on either side', async () => {
    await first(kit, site, '/', { kind: 'firefox' })
    const bob = await visit(kit, site)
    expect(await shown(bob.page)).toEqual(images.map(sha256))
    expect(await brought(bob.page)).toBeGreaterThanOrEqual(6)
    const cyd = await visit(kit, site, '/turned.html', { kind: 'firefox' })
    expect(await shown(cyd.page)).toEqual(images.map(sha256).reverse())
    expect(await brought(cyd.page)).toBeGreaterThanOrEqual(6)
  })

  test('has kept it when he comes again, and gives it to others from a page that shows none of it', async () => {
    const ann = await first(kit, site)
    const bob = await visit(kit, site)
    await shown(bob.page)
    await ann.page.close()
    const before = await site.served()
    await bob.page.reload()
    await shown(bob.page)
    expect(await brought(bob.page)).toBeGreaterThanOrEqual(6)
    expect((await site.served()) - before).toBeLessThan(2.5 * images[0]!.length)
    await bob.page.goto('about:blank')
    await settled(site, 0)
    await bob.page.goto(`${site.origin}/empty.html`)
    await settled(site, 1)
    const cyd = await visit(kit, site)
    expect(await shown(cyd.page)).toEqual(images.map(sha256))
    expect((await site.served()) - before).toBeLessThan(4 * images[0]!.length)
  })
})

test('srcset, picture, poster, lazy ones, downloads, and elements that come later; nothing else of the page changes', async () => {
  await first(kit, site)
  const bob = await visit(kit, site, '/elements.html')
  const shows = (id: string) => bob.page.evaluate(async (id) => {
    const element = document.getElementById(id)!
    const url = element instanceof HTMLVideoElement ? element.poster : (element as HTMLImageElement).currentSrc
    if (!url.startsWith('blob:')) return url
    return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', await (await fetch(url)).arrayBuffer())), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }, id)
  for (const [id, index] of [['set', 2], ['picture', 4], ['poster', 5], ['relative', 7]] as const) {
    await until(`${id} to come from a peer`, async () => (await shows(id)) === sha256(images[index]!))
  }
  expect(await shows('foreign')).toMatch(/^data:/)
  expect(await shows('lazy')).toBe('')
  await bob.page.evaluate(() => document.getElementById('lazy')!.scrollIntoView())
  await until('the lazy one to be there', () => bob.page.evaluate(() => (document.getElementById('lazy') as HTMLImageElement).naturalWidth > 0))

  await bob.page.evaluate(() => {
    const image = new Image(9, 9)
    image.id = 'later'
    image.dataset.src = '/img/3.png'
    document.body.prepend(document.createElement('header'))
    document.querySelector('div')!.after(image)
    scrollTo(0, 0)
  })
  await until('the later one to be there', async () => [sha256(images[3]!), `${site.origin}/img/3.png`].includes(await shows('later')))
  await bob.page.evaluate(() => (document.getElementById('relative')!.dataset.src = '/img/1.png'))
  await until('another data-src to be followed', async () => (await shows('relative')) === sha256(images[1]!))

  const saved = await bob.page.evaluate(() => new Promise<{ name: string; size: number }>((resolve) => {
    HTMLAnchorElement.prototype.click = function () {
      void fetch(this.href).then(async (response) => resolve({ name: this.download, size: this.href.startsWith('blob:') ? (await response.blob()).size : -1 }))
    }
    document.getElementById('save')!.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))
  }))
  expect(saved).toEqual({ name: 'my.png', size: images[0]!.length })

  const cyd = await visit(kit, site)
  await shown(cyd.page)
  const bare = (html: string) => html.replace(/ (data-)?src="[^"]*"/g, '').replace(/\s+/g, ' ')
  const raw = await cyd.page.evaluate(async () => new DOMParser().parseFromString(await (await fetch('/')).text(), 'text/html').documentElement.outerHTML)
  expect(bare(await cyd.page.evaluate(() => document.documentElement.outerHTML))).toBe(bare(raw))
})

describe('an option', () => {
  const second = async (args: string[], assets = 8) => {
    const own = await Site.serve(kit, files, { args, assets })
    if (assets) await first(kit, own)
    else await visit(kit, own).then(({ page }) => shown(page))
    const bob = await visit(kit, own)
    expect(await shown(bob.page)).toEqual(images.map(sha256))
    return { own, bob }
  }

  test('threshold: the second visitor fetches over HTTP, the third from both', async () => {
    const { own, bob } = await second(['--threshold', '3'])
    expect(await brought(bob.page)).toBe(0)
    await settled(own, 2)
    const cyd = await visit(kit, own)
    await shown(cyd.page)
    expect(await brought(cyd.page)).toBeGreaterThanOrEqual(6)
  })

  test.each([['--no-images'], ['--exclude=/img/*.png']])('%s: they are left to the browser', async (arg) => {
    const { own, bob } = await second([arg], 0)
    expect(await brought(bob.page)).toBe(0)
    expect((await own.figures()).now).toMatchObject({ assets: 0, visitors: 0 })
  })

  test('no-fold: what is in view comes from peers, too', async () => {
    const { bob } = await second(['--no-fold'])
    expect(await brought(bob.page)).toBe(8)
  })

  test.each([
    ['Save-Data', `Object.defineProperty(navigator, 'connection', { value: { saveData: true } })`],
    ['a mobile connection', `Object.defineProperty(navigator, 'connection', { value: { type: 'cellular' } })`],
    ['opting out', `localStorage.setItem('starling-edge', 'off')`],
    ['a browser without WebRTC', `delete window.RTCPeerConnection`],
  ])('%s: no part is taken, and the page is whole', async (_, emulate) => {
    await first(kit, site)
    const bob = await kit.person('chromium')
    await bob.page.evaluateOnNewDocument(emulate)
    await bob.page.goto(site.origin)
    expect(await shown(bob.page)).toEqual(images.map(sha256))
    expect(await brought(bob.page)).toBe(0)
    expect(await bob.page.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => /lookup|announce|carry/.test(name)).length)).toBe(0)
  })
})

test('a deploy changes one image while ten visitors are on: nobody gets the old one for the new, and the rest is carried on', async () => {
  const own = await Site.serve(kit, files)
  const before = images.map(sha256)
  const on = [await first(kit, own)]
  while (on.length < 10) on.push(...(await Promise.all([1, 2, 3].map(() => visit(kit, own)))))
  for (const { page } of on) expect(await shown(page)).toEqual(before)
  const { version } = (await own.figures()).now
  const fresh = png(150, 120, 99)
  await own.deploy('img/5.png', fresh)
  await until('the new version', async () => {
    const { now } = await own.figures()
    return now.version !== version && now.assets === 8
  })
  const expected = images.map((data, i) => sha256(i === 5 ? fresh : data))
  // Who has been on moves over when told of it; the one who comes first may find nobody there yet.
  const cyd = await visit(kit, own)
  expect(await shown(cyd.page)).toEqual(expected)
  // Who has moved is in both swarms for a while.
  await until('some who are on to have moved', async () => (await own.figures()).now.visitors >= 13, { within: 45_000 })
  const served = await own.served()
  await cyd.page.close()
  const dan = await visit(kit, own)
  expect(await shown(dan.page)).toEqual(expected)
  expect((await own.served()) - served).toBeLessThan(4 * images[0]!.length)
  // Who kept the old one shows the new one from the next page on.
  const { page } = on.at(-1)!
  await page.reload()
  expect(await shown(page)).toEqual(expected)
})

test('a site of 5,000 assets: a page asks for its own alone, and has them from peers', async () => {
  const many = Object.fromEntries(Array.from({ length: 5000 - images.length }, (_, i) => [`many/${i % 100}/${i}.png`, png(2, 1, i)]))
  const own = await Site.serve(kit, { ...files, ...many })
  expect((await own.figures()).now).toMatchObject({ assets: 5000, torrents: 1 })
  await first(kit, own)
  const bob = await visit(kit, own)
  expect(await shown(bob.page)).toEqual(images.map(sha256))
  expect(await brought(bob.page)).toBeGreaterThanOrEqual(6)
  const lookups = await bob.page.evaluate(() => performance.getEntriesByType('resource').filter(({ name }) => /lookup|manifest/.test(name))
    .reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).encodedBodySize, 0))
  expect(lookups).toBeLessThan(10_000)
})
