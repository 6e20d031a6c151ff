/** What a site's owner may set and see, and what visitors' networks allow, with real browsers. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { brought, first, img, kept, page, png, settled, sha256, shown, Site, visit } from './edge.kit.ts'
import { harness, until } from './harness/index.ts'

declare global {
  interface Window {
    sent?: number
  }
}

const kit = harness()
const images = Array.from({ length: 8 }, (_, i) => png(140, 120, i))
const whole = images.map(sha256)
const size = images[0]!.length
const body = images.map((_, i) => img(`/img/${i}.png`)).join('')
/** As docs/edge.md has it. */
const policy = (host: string) => `script-src 'self'; connect-src 'self' ws://${host}; img-src 'self' blob:; media-src 'self'; worker-src 'self'`
const files: Record<string, string | Buffer> = {
  'index.html': page(body),
  ...Object.fromEntries(images.map((data, i) => [`img/${i}.png`, data])),
}
let site: Site

beforeAll(async () => {
  site = await Site.serve(kit, files)
})

/** Somebody else is there already; how many images does the next one get from peers, all being right? */
async function second(own: Site, setup = ''): Promise<{ page: Page; fromPeers: number }> {
  await first(kit, own)
  const bob = await kit.person('chromium')
  if (setup) await bob.page.evaluateOnNewDocument(setup)
  await bob.page.goto(own.origin)
  expect(await shown(bob.page)).toEqual(whole)
  return { page: bob.page, fromPeers: await brought(bob.page) }
}

describe('an option', () => {
  test('keep: no more is kept, and what does not fit is shown all the same', async () => {
    const { page, fromPeers } = await second(await Site.serve(kit, files, { args: ['--keep', String(3 * size)] }))
    expect(fromPeers).toBeGreaterThanOrEqual(6)
    expect(await kept(page)).toBeGreaterThan(0)
    expect(await kept(page)).toBeLessThanOrEqual(3 * size)
  })

  test('upload: nobody sends more; what would come too late comes over HTTP', async () => {
    const own = await Site.serve(kit, files, { args: ['--upload', String(size / 2 | 0), '--deadline', '1s'] })
    const { fromPeers } = await second(own)
    expect(fromPeers).toBeLessThan(8)
    const { causes } = await own.figures()
    await until('the cause to be told', async () => (await own.figures()).total.causes[causes.indexOf('deadline')]! > 0)
  })

  test('metered: who saves data takes part, too', async () => {
    const saves = `Object.defineProperty(navigator, 'connection', { value: { saveData: true } })`
    expect((await second(await Site.serve(kit, files, { args: ['--metered'] }), saves)).fromPeers).toBeGreaterThanOrEqual(6)
  })

  test('no-nearest: peers are asked in any order', async () => {
    expect((await second(await Site.serve(kit, files, { args: ['--no-nearest'] }))).fromPeers).toBeGreaterThanOrEqual(6)
  })

  test.each<[string, boolean, ...string[]]>([
    ['without it, visitors are called in their network', true],
    ['no-local: they are not', false, '--no-local'],
  ])('%s', async (_, called, ...args) => {
    const own = await Site.serve(kit, files, { args: ['--deadline', '1s', ...args] })
    // All visitors say that they are there and nowhere else.
    const near = `
      const { prototype } = RTCPeerConnection
      const { get } = Object.getOwnPropertyDescriptor(prototype, 'localDescription')
      Object.defineProperty(prototype, 'localDescription', { get() {
        const { type, sdp } = get.call(this) ?? {}
        return type && { type, sdp: sdp.replace(/^(a=candidate:(?:\\S+ ){4})\\S+/gm, '$110.255.255.1') }
      } })
      const take = prototype.setRemoteDescription
      globalThis.told = []
      prototype.setRemoteDescription = function (description) {
        told.push(/^a=candidate:.* 10\\.255\\.255\\.1 /m.test(description.sdp))
        return take.call(this, description)
      }`
    const visitor = async () => {
      const { page } = await kit.person('chromium')
      await page.evaluateOnNewDocument(near)
      await page.goto(own.origin)
      expect(await shown(page)).toEqual(whole)
      return page
    }
    await visitor()
    await settled(own, 1)
    const page = await visitor()
    expect(await page.evaluate('[...new Set(told)]')).toEqual([called])
  })

  describe('ice-server, where UDP is blocked', () => {
    const relayed = `window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(configuration) { super({ ...configuration, iceTransportPolicy: 'relay' }) }
    }`
    /** Images' worth of bytes that the site sent to the second visitor. */
    const between = async (...args: string[]) => {
      const own = await Site.serve(kit, files, { args: ['--deadline', '3s', ...args] })
      const visitor = async () => {
        const { page } = await kit.person('chromium')
        await page.evaluateOnNewDocument(relayed)
        await page.goto(own.origin)
        expect(await shown(page)).toEqual(whole)
      }
      await visitor()
      await settled(own, 1)
      const before = await own.served()
      await visitor()
      return ((await own.served()) - before) / size
    }
    const turn = async () => {
      const { origin } = await kit.serve({ pages: false })
      const { iceServers } = (await (await fetch(`${origin}/api/ice`)).json()) as { iceServers: { urls: string; username?: string; credential?: string }[] }
      const { urls, username, credential } = iceServers.find(({ urls }) => urls.startsWith('turn:') && urls.endsWith('udp'))!
      return ['--ice-server', `${urls},${username},${credential}`]
    }

    test('TURN carries it', async () => expect(await between(...(await turn()))).toBeLessThan(2.5))
    test('without TURN all comes over HTTP', async () => expect(await between()).toBeGreaterThan(7))
    test('no-turn: the same', async () => expect(await between('--no-turn', ...(await turn()))).toBeGreaterThan(7))
  })
})

test('a page with the policy that the documentation asks for gets its images from peers', async () => {
  const { host } = new URL(site.origin)
  const own = page(body, `<meta http-equiv=Content-Security-Policy content="${policy(host)}">`)
  await site.deploy('strict.html', own)
  await first(kit, site)
  const before = await site.served()
  const bob = await visit(kit, site, '/strict.html')
  await until('all images to be there', () => bob.page.evaluate(() => [...document.images].every(({ complete, naturalWidth }) => complete && naturalWidth > 0)))
  expect(await brought(bob.page)).toBeGreaterThanOrEqual(6)
  expect((await site.served()) - before).toBeLessThan(2.5 * size)
})

test('several have it from one, and one has it from several', async () => {
  const own = await Site.serve(kit, files, { args: ['--upload', String(2 * size), '--deadline', '20s'] })
  const visitor = async () => {
    const { page } = await kit.person('chromium')
    // What the script tells of is seen here, too.
    await page.evaluateOnNewDocument(() => {
      const told = (body: unknown) => (window.sent = (window.sent ?? 0) + (JSON.parse(String(body)) as { sent: number }).sent)
      const { fetch } = window
      window.fetch = (url, init) => (String(url).endsWith('/beacon') && told(init?.body), fetch(url, init))
      navigator.sendBeacon = (_, body) => !!told(body) || true
    })
    await page.goto(own.origin)
    expect(await shown(page)).toEqual(whole)
    return page
  }
  const sent = (page: Page) => page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))
    return window.sent ?? 0
  })
  const ann = await visitor()
  await settled(own, 1)
  const others = await Promise.all([visitor(), visitor()])
  expect(await own.served()).toBeLessThan((8 + 2 * 2.5) * size)
  expect(await sent(ann)).toBeGreaterThan(6 * size)
  const all = [ann, ...others]
  const before = await Promise.all(all.map(sent))
  await visitor()
  const after = await Promise.all(all.map(sent))
  expect(after.filter((bytes, i) => bytes > before[i]!).length).toBeGreaterThanOrEqual(2)
})

describe("the owner's page", () => {
  test.each([[360, 'light'], [1280, 'dark']] as const)('%i px, %s: tiles and plots of what happened, nothing wider than the screen', async (width, scheme) => {
    await second(site)
    const owner = await kit.person('chromium')
    await owner.page.setViewport({ width, height: 740 })
    await owner.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    // An hour and a half ahead: what is shown is of the site's time.
    await owner.page.evaluateOnNewDocument('{ const now = Date.now; Date.now = () => now() + 90 * 60_000 }')
    await owner.page.goto(`${site.origin}/.starling/`)
    await until('figures', () => owner.page.evaluate(() => /[1-9]\d* %/.test(document.querySelector('#tiles')?.textContent ?? '')))
    const seen = await owner.page.evaluate(() => ({
      width: document.documentElement.scrollWidth,
      tiles: [...document.querySelectorAll('#tiles dt')].map(({ textContent }) => textContent),
      plots: [...document.querySelectorAll('#plots svg')].map((svg) => !!svg.querySelector('path')?.getAttribute('d')),
      stretch: document.querySelector('[data-span][aria-pressed=true]')?.textContent,
    }))
    // It has only just begun.
    expect(seen.stretch).toBe('Hour')
    expect(seen.width).toBeLessThanOrEqual(width)
    expect(seen.tiles).toEqual(expect.arrayContaining(['Offload', 'Origin egress saved', 'Visitors now', 'Liars banned']))
    expect(seen.plots.slice(0, 3)).toEqual([true, true, true])
  })

  test('from afar it takes the key', async () => {
    const owner = await kit.person('chromium', { allow: [/403/] })
    await owner.page.setExtraHTTPHeaders({ 'X-Forwarded-For': '203.0.113.5' })
    await owner.page.goto(`${site.origin}/.starling/#wrong`)
    await until('what to do', () => owner.page.evaluate(() => document.body.textContent.includes('open the link that starling edge printed')))
    const key = site.log.flatMap((text) => /\/\.starling\/#(\S+)/.exec(text)?.[1] ?? [])[0]
    await owner.page.goto('about:blank')
    await owner.page.goto(`${site.origin}/.starling/#${key}`)
    await until('figures', () => owner.page.evaluate(() => document.querySelectorAll('#plots svg').length > 0))
  })
})
