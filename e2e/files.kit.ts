/** What people do in the section Files, for its tests. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ElementHandle, Page } from 'puppeteer-core'
import type { Parcel, Share } from '../web/files/parcel.ts'
import { until, type Kind, type Kit, type Person, type Server } from './harness/index.ts'
import { control, reads } from './memos.kit.ts'

/** When the last torrent is taken away the page hangs up on the tracker, which may be answering at that very moment. */
export const allow = [/WebSocket connection to '[^']+' failed: Data frame received after close/]

/** Puts files there: their paths, by their names. */
export async function write(into: string, files: Record<string, Uint8Array | string>): Promise<string[]> {
  const paths = Object.keys(files).map((name) => join(into, name))
  for (const dir of new Set(paths.map(dirname))) await mkdir(dir, { recursive: true })
  await Promise.all(Object.values(files).map((content, i) => writeFile(paths[i]!, content)))
  return paths
}

/** Somebody whose browser saves what it downloads in a folder, without asking. more: further preferences of Firefox; args: of Chromium. */
export async function saver(
  kit: Kit, kind: Kind, more: Record<string, unknown> = {}, args?: string[],
): Promise<{ person: Person; saved: (name: string) => Promise<Buffer> }> {
  const into = await kit.folder()
  const prefs = { 'browser.download.folderList': 2, 'browser.download.dir': into, ...more }
  const person = await kit.person(kind, kind === 'firefox' ? { allow, prefs } : { allow, ...(args && { args }) })
  if (kind === 'chromium') {
    const session = await person.page.createCDPSession()
    const { id: browserContextId } = person.context
    await session.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: into, browserContextId })
  }
  const saved = async (name: string) => {
    const there = async () => {
      const names = await readdir(into)
      return names.includes(name) && !names.some((other) => /\.(part|crdownload)$/.test(other))
    }
    await until(`${name} to be saved`, there).catch(async (error: Error) => {
      throw new Error(`${error.message}; there is: ${(await readdir(into)).join(', ')}`, { cause: error })
    })
    return readFile(join(into, name))
  }
  return { person, saved }
}

/** Chooses files of this machine, as with the browser's dialog; field: the name of the page's field. */
export async function choose(page: Page, paths: string[], field = 'files'): Promise<void> {
  const input = (await page.waitForSelector(`input[name=${field}]`)) as ElementHandle<HTMLInputElement>
  await input.uploadFile(...paths)
}

/** The link that the page shows, when it is there. */
export async function givenLink(page: Page): Promise<string> {
  const field = await control(page, 'Link', 'textbox')
  return field.evaluate((input) => (input as HTMLInputElement).value)
}

/** Sends files from there; returns the link. Ends on its page. */
export async function send(page: Page, origin: string, paths: string[], field?: string): Promise<string> {
  await page.goto(`${origin}/files`)
  await choose(page, paths, field)
  return givenLink(page)
}

export const arrived = (page: Page): Promise<string> => reads(page, 'All of it is here')

/** What a .zip holds, by path: read by its directory, as programs do. Nothing in it may be compressed. */
export function unzip(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  let at = archive.readUInt32LE(archive.length - 6)
  for (let count = archive.readUInt16LE(archive.length - 12); count; count--) {
    const [size, name, extra, head] = [at + 24, at + 28, at + 30, at + 42].map((field, i) =>
      i % 3 ? archive.readUInt16LE(field) : archive.readUInt32LE(field),
    ) as [number, number, number, number]
    const data = head + 30 + archive.readUInt16LE(head + 26) + archive.readUInt16LE(head + 28)
    files.set(archive.toString('utf8', at + 46, at + 46 + name), archive.subarray(data, data + size))
    at += 46 + name + extra
  }
  return files
}

/** Chooses so many small files in a hundred folders, each of which says its own path. */
export async function chooseMany(page: Page, count: number): Promise<void> {
  await page.waitForSelector('input[name=files]')
  await page.evaluate((count) => {
    const list = new DataTransfer()
    for (let i = 0; i < count; i++) {
      const path = `many/${Math.floor((100 * i) / count)}/${i}.txt`
      list.items.add(new File([path], path))
    }
    const field = document.querySelector<HTMLInputElement>('input[name=files]')!
    field.files = list.files
    field.dispatchEvent(new Event('change'))
  }, count)
}

/**
 * Chooses a film that the page makes: so many seconds of noise, a key frame each (a WebP picture is one of VP8), with an
 * index, so that players can seek in it. About 200 kB per second.
 */
export async function chooseFilm(page: Page, name: string, seconds: number): Promise<void> {
  await page.waitForSelector('input[name=files]')
  await page.evaluate(
    async (name, seconds) => {
      const [width, height] = [640, 360]
      const canvas = Object.assign(document.createElement('canvas'), { width, height })
      const context = canvas.getContext('2d', { alpha: false })!
      const image = context.createImageData(width, height)
      image.data.forEach((_, i) => (image.data[i] = i % 4 === 3 ? 255 : Math.random() * 256))
      context.putImageData(image, 0, 0)
      const picture = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/webp', 0.99))
      const webp = new DataView(await picture!.arrayBuffer())
      let at = 12
      // "VP8 "
      while (webp.getUint32(at) !== 0x56503820) at += 8 + ((webp.getUint32(at + 4, true) + 1) & ~1)
      const frame = new Uint8Array(webp.buffer, at + 8, webp.getUint32(at + 4, true))

      const number = (value: number) => Uint8Array.from([24, 16, 8, 0], (shift) => value >>> shift)
      const text = (text: string) => new TextEncoder().encode(text)
      const double = (value: number) => new Uint8Array(new DataView(new ArrayBuffer(8)).buffer).map((_, i) => {
        const view = new DataView(new ArrayBuffer(8))
        view.setFloat64(0, value)
        return view.getUint8(i)
      })
      const join = (parts: Uint8Array[]) => {
        const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
        parts.reduce((at, part) => (all.set(part, at), at + part.length), 0)
        return all
      }
      /** An element of EBML (RFC 8794), its size in eight bytes. */
      const head = (id: string, size: number) =>
        join([Uint8Array.from(id.match(/../g)!, (hex) => parseInt(hex, 16)), Uint8Array.of(1, 0, 0, 0), number(size)])
      const element = (id: string, ...body: Uint8Array[]) =>
        join([head(id, body.reduce((sum, { length }) => sum + length, 0)), ...body])

      const type = element('1a45dfa3', element('4282', text('webm')), element('4287', number(2)), element('4285', number(2)))
      const info = element('1549a966', element('2ad7b1', number(1e6)), element('4489', double(seconds * 1000)))
      const video = element('e0', element('b0', number(width)), element('ba', number(height)))
      const entry = [element('d7', number(1)), element('73c5', number(1)), element('83', number(1)), element('86', text('V_VP8'))]
      const tracks = element('1654ae6b', element('ae', ...entry, video))
      const block = join([head('a3', frame.length + 4), Uint8Array.of(0x81, 0, 0, 0x80), frame])
      const cluster = (second: number) => element('1f43b675', element('e7', number(second * 1000)), block)
      const every = cluster(0).length
      const cues = (from: number) =>
        element('1c53bb6b', ...Array.from({ length: seconds }, (_, second) => {
          const place = element('b7', element('f7', number(1)), element('f1', number(from + second * every)))
          return element('bb', element('b3', number(second * 1000)), place)
        }))
      const index = cues(info.length + tracks.length + cues(0).length)
      const clusters = Array.from({ length: seconds }, (_, second) => cluster(second))
      const size = info.length + tracks.length + index.length + seconds * every
      const film = new File([type, head('18538067', size), info, tracks, index, ...clusters], name, { type: 'video/webm' })

      const list = new DataTransfer()
      list.items.add(film)
      const field = document.querySelector<HTMLInputElement>('input[name=files]')!
      field.files = list.files
      field.dispatchEvent(new Event('change'))
    },
    name,
    seconds,
  )
}

/** A link of the server's whose infohash is of one digit. */
export const sharing = ({ origin }: Server, digit: number): Share => {
  const infoHash = String(digit).repeat(40)
  return { infoHash, link: `${origin}/f#${infoHash}.${'A'.repeat(22)}` }
}

/** Puts rows into the page's database; a film each. The list shows them when the page is loaded anew. */
export async function haveParcels(page: Page, rows: Pick<Parcel, 'sent' | 'from'>[]): Promise<void> {
  await page.evaluate(async (rows) => {
    const db = await new Promise<IDBDatabase>((resolve) => {
      const opening = indexedDB.open('files')
      opening.onsuccess = () => resolve(opening.result)
    })
    const writing = db.transaction('parcels', 'readwrite').objectStore('parcels')
    const facts = { name: 'A film of the whole holiday.mp4', size: 888e6, count: 1, added: Date.now() - 59.5 * 60_000 }
    rows.forEach((row, i) => writing.put({ id: String(i), ...facts, ...row }))
    await new Promise((resolve) => (writing.transaction.oncomplete = resolve))
    db.close()
  }, rows)
}
