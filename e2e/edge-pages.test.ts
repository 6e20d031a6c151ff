/** Pages as they are: what they do with their elements and links themselves stays as they meant it. */
import { beforeAll, expect, test } from 'vitest'
import { brought, first, img, kept, page, png, sha256, shown, Site, visit, wav } from './edge.kit.ts'
import { harness, until, type Kind } from './harness/index.ts'

const kit = harness()
const images = Array.from({ length: 4 }, (_, i) => png(140, 120, i))
const sprite = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><view id="b" viewBox="4 4 1 1"/><rect width="9" height="9"/></svg>`
const low = '<div style="height:3000px"></div>'
const files: Record<string, string | Buffer> = {
  'index.html': page(images.map((_, i) => img(`/img/${i}.png`)).join('') + '<img data-src="/sprite.svg" width=9 height=9>'),
  'one.html': page(`${low}<img data-src="/img/0.png" width=600 height=700>`),
  'two.html': page(`${img('/img/0.png')}${low}${img('/img/1.png')}`),
  'set.html': page(`<img data-srcset="/img/0.png 1x" width=600 height=700>${low}`),
  'sets.html': page(`${low}<picture><source media="(max-width: 700px)" data-srcset="/img/1.png"><img data-src="/img/0.png" width=600 height=700></picture>
    <img data-srcset="/img/2.png 2x">`),
  'part.html': page(`${low}<img data-src="/sprite.svg#b" width=9 height=9>`),
  'preview.html': `<!doctype html><title>preview</title><link rel=icon href=data:,><iframe width=700 height=800 srcdoc='${page(`${img('/img/0.png')}${low}${img('/img/1.png')}`)}'></iframe>`,
  'foreign.html': page('<audio preload=auto></audio>'),
  'export.html': page('<button>Export</button>'),
  'sound.wav': wav(4, 22_050),
  'sprite.svg': sprite,
  ...Object.fromEntries(images.map((data, i) => [`img/${i}.png`, data])),
}
let site: Site

beforeAll(async () => {
  site = await Site.serve(kit, files)
})

test('an element that gets another image while the first is awaited shows the other', async () => {
  const own = await Site.serve(kit, files, { args: ['--tracker', 'ws://127.0.0.1:9', '--deadline', '1h'] })
  const bob = await visit(kit, own, '/one.html', { allow: [/WebSocket/] })
  await bob.page.waitForResponse((response) => response.url().endsWith('/lookup'))
  await bob.page.evaluate(() => {
    const image = document.images[0]!
    image.dataset.src = '/img/1.png'
    image.scrollIntoView()
  })
  await until('both to be here', async () => (await kept(bob.page)) >= images[0]!.length + images[1]!.length)
  await bob.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))))
  expect(await shown(bob.page)).toEqual([sha256(images[1]!)])
})

test('an element that showed one of several candidates is told others, and shows one of these', async () => {
  await first(kit, site)
  const bob = await visit(kit, site, '/set.html')
  expect(await shown(bob.page)).toEqual([sha256(images[0]!)])
  await bob.page.evaluate(() => {
    scrollTo(0, 3000)
    document.images[0]!.dataset.srcset = '/img/2.png 1x'
  })
  await until('the other to be brought', async () => (await brought(bob.page)) === 1)
  expect(await shown(bob.page)).toEqual([sha256(images[2]!)])
})

test('what is brought is one of several candidates still: as dense as that one, and another one where the window is another', async () => {
  await first(kit, site)
  const bob = await visit(kit, site, '/sets.html')
  await bob.page.setViewport({ width: 900, height: 600 })
  await until('both to be brought', async () => (await brought(bob.page)) === 2)
  expect(await shown(bob.page)).toEqual([sha256(images[0]!), sha256(images[2]!)])
  expect(await bob.page.evaluate(() => document.images[1]!.naturalWidth)).toBe(70)
  await bob.page.setViewport({ width: 600, height: 600 })
  await until('the other', async () => (await shown(bob.page))[0] === sha256(images[1]!))
})

test('what an element showed is let go with it', async () => {
  await first(kit, site)
  const bob = await visit(kit, site, '/one.html', { allow: [/ERR_FILE_NOT_FOUND/] })
  await until('it to be brought', async () => (await brought(bob.page)) === 1)
  const url = await bob.page.evaluate(() => {
    const [image] = document.images
    image!.remove()
    return image!.currentSrc
  })
  const session = await bob.page.createCDPSession()
  await until('its bytes to be gone', async () => {
    await session.send('HeapProfiler.collectGarbage')
    return bob.page.evaluate((url) => fetch(url).then(() => false, () => true), url)
  })
})

test('what was shown stays where a framework puts the markup back as it was', async () => {
  await first(kit, site)
  const bob = await visit(kit, site, '/two.html')
  await until('the lower one to be brought', async () => (await brought(bob.page)) === 1)
  expect(await shown(bob.page)).toEqual(images.slice(0, 2).map(sha256))
  // As those do that make the page as the server describes it, attribute by attribute.
  await bob.page.evaluate(() => {
    for (const [i, image] of [...document.images].entries()) {
      image.removeAttribute('src')
      image.dataset.src = `/img/${i}.png`
    }
  })
  expect(await shown(bob.page)).toEqual(images.slice(0, 2).map(sha256))
})

test.each(['/one.html', '/sets.html'])('a copy of the markup outlives what it showed, and shows it all the same: %s', async (path) => {
  await first(kit, site)
  const bob = await visit(kit, site, path, { allow: [/ERR_FILE_NOT_FOUND/] })
  await bob.page.setViewport({ width: 900, height: 600 })
  await until('it to be brought', async () => (await brought(bob.page)) === (await bob.page.evaluate(() => document.images.length)))
  const before = await shown(bob.page)
  // As pages are kept to go back to: as text.
  const { markup, url } = await bob.page.evaluate(() => {
    const url = document.images[0]!.currentSrc
    const markup = document.body.innerHTML
    document.body.replaceChildren()
    return { markup, url }
  })
  const session = await bob.page.createCDPSession()
  await until('its bytes to be gone', async () => {
    await session.send('HeapProfiler.collectGarbage')
    return bob.page.evaluate((url) => fetch(url).then(() => false, () => true), url)
  })
  await bob.page.evaluate((markup) => (document.body.innerHTML = markup), markup)
  expect(await shown(bob.page)).toEqual(before)
})

test('a page that is shown as the text of a frame is whole', async () => {
  const bob = await visit(kit, site, '/preview.html')
  const frame = await (await bob.page.$('iframe'))!.contentFrame()
  await until('its images', () => frame.evaluate(() => document.images.length === 2 && [...document.images].every(({ naturalWidth }) => naturalWidth > 0)))
})

test('who goes back finds the page as it was, though it had met others, and it meets them again', async () => {
  await first(kit, site)
  const bob = await visit(kit, site, '/one.html')
  await until('it to be brought', async () => (await brought(bob.page)) === 1)
  await bob.page.evaluate(() => addEventListener('pageshow', ({ persisted }) => (document.title = persisted ? 'as it was' : 'anew')))
  await bob.page.goto(`${site.origin}/part.html`)
  await bob.page.goBack()
  expect(await bob.page.title()).toBe('as it was')
  const before = await site.served()
  await bob.page.evaluate(() => {
    const image = new Image(600, 700)
    image.dataset.src = '/img/1.png'
    document.images[0]!.after(image)
  })
  await until('another one to be brought', async () => (await brought(bob.page)) === 2)
  expect(await site.served()).toBe(before)
})

test('a part of an image is shown as that part', async () => {
  await first(kit, site)
  const bob = await visit(kit, site, '/part.html')
  await shown(bob.page)
  expect(await bob.page.evaluate(() => document.images[0]!.currentSrc)).toMatch(/#b$/)
})

test.each(['chromium', 'firefox'] as Kind[])('%s: a sound of another site plays, where this one has the same path', async (kind) => {
  const other = await Site.serve(kit, { 'sound.wav': files['sound.wav']! })
  const bob = await visit(kit, site, '/foreign.html', { kind, allow: [/CORS|Cross-Origin|ERR_FAILED/] })
  await bob.page.evaluate((url) => (document.querySelector('audio')!.dataset.src = url), `${other.origin}/sound.wav`)
  await until('it can be played', () => bob.page.evaluate(() => document.querySelector('audio')!.readyState >= 3), { within: 20_000 })
})

test('what a page makes and saves itself is left to it, who takes it back at once', async () => {
  const bob = await visit(kit, site, '/export.html')
  const prevented = await bob.page.evaluate(() => new Promise((resolve) => {
    addEventListener('click', (event) => {
      resolve(event.defaultPrevented)
      event.preventDefault()
    })
    const link = document.createElement('a')
    link.href = URL.createObjectURL(new Blob(['a,b\n1,2\n'], { type: 'text/csv' }))
    link.download = 'export.csv'
    document.body.append(link)
    link.click()
    link.remove()
    URL.revokeObjectURL(link.href)
  }))
  expect(prevented).toBe(false)
})
