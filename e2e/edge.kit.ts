/** A site behind `starling edge`, and what tests ask of it and of its visitors. */
import { createHash, randomFillSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import type { Page } from 'puppeteer-core'
import { buildPages, buildBinary, root } from './harness/build.ts'
import { until, type Kit, type Kind, type Person, type PersonOptions, type Program } from './harness/index.ts'

/** A picture of noise: about 3 bytes for each of its pixels. */
export function png(width: number, height: number, seed = 0): Buffer {
  const raw = Buffer.alloc((width * 3 + 1) * height)
  randomFillSync(raw)
  raw.writeUInt32BE(seed >>> 0, 1)
  for (let y = 0; y < height; y++) raw[y * (width * 3 + 1)] = 0
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const ends = Buffer.alloc(8)
    ends.writeUInt32BE(data.length)
    ends.writeUInt32BE(crc32(body), 4)
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
  }
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width)
  head.writeUInt32BE(height, 4)
  head.set([8, 2], 8)
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', deflateSync(raw, { level: 1 })), chunk('IEND', Buffer.alloc(0)),
  ])
}

/** A tone of so many seconds, 16 bits, mono: it can be played and sought in everywhere. seed: nothing of another's is in it. */
export function wav(seconds: number, rate = 44_100, seed = 0): Buffer {
  const data = Buffer.alloc(seconds * rate * 2)
  for (let i = 0; i < data.length; i += 2) data.writeInt16LE(Math.round(3000 * Math.sin(i / (40 + seed)) + 3000 * Math.sin(i * i / 1e9)), i)
  const head = Buffer.alloc(44)
  head.write('RIFF', 0)
  head.writeUInt32LE(36 + data.length, 4)
  head.write('WAVEfmt ', 8)
  head.writeUInt32LE(16, 16)
  head.writeUInt16LE(1, 20)
  head.writeUInt16LE(1, 22)
  head.writeUInt32LE(rate, 24)
  head.writeUInt32LE(rate * 2, 28)
  head.writeUInt16LE(2, 32)
  head.writeUInt16LE(16, 34)
  head.write('data', 36)
  head.writeUInt32LE(data.length, 40)
  return Buffer.concat([head, data])
}

export const page = (body: string, head = '') =>
  `<!doctype html><meta charset=utf-8><title>site</title><link rel=icon href=data:,>${head}<script type=module src=/.starling/edge.js></script>\n${body}`

export const img = (src: string, more = '') => `<p><img data-src="${src}" width=600 height=700 ${more}></p>`

export interface Figures {
  total: { served: number; peers: number; http: number; kept: number; sent: number; liars: number; stalls: number; causes: number[] }
  causes: string[]
  now: { version: string; assets: number; torrents: number; visitors: number }
}

/** One site, served by the real program. */
export class Site {
  readonly #program: Program
  readonly origin: string
  readonly folder: string

  private constructor(program: Program, origin: string, folder: string) {
    this.#program = program
    this.origin = origin
    this.folder = folder
  }

  /** files: by path without a slash in front. Resolves when all that can be an asset is known. */
  static async serve(kit: Kit, files: Record<string, string | Buffer>, { args = [], assets }: { args?: string[]; assets?: number } = {}): Promise<Site> {
    const folder = await kit.folder()
    await Promise.all(Object.entries(files).map(([path, data]) => put(folder, path, data)))
    const count = assets ?? Object.keys(files).filter((path) => /\.(png|svg|wav|zip|woff2)$/.test(path)).length
    return Site.start(kit, [folder, ...args], { folder, assets: count })
  }

  /** Runs `starling edge` with these arguments. */
  static async start(kit: Kit, args: string[], { folder = '', assets = 0 } = {}): Promise<Site> {
    await buildPages()
    await buildBinary()
    const program = kit.program(join(root, 'bin/starling'), 'edge', '--addr', '127.0.0.1:0', '--cache-dir', await kit.folder(), ...args)
    const [, origin] = await program.prints(/Starling is at (\S+)/)
    const site = new Site(program, origin!, folder)
    await until(`${assets} assets`, async () => (await site.figures()).now.assets >= assets)
    return site
  }

  get log(): readonly string[] {
    return this.#program.lines
  }

  async figures(): Promise<Figures> {
    return (await (await fetch(`${this.origin}/.starling/figures.json`)).json()) as Figures
  }

  /** Bytes of assets that the site has sent. */
  async served(): Promise<number> {
    return (await this.figures()).total.served
  }

  /** Replaces a file. */
  async deploy(path: string, data: string | Buffer): Promise<void> {
    await put(this.folder, path, data)
  }

  close(): Promise<void> {
    return this.#program.close()
  }
}

async function put(folder: string, path: string, data: string | Buffer): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), data)
}

/** Somebody at a page of the site. */
export async function visit(kit: Kit, site: Site, path = '/', { kind = 'chromium' as Kind, ...options }: PersonOptions & { kind?: Kind } = {}): Promise<Person> {
  const person = await kit.person(kind, options)
  await person.page.goto(site.origin + path)
  return person
}

/** Waits until all images of the page are there, and returns the SHA-256 of what each shows. */
export async function shown(page: Page): Promise<string[]> {
  await until('all images to be there', () =>
    page.evaluate(() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)),
  )
  // Hashed here, as there are pages in which hashing is broken.
  const urls = await page.evaluate(() =>
    Promise.all([...document.images].map(async (image) => {
      const reader = new FileReader()
      reader.readAsDataURL(await (await fetch(image.currentSrc)).blob())
      await new Promise((resolve) => (reader.onload = resolve))
      return reader.result as string
    })),
  )
  return urls.map((url) => sha256(Buffer.from(url.slice(url.indexOf(',')), 'base64')))
}

export const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex')

/** Waits until the tracker knows of just so many visits. */
export async function settled(site: Site, visitors: number): Promise<void> {
  await until(`${visitors} visitors`, async () => (await site.figures()).now.visitors === visitors)
}

/** Somebody who has all of a page, and whom others find: the first of a site that nobody else is on. */
export async function first(kit: Kit, site: Site, path?: string, options?: Parameters<typeof visit>[3]): Promise<Person> {
  await settled(site, 0)
  const person = await visit(kit, site, path, options)
  await shown(person.page)
  await settled(site, 1)
  return person
}

/** Which images are shown from bytes that the script brought. */
export const brought = (page: Page): Promise<number> =>
  page.evaluate(() => [...document.images].filter((image) => image.currentSrc.startsWith('blob:')).length)

/** Bytes of assets that this visitor keeps, to show them again and to give them to others. */
export const kept = (page: Page): Promise<number> =>
  page.evaluate(async () => {
    const name = 'starling-edge'
    if (!(await indexedDB.databases()).some((database) => database.name === name)) return 0
    return new Promise<number>((resolve, reject) => {
      const open = indexedDB.open(name)
      open.onerror = reject
      open.onsuccess = () => {
        const all = open.result.transaction('data').objectStore('data').getAll()
        all.onerror = reject
        all.onsuccess = () => resolve(all.result.reduce((sum: number, { length }: Uint8Array) => sum + length, 0))
        open.result.close()
      }
    })
  })
