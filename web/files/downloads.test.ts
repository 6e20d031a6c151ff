import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { TorrentFile } from 'starling'
import { Downloads } from './downloads.ts'

/** Where the browser was sent, in order. */
let sent: string[]
let hellos: number
let serviceWorker: EventTarget
/** Gives the page the lock that its service worker holds as long as it runs. */
let gone: () => void
let downloads: Downloads
/** What became of which. */
let told: string[]
let failed: Parameters<Downloads['again']>[0] | undefined

beforeEach(() => {
  ;[sent, told, hellos, failed] = [[], [], 0, undefined]
  serviceWorker = Object.assign(new EventTarget(), {
    startMessages: () => {},
    controller: { postMessage: () => void hellos++ },
    getRegistration: async () => ({}),
  })
  const request = async (_: string, { signal }: { signal: AbortSignal }, then: () => void) => {
    gone = () => signal.aborted || then()
  }
  vi.stubGlobal('navigator', { serviceWorker, locks: { request } })
  vi.stubGlobal('addEventListener', () => {})
  const link = () => ({ href: '', click(this: { href: string }) { sent.push(this.href) }, remove: () => {} })
  vi.stubGlobal('document', { createElement: link, body: { append: () => {} } })
  vi.stubGlobal('reportError', () => {})
  downloads = new Downloads(() => {})
  downloads.on('done', ({ name }) => told.push(`done ${name}`))
  downloads.on('failed', (download) => told.push(`failed ${(failed = download).name}`))
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const file = (size = 11, stream = () => new Blob(['hello world']).stream()) =>
  ({ name: 'a b.txt', size, type: 'text/plain', url: async () => '/~/x', stream }) as unknown as TorrentFile

/** As the service worker does (sw/tabs.ts), for what the browser was sent to last. next: the next word of the page. */
function ask() {
  const [, id] = /^\/~\/download\/([0-9a-f]{32})\/a%20b\.txt$/.exec(sent.at(-1)!)!
  const { port1, port2 } = new MessageChannel()
  const [heard, waiting] = [[] as unknown[], [] as ((word: unknown) => void)[]]
  port1.onmessage = ({ data }) => void (waiting.shift() ?? ((word) => heard.push(word)))(data)
  serviceWorker.dispatchEvent(Object.assign(new Event('message'), { data: { type: 'starling:download', id, lock: 'life' }, ports: [port2] }))
  const next = () => new Promise<unknown>((resolve) => (heard.length ? resolve(heard.shift()) : waiting.push(resolve)))
  const pull = () => (port1.postMessage({ start: 0, end: 0 }), next())
  const release = async () => {
    const before = told.length
    port1.postMessage('release')
    await vi.waitUntil(() => told.length > before)
    port1.close()
  }
  return { next, pull, release, heard, close: () => port1.close() }
}

it('gives the browser what it takes, as it takes it', async () => {
  await downloads.download(file())
  expect(downloads.all).toMatchObject([{ name: 'a b.txt', size: 11, taken: -1 }])
  const { next, pull, release } = ask()
  expect([await next(), await next()]).toEqual(['looking', { name: 'a b.txt', type: 'text/plain', size: 11 }])
  expect(downloads.all[0]!.taken).toBe(0)
  expect(new TextDecoder().decode((await pull()) as Uint8Array)).toBe('hello world')
  expect(downloads.all[0]!.taken).toBe(11)
  await release()
  expect([told, downloads.all]).toEqual([['done a b.txt'], []])
})

it.each([
  ['that cannot be read any more', file(11, () => new ReadableStream({ pull: () => Promise.reject(new Error('It is gone.')) })), /It is gone/],
  ['that is shorter than it was', file(11, () => new Blob([]).stream()), /There is no more/],
])('a file %s is said not to be downloaded to its end', async (_, file, words) => {
  await downloads.download(file)
  const { next, pull, release } = ask()
  for (let i = 0; i < 2; i++) await next()
  expect(await pull()).toMatch(words)
  await release()
  expect(told).toEqual(['failed a b.txt'])
})

it('one whose service worker is gone is over, and can be begun again', async () => {
  await downloads.download(file())
  const first = ask()
  for (let i = 0; i < 2; i++) await first.next()
  gone()
  expect([told, downloads.all]).toEqual([['failed a b.txt'], []])
  first.close()
  downloads.again(failed!)
  expect(sent[1]).not.toBe(sent[0])
  const { next, pull, release } = ask()
  for (let i = 0; i < 2; i++) await next()
  await pull()
  await release()
  gone()
  expect(told).toEqual(['failed a b.txt', 'done a b.txt'])
})

it('is over where the browser never asks; until then the service worker is kept awake, and no longer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  await downloads.download(file())
  vi.advanceTimersByTime(14_999)
  expect([told, hellos]).toEqual([[], 1])
  vi.advanceTimersByTime(1)
  expect([told, downloads.all]).toEqual([['failed a b.txt'], []])
  vi.advanceTimersByTime(60_000)
  expect([told.length, hellos]).toEqual([1, 1])
})

it('is given once, and goes on for as long as the browser takes, whatever becomes of others', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  await downloads.download(file())
  const { next, pull, close } = ask()
  for (let i = 0; i < 2; i++) await next()
  const again = ask()
  await downloads.download({ ...file(), name: 'other' } as TorrentFile)
  vi.advanceTimersByTime(600_000)
  expect([told, hellos]).toEqual([['failed other'], 60])
  await pull()
  await new Promise(setImmediate)
  expect(again.heard).toEqual([])
  for (const one of [{ close }, again]) one.close()
})
