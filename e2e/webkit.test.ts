/**
 * What Safari's users meet: our pages in WebKit. Debian's is built without WebRTC and without OPFS's handles, so nothing
 * goes from browser to browser here; and it records by codecs that weigh as much as itself, so a tone is recorded.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { harness, until, type Lab, type Server } from './harness/index.ts'
import { WebKit, type Tab } from './harness/webkit.ts'
import { bytesOf, digest } from './pages/files.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

type Pages = typeof import('./store.page.ts') & typeof import('./stream.page.ts') & typeof import('./tabs.page.ts') &
  typeof import('./pages/starling.page.ts')
/** Of whichever page was entered. */
declare const lab: Pages

const labOf = (page: string): Promise<Lab> => kit.lab(new URL(`./${page}.page.ts`, import.meta.url))

async function enter(page: Tab, { origin }: Lab): Promise<void> {
  await page.goto(origin)
  await until('the entry of the lab to run', () => page.evaluate(() => 'lab' in globalThis))
}

/** In place of the browser's recorder: three seconds of a tone, and what comes after them is silence. */
function recordATone(): void {
  const rate = 8000
  const size = 3 * rate * 2
  const wav = new DataView(new ArrayBuffer(44 + size))
  const text = (at: number, words: string) => [...words].forEach((c, i) => wav.setUint8(at + i, c.charCodeAt(0)))
  const numbers: [number, number, number?][] = [[4, 36 + size], [16, 16], [20, 1, 2], [22, 1, 2], [24, rate], [28, rate * 2], [32, 2, 2], [34, 16, 2], [40, size]]
  text(0, 'RIFF')
  text(8, 'WAVEfmt ')
  text(36, 'data')
  for (const [at, value, bytes] of numbers) bytes ? wav.setUint16(at, value, true) : wav.setUint32(at, value, true)
  for (let i = 0; i < 3 * rate; i++) wav.setInt16(44 + 2 * i, Math.sin(i / 4) * 8000, true)
  Object.assign(globalThis, {
    MediaRecorder: class {
      static isTypeSupported(): boolean {
        return false
      }
      readonly mimeType = 'audio/wav'
      state = 'inactive'
      ondataavailable?: (event: { data: Blob }) => void
      onstop?: () => void
      #timer = 0
      start(slice: number): void {
        this.state = 'recording'
        this.#give(wav)
        this.#timer = window.setInterval(() => this.#give(new Uint8Array(2)), slice)
      }
      stop(): void {
        this.state = 'inactive'
        clearInterval(this.#timer)
        setTimeout(() => this.onstop?.())
      }
      #give(data: BufferSource): void {
        setTimeout(() => this.ondataavailable?.({ data: new Blob([data]) }))
      }
    },
  })
}

/** Plays until the player has come so far, in seconds. */
async function plays(page: Tab, seconds: number): Promise<void> {
  await page.press('Play')
  await until('it to play', () => page.evaluate((seconds) => {
    const words = document.querySelector('ui-wave')?.getAttribute('aria-valuetext') ?? ''
    return Number(/:(\d\d) of/.exec(words)?.[1] ?? 0) >= seconds
  }, seconds))
}

test.each(['an ordinary', 'a private'])('in %s window a memo is recorded, heard, shared, and there after a reload', async (kind) => {
  const folder = kind === 'a private' ? undefined : await kit.folder()
  const page = await (await WebKit.start(kit, { folder, before: recordATone })).page()
  await page.goto(server.origin)
  await page.reads('Record something')
  await page.reads('This browser forgets memos after a week')
  await page.press('Record')
  await page.reads('0:02')
  await page.press('Stop')
  await plays(page, 1)
  await page.reload()
  await plays(page, 1)
  await page.press('Share')
  expect(await page.field('Link')).toMatch(/\/m#[\w-]{40}\.[\w-]{22}$/)
  await page.reads('Nobody can fetch it: this browser makes no direct connections')
})

test('files have a link, and a link says what is missing', async () => {
  const folder = await kit.folder()
  const webkit = await WebKit.start(kit, { folder })
  const page = await webkit.page()
  await page.goto(`${server.origin}/files`)
  await writeFile(join(folder, 'notes.txt'), 'notes')
  await page.choose('input[name=files]', [join(folder, 'notes.txt')])
  const link = await page.field('Link')
  expect(link).toMatch(/\/f#[\w-]{40}\.[\w-]{22}$/)
  await page.reads('A copy is kept in this browser')

  // The back/forward cache takes a page's locks away, for good, and nothing that others say reaches it there.
  const other = await webkit.tab()
  await other.goto(`${server.origin}/files`)
  const waits = () => other.evaluate(async () => !!(await navigator.locks.query()).pending!.find(({ name }) => name === 'files-sharing'))
  await until('the other tab to wait for its turn', waits)
  await page.goto(`${server.origin}/stats`)
  await until('the other tab to have its turn', async () => !(await waits()))
  await other.press('Delete notes.txt')
  await other.reads('Deleted')
  await page.back()
  await until('the first one to wait for its turn again', waits)
  await page.reads('Nothing is here')

  await page.goto(link.replace(/#.{40}/, `#${'0123456789'.repeat(4)}`))
  await page.reads('This browser makes no direct connections')
})

test('what is fetched is kept, web seeds bring it, and players seek in it before all is there', async () => {
  const page = await (await WebKit.start(kit, { folder: await kit.folder() })).page()
  await enter(page, await labOf('store'))
  expect(await page.evaluate(() => lab.indexeddb())).toEqual([])

  const film = { name: 'film.bin', size: 3_000_001, seed: 8 }
  const seed = await kit.webSeed(new Map([['/film.bin', bytesOf(film)]]))
  await enter(page, await labOf('pages/starling'))
  const { torrentFile, infoHash } = await page.evaluate((size) => {
    lab.start({ trackers: [], store: 'memory' })
    return lab.seed([{ name: 'film.bin', size, seed: 8 }])
  }, film.size)
  await enter(page, await labOf('pages/starling'))
  await page.evaluate((torrent, url) => {
    lab.start({ trackers: [] })
    return lab.add(JSON.parse(torrent) as number[], { webSeeds: [url] })
  }, JSON.stringify(torrentFile), `${seed.origin}/film.bin`)
  const whole = { name: film.name, size: film.size, digest: await digest(new Blob([bytesOf(film)])) }
  expect(await page.evaluate((infoHash) => lab.fetched(infoHash), infoHash)).toEqual([whole])

  await enter(page, await labOf('stream'))
  const second = 88_200
  const url = (await page.evaluate(() => lab.start(true)))!
  await page.evaluate((end) => lab.arrive(0, end), 20 * second)
  await page.evaluate((url) => lab.play(url), url)
  await until('it to play', () => page.evaluate(() => lab.player().time >= 1))
  await page.evaluate(() => lab.seek(60))
  await until('a read where the player is', () => page.evaluate((at) => lab.log().furthest > at, 58 * second))
  await page.evaluate((start, end) => lab.arrive(start, end), 55 * second, 68 * second)
  await until('it to play on', () => page.evaluate(() => lab.player().time >= 61))
  expect(await page.evaluate(() => lab.player().error)).toBeNull()
})

test('one tab works for both; when it is closed, the other goes on', async () => {
  const place = await labOf('tabs')
  const webkit = await WebKit.start(kit, { folder: await kit.folder() })
  const [one, two] = [await webkit.page(), await webkit.tab()]
  for (const page of [one, two]) {
    await enter(page, place)
    await page.evaluate((tracker) => lab.start(tracker), server.tracker)
    expect(await page.evaluate(() => lab.leads())).toBe(page === one)
  }
  // What the second one seeds goes to the first, and from there to the second as it asks for it.
  const link = await two.evaluate(() => lab.seed(200_000))
  const expected = await two.evaluate(() => lab.expected(200_000))
  const infoHash = await one.evaluate((link) => lab.add(link), link)
  expect(await one.evaluate((infoHash) => lab.fetched(infoHash), infoHash)).toBe(expected)
  await two.evaluate((link) => lab.add(link), link)
  expect(await two.evaluate((infoHash) => lab.streamed(infoHash), infoHash)).toBe(expected)
  await one.close()
  await until('the other to lead', () => two.evaluate(() => lab.leads()))
  expect(await two.evaluate((infoHash) => lab.streamed(infoHash), infoHash)).toBe(expected)
})
