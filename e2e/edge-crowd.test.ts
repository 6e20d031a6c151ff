/** All at once on one site: ten visitors and one more, a liar among them, one killed while it uploads, and the tracker dies. */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { brought, img, page, png, settled, sha256, shown, Site, wav } from './edge.kit.ts'
import { enter, harness, until, type Kit, type Person, type PersonOptions, type Kind } from './harness/index.ts'

declare const lab: typeof import('./pages/liar.page.ts')

const kit = harness()
const images = Array.from({ length: 40 }, (_, i) => png(100, 80, i))
const film = wav(3, 96_000)
const files = {
  'index.html': page(images.map((_, i) => img(`/img/${i}.png`)).join('') + '<video muted preload=auto data-src="/film.wav"></video>'),
  'film.wav': film,
  ...Object.fromEntries(images.map((data, i) => [`img/${i}.png`, data])),
}
/** What browsers report where no tracker answers. */
const lost = /WebSocket|establish a connection/
const whole = images.reduce((sum, { length }) => sum + length, film.length)

/** The way to a site, on which its tracker can be cut off while all else goes through. */
class Way {
  readonly origin: string
  readonly #sockets = new Set<Socket>()
  #cut = false

  private constructor(origin: string) {
    this.origin = origin
  }

  static async to(kit: Kit, site: Site): Promise<Way> {
    const all = new Set<Socket>()
    const server = createServer((socket) => {
      all.add(socket)
      socket.on('error', () => socket.destroy()).once('data', (first) => {
        // A WebSocket is a connection of its own, and says so first.
        if (first.toString('latin1').startsWith('GET /.starling/announce')) {
          if (way.#cut) return socket.destroy()
          way.#sockets.add(socket)
        }
        const on = connect(Number(new URL(site.origin).port), '127.0.0.1', () => on.write(first) && socket.pipe(on).pipe(socket))
        on.on('error', () => socket.destroy()).on('close', () => socket.destroy())
        socket.on('close', () => on.destroy())
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const way = new Way(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    kit.defer(async () => {
      for (const socket of all) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    })
    return way
  }

  /** From now on there is no tracker. */
  cutTracker(): void {
    this.#cut = true
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** SHA-256 of the film, as this page gives it to its service worker, and so to the player. */
const filmOf = (page: Page): Promise<string> =>
  page.evaluate(async () => {
    const { port1, port2 } = new MessageChannel()
    const answers = new ReadableStream<unknown>({ start: (all) => void (port1.onmessage = ({ data }) => all.enqueue(data)) }).getReader()
    const next = async () => (await answers.read()).value
    navigator.serviceWorker.dispatchEvent(new MessageEvent('message', { data: { type: 'starling:asset', path: '/film.wav', destination: 'video' }, ports: [port2] }))
    const sign = await next()
    const { size } = (await next()) as { size: number }
    const parts: Uint8Array<ArrayBuffer>[] = []
    for (let at = 0; sign === 'looking' && at < size;) {
      port1.postMessage({ start: at, end: size })
      const part = (await next()) as Uint8Array<ArrayBuffer>
      if (part instanceof Error) throw part
      parts.push(part)
      at += part.length
    }
    port1.postMessage('release')
    const sum = await crypto.subtle.digest('SHA-256', await new Blob(parts).arrayBuffer())
    return Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, '0')).join('')
  })

/** All images are there, byte by byte. */
async function sees({ page }: Person): Promise<void> {
  expect(await shown(page)).toEqual(images.map(sha256))
}

/** The film has been played to its end. */
async function watched({ page }: Person): Promise<void> {
  await until('the film to end', () => page.evaluate(() => {
    const { ended, error } = document.querySelector('video')!
    if (error) throw new Error(error.message)
    return ended && !!navigator.serviceWorker.controller
  }))
  expect(await filmOf(page)).toBe(sha256(film))
}

test('ten and Firefox arrive one after another; one lies, one is killed while it uploads, the tracker dies: everybody sees all, unchanged', async () => {
  const site = await Site.serve(kit, files, { args: ['--upload', '300000', '--deadline', '3s', '--lead', '1s'] })
  const way = await Way.to(kit, site)
  const arrives = async (kind: Kind = 'chromium', options: PersonOptions = {}) => {
    const person = await kit.person(kind, options)
    await person.page.goto(way.origin)
    // What is played before it has a source is stopped when it gets one.
    const press = () => {
      const video = document.querySelector('video')!
      if (video.currentSrc) void video.play()
      else video.addEventListener('loadstart', () => void video.play(), { once: true })
    }
    void person.page.evaluate(press).catch(() => {})
    return person
  }

  // Ann has all of it from the site, in a browser of her own.
  const ann = await arrives('chromium', { own: true, allow: [/./] })
  await sees(ann)
  await watched(ann)
  await settled(site, 2)

  // The liar says that it has all, of both torrents.
  const liar = await kit.person('chromium', { allow: [/./] })
  await enter(liar.page, await kit.lab(new URL('./pages/liar.page.ts', import.meta.url)))
  const { torrents } = (await (await fetch(`${site.origin}/.starling/manifest.json`)).json()) as { torrents: { infoHash: string }[] }
  for (const { infoHash } of torrents) {
    const file = await (await fetch(`${site.origin}/.starling/t/${infoHash}.torrent`)).arrayBuffer()
    await liar.page.evaluate((tracker, bytes) => lab.lie('wrong pieces', tracker, bytes), `${way.origin.replace('http', 'ws')}/.starling/announce`, [...new Uint8Array(file)])
  }
  await settled(site, 4)

  // Whatever is right and comes from a peer comes from Ann; she is killed in the midst of it.
  const bob = await arrives()
  await until('a part to have come', async () => (await brought(bob.page)) >= 3)
  ann.page.browser().process()!.kill('SIGKILL')
  expect(await brought(bob.page)).toBeLessThan(images.length - 3)
  await sees(bob)

  const others = [await arrives('firefox')]
  await sees(others[0]!)
  while (others.length < 5) {
    const next = await arrives()
    others.push(next)
    await sees(next)
    expect(await brought(next.page)).toBeGreaterThan(images.length / 2)
  }

  // The next one is in the midst of it when the tracker dies; two come later.
  const gus = await arrives('chromium', { allow: [lost] })
  await until('a part to have come', async () => (await brought(gus.page)) >= 1)
  way.cutTracker()
  for (const person of [bob, ...others]) person.allow(lost)
  others.push(gus, await arrives('chromium', { allow: [lost] }), await arrives('chromium', { allow: [lost] }))
  await Promise.all(others.slice(-3).map(sees))
  expect(others).toHaveLength(8)

  // All have played the film to its end, and still have what they had.
  for (const person of [bob, ...others]) {
    await watched(person)
    await sees(person)
  }
  const { total } = await site.figures()
  expect(total.served).toBeLessThan(6 * whole)
  await until('the liar to be told of', async () => (await site.figures()).total.liars > 0)
})
