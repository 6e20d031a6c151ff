/** A site that nobody here wrote, a manual out of a Debian package, behind `starling edge --origin` with one line added. */
import { existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Page } from 'puppeteer-core'
import { beforeAll, expect, test } from 'vitest'
import { brought, kept, settled, sha256, shown, Site } from './edge.kit.ts'
import { buildBinary, buildPages, root } from './harness/build.ts'
import { harness, until, type Kind, type Kit } from './harness/index.ts'

const manual = join(root, 'node_modules/.manual')
const line = '<script type="module" src="/.starling/edge.js"></script>'
const types: Record<string, string> = { '.html': 'text/html', '.css': 'text/css', '.png': 'image/png', '.svg': 'image/svg+xml', '.gif': 'image/gif' }
/** Bytes per second that the manual's server sends of images, as one on a small line would. */
const rate = 800e3

const kit = harness()
/** The page with most bytes of images, and which it shows, in order. */
let busiest = { path: '', images: [] as string[], bytes: 0 }
/** Where that page's images lie, and its icon. */
let assets: string[] = []

/** Any server of files, and a template that its owner has added something to. */
async function serve(kit: Kit, added: string): Promise<string> {
  let free = 0
  const { origin } = await kit.http(async (request, response) => {
    try {
      const file = join(manual, decodeURI(new URL(request.url!, 'http://manual').pathname))
      const [{ mtime }, data] = await Promise.all([stat(file), readFile(file)])
      const page = file.endsWith('.html')
      const body = page ? data.toString().replace('</head>', `${added}</head>`) : data
      response.setHeader('Content-Type', types[extname(file)]!).setHeader('Content-Length', Buffer.byteLength(body))
      if (page) return response.end(body)
      response.setHeader('Last-Modified', mtime.toUTCString())
      free = Math.max(free, Date.now()) + (1000 * body.length) / rate
      await pause(free - Date.now())
      response.end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  return origin
}

beforeAll(async () => {
  if (!existsSync(manual)) return
  await buildPages()
  await buildBinary()
  const pages = (await readdir(manual, { recursive: true })).filter((name) => name.endsWith('.html'))
  for (const page of pages) {
    const html = await readFile(join(manual, page), 'utf8')
    const paths = (tag: RegExp) => [...html.matchAll(tag)].map(([, path]) => join('/', page, '..', path!))
    const all = paths(/<img[^>]* src="([^"]+)"/gi)
    const data = await Promise.all(all.map((path) => readFile(join(manual, path))))
    const images = data.map(sha256)
    const bytes = data.reduce((sum, { length }, i) => sum + (images.indexOf(images[i]!) === i ? length : 0), 0)
    if (bytes <= busiest.bytes) continue
    busiest = { path: `/${page}`, images, bytes }
    assets = [...new Set([...all, ...paths(/<link rel="icon" href="([^"]+)"/gi)])]
  }
})

/** All of the page as it looks. */
async function look(page: Page): Promise<string> {
  await page.setViewport({ width: 1000, height: 800 })
  return sha256(Buffer.from(await page.screenshot({ fullPage: true })))
}

test.skipIf(!existsSync(manual))('its later visitors get images from earlier ones, and see the same page (skipped where e2e/install-programs could not fetch it)', async () => {
  const bare = await serve(kit, '')
  // What is asserted is who gives, not how soon: a machine may take its time.
  const site = await Site.start(kit, ['--origin', await serve(kit, line), '--worker', '--deadline', '30s'])
  const visit = async (origin: string, kind: Kind = 'chromium') => {
    const { page } = await kit.person(kind)
    await page.goto(origin + busiest.path)
    expect(await shown(page)).toEqual(busiest.images)
    return page
  }
  const before = await look(await visit(bare))

  // What has passed by once is known.
  await Promise.all(assets.map(async (path) => (await fetch(site.origin + path)).arrayBuffer()))
  await until('the images to be known', async () => (await site.figures()).now.assets === assets.length)
  const ann = await visit(site.origin)
  await settled(site, 1)
  await until('her to have all of it', async () => (await kept(ann)) >= busiest.bytes)
  const pages = []
  for (const kind of ['chromium', 'firefox'] as const) {
    const served = await site.served()
    pages.push(await visit(site.origin, kind))
    expect(await brought(pages.at(-1)!)).toBeGreaterThan(busiest.images.length / 4)
    expect((await site.served()) - served).toBeLessThan(0.8 * busiest.bytes)
  }
  expect(await look(pages[0]!)).toBe(before)
  expect(await look(ann)).toBe(before)
})
