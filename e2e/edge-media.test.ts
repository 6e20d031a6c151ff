/** Audio and video on a site that its visitors carry, and the way without a change of markup. */
import { writeFile } from 'node:fs/promises'
import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import { beforeAll, expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { page, png, settled, Site, visit, wav } from './edge.kit.ts'
import { film as realFilm } from './film.kit.ts'
import { harness, until } from './harness/index.ts'

const kit = harness()
const args = ['--lead', '1s']
const sound = wav(16, 96_000)
let film: Buffer
let files: Record<string, string | Buffer>

beforeAll(async () => {
  film = await realFilm(kit, 16, 190_000)
  files = {
    'index.html': page('<video id=film controls muted preload=auto data-src="/film.webm"></video>'),
    'sources.html': page('<video id=film muted preload=auto><source type="video/nonsense" data-src="/other.wav"><source type="video/webm" data-src="/film.webm"></video>'),
    'auto.html': page('<video autoplay muted crossorigin src="/.starling/play/film.webm"></video>'),
    'hidden.html': page('<video autoplay muted data-src="/film.webm"></video>'),
    'alone.html': page('<video autoplay muted crossorigin src="/.starling/play/film.webm"></video>').replace('type=module', 'type=off'),
    'plain.html': page('<video muted src="/film.webm"></video><audio data-src="/other.wav"></audio>'),
    'film.webm': film,
    'other.wav': wav(20, 22_050),
  }
})

const player = (page: Page) => page.evaluate(() => {
  const video = document.querySelector<HTMLMediaElement>('video, audio')!
  return { state: video.readyState, time: video.currentTime, ended: video.ended, error: video.error?.message, src: video.currentSrc, controlled: !!navigator.serviceWorker.controller }
})

/** Plays from there on for a while of the film. */
async function plays(page: Page, from: number, to: number): Promise<void> {
  await page.evaluate((time) => {
    const video = document.querySelector<HTMLMediaElement>('video, audio')!
    video.currentTime = time
    video.playbackRate = 2
    return video.play()
  }, from)
  await until(`it to play up to ${to} s`, async () => {
    const { time, error } = await player(page)
    if (error) throw new Error(error)
    return time >= to
  })
}

/** Begins to play, and waits until it has all. */
async function watch(page: Page): Promise<void> {
  await until('it can be played', async () => (await player(page)).state >= 3)
  await plays(page, 0, 1)
  await whole(page)
}

/** What is not played yet comes ahead of time. */
async function whole(page: Page): Promise<void> {
  await until('all of it to be there', () => page.evaluate(() => {
    const { buffered, duration } = document.querySelector<HTMLMediaElement>('video, audio')!
    return buffered.length > 0 && buffered.end(buffered.length - 1) >= duration - 0.1
  }))
}

test('the second visitor has most of a film from the first, and may seek; a film of another page is not touched', async () => {
  const site = await Site.serve(kit, files, { args, assets: 2 })
  const ann = await visit(kit, site)
  await watch(ann.page)
  expect((await site.served()) / film.length).toBeLessThan(1.3)
  const before = await site.served()
  const bob = await visit(kit, site, '/sources.html')
  await until('it can be played', async () => (await player(bob.page)).state >= 3)
  await plays(bob.page, 12, 13)
  await plays(bob.page, 2, 15)
  expect(await player(bob.page)).toMatchObject({ controlled: true, src: `${site.origin}/film.webm` })
  expect(((await site.served()) - before) / film.length).toBeLessThan(0.6)
  await bob.page.goto('about:blank')
  await until('figures', async () => (await site.figures()).total.peers > film.length * 0.4)
})

test.each(['/auto.html', '/hidden.html'])('what plays by itself begins before there is a service worker, and goes on from peers; so it does the next time: %s', async (path) => {
  const site = await Site.serve(kit, files, { args, assets: 2 })
  const ann = await visit(kit, site)
  await watch(ann.page)
  const before = await site.served()
  const bob = await visit(kit, site, path)
  const begins = async () => {
    await until('it to play', async () => (await player(bob.page)).time > 0)
    await whole(bob.page)
    expect(await player(bob.page)).toMatchObject({ controlled: true, src: `${site.origin}/.starling/play/film.webm` })
    const transferred = () => bob.page.evaluate(() => performance.getEntriesByName(document.querySelector('video')!.currentSrc).map((entry) => (entry as PerformanceResourceTiming).transferSize))
    // Browsers tell of a response once it has ended, which may be after its last byte was buffered.
    await until('the service worker to have brought the last of it', async () => (await transferred()).at(-1) === 0)
    return transferred()
  }
  // What a service worker brings was not transferred, as browsers count.
  const [start] = await begins()
  expect(start! / film.length).toBeLessThan(0.25)
  expect(((await site.served()) - before) / film.length).toBeLessThan(0.6)
  await bob.page.reload()
  // What the service worker never takes does not wait for it to start.
  expect(await bob.page.evaluate(() => (performance.getEntriesByType('navigation')[0] as unknown as { workerFinalSourceType: string }).workerFinalSourceType)).toBe('network')
  expect((await begins()).filter((size) => size)).toHaveLength(1)
})

/** The site answers. */
function pass(site: Site, request: IncomingMessage, response: ServerResponse): void {
  const { method, headers, url } = request
  const onward = forward(site.origin + url!, { method, headers }, (answer) => answer.pipe(response.writeHead(answer.statusCode!, answer.headers)))
  request.pipe(onward).on('error', () => response.destroy())
}

/** The site as it is where its service worker does not come before it is let. */
async function late(site: Site): Promise<{ origin: string; come: () => void }> {
  let come!: () => void
  const coming = new Promise<void>((resolve) => (come = resolve))
  const { origin } = await kit.http((request, response) => {
    if (request.url === '/.starling/sw.js') void coming.then(() => pass(site, request, response))
    else pass(site, request, response)
  })
  return { origin, come }
}

test.each(['/', '/plain.html'])('a film that began before there was a service worker goes on: %s', async (path) => {
  const site = await Site.serve(kit, files, { args, assets: 2 })
  // What stands between passes no WebSockets on.
  const { page } = await kit.person('chromium', { allow: [/WebSocket/] })
  const { origin, come } = await late(site)
  await page.goto(origin + path)
  await until('its beginning', async () => (await player(page)).state >= 2)
  expect(await player(page)).toMatchObject({ controlled: false })
  come()
  await until('the service worker', async () => (await player(page)).controlled)
  await plays(page, 0, 2)
  await plays(page, 12, 14)
  await plays(page, 5, 7)
})

test.each([false, true])('what the site replaces while it is played goes on, with CORS and without: %s', async (cors) => {
  const site = await Site.serve(kit, { 'index.html': page('<audio muted data-src="/other.wav"></audio>'), 'long.wav': wav(150, 96_000), 'other.wav': sound }, { args })
  const { page: tab } = await visit(kit, site)
  await until('it can be played', async () => (await player(tab)).state >= 2)
  await tab.evaluate((cors) => {
    const audio = document.querySelector('audio')!
    audio.remove()
    document.body.append(Object.assign(new Audio(), { preload: 'auto', muted: true, ...(cors ? { crossOrigin: '' } : {}), src: '/long.wav' }))
  }, cors)
  await until('it can be played', async () => (await player(tab)).state >= 3)
  await plays(tab, 0, 1)
  await site.deploy('long.wav', wav(160, 96_000, 1))
  await tab.evaluate(() => (document.querySelector('audio')!.currentTime = 120))
  await until('it to go on', async () => {
    const { error, time } = await player(tab)
    return !error && time > 121
  })
  // Without CORS browsers give up what is continued by another, and it is loaded anew.
  if (!cors) expect(await tab.evaluate(() => Math.round(document.querySelector('audio')!.duration))).toBe(160)
})

test('Firefox, too, plays what plays by itself, from the site and then from peers, and may seek', async () => {
  const site = await Site.serve(kit, files, { args, assets: 2 })
  const ann = await visit(kit, site)
  await watch(ann.page)
  // Firefox complains whenever a page wants no more of an answer that a service worker gives.
  const bob = await visit(kit, site, '/auto.html', { kind: 'firefox', allow: [/A ServiceWorker intercepted the request/] })
  await until('it to play', async () => (await player(bob.page)).time > 0)
  await plays(bob.page, 12, 13)
  await plays(bob.page, 2, 6)
  expect(await player(bob.page)).toMatchObject({ controlled: true, src: `${site.origin}/.starling/play/film.webm` })
  // Whom it is left for does not wait for what is asked anew.
  const asked: string[] = []
  bob.page.on('request', (request) => /film/.test(request.url()) && asked.push(request.url()))
  const before = (await site.figures()).total
  await bob.page.goto('about:blank', { timeout: 10_000 })
  let total = before
  const told = async () => ({ total } = await site.figures()).total.peers > film.length * 0.2
  await until('figures', told, { within: 10_000 }).catch((error: Error) => {
    throw new Error(`${error.message}; of ${film.length} bytes, before leaving: ${JSON.stringify(before)}, now: ${JSON.stringify(total)}`)
  })
  expect(asked).toEqual([])
})

test('Firefox plays on where another visitor is there who has none of it', async () => {
  const site = await Site.serve(kit, { ...files, 'none.html': page('<video muted preload=none data-src="/film.webm"></video>') }, { args, assets: 2 })
  await visit(kit, site, '/none.html')
  await settled(site, 1)
  const bob = await visit(kit, site, '/auto.html', { kind: 'firefox', allow: [/A ServiceWorker intercepted the request/] })
  await until('it to play', async () => (await player(bob.page)).time > 0)
  await plays(bob.page, 12, 13)
  await plays(bob.page, 2, 11)
})

test('a film whose element is made anew plays from its beginning, where another visitor has none of it', async () => {
  const site = await Site.serve(kit, { ...files, 'none.html': page('<video muted preload=none data-src="/film.webm"></video>') }, { args, assets: 2 })
  await visit(kit, site, '/none.html')
  await settled(site, 1)
  const { page: tab } = await visit(kit, site)
  await until('it can be played', async () => (await player(tab)).state >= 3)
  await plays(tab, 12, 13)
  await tab.evaluate(() => {
    document.querySelector('video')!.remove()
    const video = Object.assign(document.createElement('video'), { preload: 'auto', muted: true })
    video.dataset.src = '/film.webm'
    document.body.append(video)
  })
  await until('it can be played', async () => (await player(tab)).state >= 3)
  await plays(tab, 0, 9)
})

test.each([true, false])('a film with one source is played, which may come later than its element: %s', async (later) => {
  const source = '<source type="video/webm" data-src="/film.webm">'
  const site = await Site.serve(kit, { ...files, 'one.html': page(`<video muted preload=auto>${later ? '' : source}</video>`) }, { args, assets: 2 })
  const { page: tab } = await visit(kit, site, '/one.html')
  if (later) await tab.evaluate((source) => (document.querySelector('video')!.innerHTML = source), source)
  await until('it can be played', async () => (await player(tab)).state >= 3)
})

test('a film whose name is not UTF-8 comes from the site', async () => {
  const site = await Site.serve(kit, { ...files, 'old.html': page('<video muted preload=auto data-src="/caf%E9.webm"></video>') }, { args, assets: 2 })
  await writeFile(Buffer.concat([Buffer.from(`${site.folder}/caf`), Buffer.from([0xe9]), Buffer.from('.webm')]), film)
  const { page: tab } = await visit(kit, site)
  await until('the service worker', async () => (await player(tab)).controlled)
  await tab.goto(`${site.origin}/old.html`)
  await until('it can be played', async () => (await player(tab)).state >= 3, { within: 10_000 })
})

test('what plays by itself always has more to play where the script does not run', async () => {
  const site = await Site.serve(kit, files, { args, assets: 2 })
  const { page } = await visit(kit, site, '/alone.html')
  await page.evaluate(() => {
    const seen = globalThis as unknown as { stalls: number }
    seen.stalls = 0
    const video = document.querySelector('video')!
    // A busy machine may be late to decode what is there.
    const ahead = () => Math.max(0, ...Array.from({ length: video.buffered.length }, (_, i) => video.buffered.end(i))) - video.currentTime
    video.addEventListener('waiting', () => video.currentTime > 0 && ahead() < 0.25 && seen.stalls++)
  })
  await until('it to play on', async () => (await player(page)).time > 9)
  expect(await page.evaluate(() => (globalThis as unknown as { stalls: number }).stalls)).toBe(0)
  expect(await player(page)).toMatchObject({ controlled: false, state: 4 })
})

test('a page that is busy is waited for when its player asks', async () => {
  const site = await Site.serve(kit, { ...files, 'busy.html': page('<video muted preload=none data-src="/film.webm"></video>') }, { args, assets: 2 })
  const { page: tab } = await visit(kit, site, '/busy.html')
  // A player is given its URL without one, too, after a while.
  await until('the service worker to be there', async () => (await player(tab)).controlled)
  await until('the player to know its URL', async () => tab.evaluate(() => !!document.querySelector('video')!.src))
  await tab.evaluate(async () => {
    void document.querySelector('video')!.play()
    for (let i = 0; i < 6; i++) {
      const end = performance.now() + 700
      while (performance.now() < end);
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  await plays(tab, 2, 3)
  await whole(tab)
  // What the site gives to the player by itself nobody else has from here.
  await until('all of it to have come by the page', async () => film.length === await tab.evaluate(() =>
    (performance.getEntriesByName(document.querySelector('video')!.src) as PerformanceResourceTiming[])
      .reduce((sum, { initiatorType, encodedBodySize }) => sum + (initiatorType === 'fetch' ? encodedBodySize : 0), 0)))
})

test('the service worker is ended while it streams: the player goes on', async () => {
  const site = await Site.serve(kit, files, { args, assets: 2 })
  const ann = await visit(kit, site)
  await until('it can be played', async () => (await player(ann.page)).state >= 3)
  const session = await ann.page.createCDPSession()
  await session.send('ServiceWorker.enable')
  await session.send('ServiceWorker.stopAllWorkers')
  await plays(ann.page, 12, 14)
  await session.send('ServiceWorker.stopAllWorkers')
  await plays(ann.page, 5, 7)
})

test.each([404, 200])('where a site has no Starling any more, and says so by %i, no film waits for its service worker', async (status) => {
  const site = await Site.serve(kit, files, { args, assets: 2 })
  let over = false
  const { origin } = await kit.http((request, response) => {
    if (!over) pass(site, request, response)
    else if (request.url === '/film.webm') response.writeHead(200, { 'Content-Type': 'video/webm', 'Content-Length': film.length }).end(film)
    else response.writeHead(request.url === '/' ? 200 : status, { 'Content-Type': 'text/html' }).end('<link rel=icon href=data:,><video muted preload=auto src="/film.webm"></video>')
  })
  const { page: tab } = await kit.person('chromium')
  await tab.goto(origin)
  await until('the service worker to be there', async () => (await player(tab)).controlled)
  over = true
  await tab.goto(origin)
  await until('it can be played', async () => (await player(tab)).state >= 3)
  await until('the service worker to go', () => tab.evaluate(async () => !(await navigator.serviceWorker.getRegistrations()).length))
  await tab.goto(origin)
  await until('it can be played', async () => (await player(tab)).state >= 3)
  expect((await player(tab)).controlled).toBe(false)
})

test('two sites with the same sound share its peers, by a tracker that both use', async () => {
  const hub = await kit.serve({ pages: false })
  const [one, two] = await Promise.all(['sound.wav', 'cinema/late.wav'].map((name) =>
    Site.serve(kit, { 'index.html': page(`<audio muted preload=auto data-src="/${name}"></audio>`), [name]: sound }, { args: [...args, '--tracker', hub.tracker] })))
  const ann = await visit(kit, one!)
  await watch(ann.page)
  const bob = await visit(kit, two!)
  await watch(bob.page)
  expect((await two!.served()) / sound.length).toBeLessThan(0.6)
})

test('without a change of markup: lazy images come from peers through the service worker', async () => {
  const images = Array.from({ length: 6 }, (_, i) => png(140, 120, i))
  const site = await Site.serve(kit, {
    'index.html': page(images.map((_, i) => `<p><img loading=lazy src="/img/${i}.png" width=600 height=1500></p>`).join('')),
    ...Object.fromEntries(images.map((data, i) => [`img/${i}.png`, data])),
  }, { args: ['--worker'] })
  const scroll = async (page: Page) => {
    await until('the worker to be in charge', () => page.evaluate(() => !!navigator.serviceWorker.controller))
    // It is told so at once; the first images are in view anyway.
    for (let i = 0; i < images.length; i++) {
      await page.evaluate((i) => document.images[i]!.scrollIntoView(), i)
      // The next one is near, and comes before it is in view.
      const next = Math.min(i + 1, images.length - 1)
      await until(`image ${next}`, () => page.evaluate((i) => document.images[i]!.complete && document.images[i]!.naturalWidth > 0, next))
    }
  }
  const ann = await visit(kit, site)
  await scroll(ann.page)
  const before = await site.served()
  const bob = await visit(kit, site)
  await scroll(bob.page)
  expect((await site.served()) - before).toBeLessThan(4 * images[0]!.length)
})
