import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { add, drop, find, purge, waiting } from './shared.ts'
import { admit, take } from './share-target.ts'

interface Facts {
  mode?: string
  destination?: string
  referrer?: string
  headers?: Record<string, string>
  files?: File[]
  words?: Record<string, string>
}

/** As a share sheet's comes to a service worker, but for the facts. */
function post({ mode = 'navigate', destination = 'document', referrer = '', headers = {}, files = [], words = {} }: Facts): Request {
  const body = new FormData()
  for (const [name, value] of Object.entries(words)) body.set(name, value)
  for (const file of files) body.append('files', file)
  const request = new Request('http://starling.test/files/shared', { method: 'POST', body, headers: { Origin: 'null', ...headers } })
  for (const [name, value] of Object.entries({ mode, destination, referrer })) Object.defineProperty(request, name, { value })
  return request
}

const photo = () => new File(['a photo'], 'bird.jpg', { type: 'image/jpeg' })
const room = (quota: number, usage = 0) => vi.stubGlobal('navigator', { storage: { estimate: async () => ({ quota, usage }) } })

async function where(facts: Facts): Promise<string> {
  const response = await take(post(facts))
  expect(response.status).toBe(303)
  return response.headers.get('Location')!
}

beforeEach(() => {
  vi.stubGlobal('indexedDB', new IDBFactory())
  room(1e12)
})
afterEach(() => vi.unstubAllGlobals())

test('what the share sheet hands over is on disk when its page is opened', async () => {
  const files = [photo(), new File([], 'empty')]
  const to = await where({ files, words: { title: ' Birds ', text: 'Look', url: 'https://example.org/' } })
  const id = /^\/files\/shared\?([0-9a-f]{32})$/.exec(to)![1]!
  const { whole, ...rest } = (await find(id))!
  expect(rest).toMatchObject({ title: 'Birds', text: 'Look\nhttps://example.org/' })
  expect(rest.files).toMatchObject([{ name: 'bird.jpg', size: 7, type: 'image/jpeg' }, { name: 'empty', size: 0 }])
  expect(await whole.text()).toBe('a photo')
})

test.each<[string, Record<string, string>, object]>([
  ['an address', { url: 'https://example.org/' }, { title: '', text: 'https://example.org/' }],
  ['text', { text: 'magnet:?xt=urn:btih:0' }, { title: '', text: 'magnet:?xt=urn:btih:0' }],
  ['a title', { title: 'Birds' }, { title: 'Birds', text: '' }],
])('%s alone is enough', async (_, words, expected) => {
  const [, id] = (await where({ words })).split('?')
  expect(await find(id!)).toMatchObject({ ...expected, files: [] })
})

test.each<[string, Facts]>([
  ['a form of another site', { headers: { Origin: 'https://evil.example' } }],
  ['one that hides its origin, where the browser says from where it comes', { headers: { 'Sec-Fetch-Site': 'cross-site' } }],
  ['a page of a site nearby', { headers: { 'Sec-Fetch-Site': 'same-site' } }],
  ['a page of ours', { headers: { 'Sec-Fetch-Site': 'same-origin', Origin: 'http://starling.test' } }],
  ['a page that says who it is', { referrer: 'https://evil.example/' }],
  ['a frame', { destination: 'iframe' }],
  ['a script', { mode: 'cors', destination: '' }],
  ['a script that wants no answer', { mode: 'no-cors', destination: '' }],
])('nothing is taken of %s', async (_, facts) => {
  expect(await where({ ...facts, files: [photo()] })).toBe('/files#nothing-shared')
  expect(await waiting()).toEqual([])
})

test('nothing is nothing', async () => {
  expect(await where({ files: [new File([], '')], words: { text: ' ' } })).toBe('/files#nothing-shared')
  expect(await waiting()).toEqual([])
})

test('what does not fit is refused, and not read to its end', async () => {
  room(8e6 + 1e9, 1e9)
  expect(await where({ files: [new File([new Uint8Array(4e6)], 'film.mp4')] })).toBe('/files#no-room')
  expect(await waiting()).toEqual([])
  expect(await where({ files: [new File([new Uint8Array(1e6)], 'film.mp4')] })).toMatch(/shared\?/)

  let read = 0
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      read += 1e6
      controller.enqueue(new Uint8Array(1e6))
    },
  })
  const endless = post({})
  Object.defineProperty(endless, 'body', { value: body })
  expect((await take(endless)).headers.get('Location')).toBe('/files#no-room')
  expect(read).toBeLessThan(1e7)
})

test('what waits counts, whatever room there is', async () => {
  const facts = { title: '', text: '', whole: new Blob(['x']), files: [] }
  for (let i = 0; i < 20; i++) await add({ id: String(i), at: Date.now(), ...facts })
  expect(await where({ files: [photo()] })).toBe('/files#no-room')
  await drop('7')
  expect(await where({ files: [photo()] })).toMatch(/shared\?/)

  await drop('8')
  await add({ id: 'film', at: Date.now(), ...facts, whole: { size: 1e9 } as Blob })
  await drop('9')
  expect(await where({ files: [new File([new Uint8Array(2e6)], 'film.mp4')] })).toBe('/files#no-room')
})

test.each(['nothing', 'nothing now'])('a browser that says %s of its room takes what there is', async (what) => {
  const estimate = () => Promise.reject(new TypeError())
  vi.stubGlobal('navigator', what === 'nothing' ? {} : { storage: { estimate } })
  expect(await where({ files: [photo()] })).toMatch(/shared\?/)
})

test('what the browser takes back as it is written says so', async () => {
  const { put } = IDBObjectStore.prototype
  const taken = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(function (this: IDBObjectStore, value) {
    const request = put.call(this, value)
    this.transaction.abort()
    return request
  })
  expect(await where({ files: [photo()] })).toBe('/files#not-ready')
  taken.mockRestore()
  expect(await waiting()).toEqual([])
})

test('what cannot be read or kept says so', async () => {
  expect(await where({ headers: { 'Content-Type': 'text/plain' }, files: [photo()] })).toBe('/files#not-ready')
  vi.stubGlobal('indexedDB', { open: () => { throw new DOMException('', 'SecurityError') } })
  expect(await where({ files: [photo()] })).toBe('/files#not-ready')
  vi.stubGlobal('indexedDB', {
    open: () => {
      const request = { error: new DOMException('', 'UnknownError') } as IDBOpenDBRequest
      queueMicrotask(() => request.onerror?.(new Event('error')))
      return request
    },
  })
  expect(await where({ files: [photo()] })).toBe('/files#not-ready')
  vi.stubGlobal('indexedDB', { open: () => { throw new DOMException('', 'QuotaExceededError') } })
  expect(await where({ files: [photo()] })).toBe('/files#no-room')
})

test('nothing waits for longer than a day', async () => {
  const facts = { title: '', text: 'x', whole: new Blob(), files: [] }
  const day = 86_400_000
  await add({ id: '1', at: 1000, ...facts })
  await add({ id: '2', at: 2000, ...facts })
  const there = async (now: number) => (await waiting(now)).map(({ id }) => id)
  expect([await there(999 + day), await there(1000 + day)]).toEqual([['2', '1'], ['2']])
  expect([await find('1', 1000 + day), (await find('2', 1000 + day))?.id]).toEqual([undefined, '2'])
  await purge(1000 + day)
  expect(await there(1999)).toEqual(['2'])
})

test('a page that another site led to is not shown, and what came with it is gone', async () => {
  const page = async () => new Response('page')
  const share = async () => (await where({ files: [photo()] })).split('?')[1]!
  const open = (id: string, said: () => Promise<Response>) => {
    vi.stubGlobal('fetch', said)
    return admit(new Request(`http://starling.test/files/shared?${id}`), page)
  }
  const [kept, forged] = [await share(), await share()]
  expect(await (await open(kept, async () => new Response('of the server'))).text()).toBe('page')
  expect(await (await open(kept, () => Promise.reject(new TypeError('offline')))).text()).toBe('page')
  const response = await open(forged, async () => Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' }))
  expect([response.status, response.headers.get('Location')]).toEqual([303, '/files#nothing-shared'])
  expect((await waiting()).map(({ id }) => id)).toEqual([kept])
})

test('a server that says nothing does not keep the page from being shown', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  vi.stubGlobal('fetch', () => new Promise(() => {}))
  const shown = admit(new Request('http://starling.test/files/shared?0'), async () => new Response('page'))
  await vi.advanceTimersByTimeAsync(3000)
  expect(await (await shown).text()).toBe('page')
  vi.useRealTimers()
})
