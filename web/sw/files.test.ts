import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Found } from '../engine/stream/protocol.ts'
import { answerFile } from './files.ts'
import type { Client, Clients, FetchEvent } from './scope.ts'

const infoHash = 'a'.repeat(40)
const data = Uint8Array.from({ length: 1000 }, (_, i) => i & 0xff)
const memo = { name: 'Tue 14:05.webm', type: 'audio/webm;codecs=opus', size: data.length }

/** A tab that speaks as engine/stream/serve.ts does, and writes down what it was told. */
class Tab implements Client {
  readonly id: string
  readonly heard: unknown[] = []
  readonly #found: Found | 'silent' | 'looking'
  readonly #step: number

  constructor(id: string, found: Found | 'silent' | 'looking', step = 300) {
    this.id = id
    this.#found = found
    this.#step = step
  }

  postMessage(message: unknown, [port]: MessagePort[]): void {
    this.heard.push(message)
    if (this.#found === 'silent') return
    port!.onmessage = ({ data: asked }) => {
      this.heard.push(asked)
      if (asked === 'release') return
      if (!this.#step) return port!.postMessage('removed')
      port!.postMessage(data.slice(asked.start, Math.min(asked.end, asked.start + this.#step)))
    }
    port!.postMessage('looking')
    if (this.#found !== 'looking') port!.postMessage(this.#found)
  }
}

let tabs: Tab[] = []
const clients: Clients = {
  get: async (id) => tabs.find((tab) => tab.id === id),
  matchAll: async () => tabs,
  claim: async () => undefined,
}

const url = `/~/${infoHash}/0/x`

function get(
  headers: Record<string, string> = {},
  { method = 'GET', path = url, clientId = 'a', destination = '' } = {},
) {
  const request = new Request(new URL(path, 'http://starling.test'), { method, headers })
  Object.defineProperty(request, 'destination', { value: destination })
  return answerFile(clients, { request, clientId } as FetchEvent)
}

const bytes = async (response: Response) => new Uint8Array(await response.arrayBuffer())

beforeEach(() => {
  tabs = [new Tab('a', memo)]
})
afterEach(() => vi.useRealTimers())

test('the whole', async () => {
  const response = await get()
  expect(response.status).toBe(200)
  expect(response.headers.get('Content-Length')).toBe('1000')
  expect(response.headers.get('Content-Type')).toBe('audio/webm')
  expect(response.headers.get('Accept-Ranges')).toBe('bytes')
  expect(response.headers.get('Content-Range')).toBeNull()
  expect(tabs[0]!.heard).toEqual([{ type: 'starling:range', infoHash, file: 0 }])
  expect(await bytes(response)).toEqual(data)
  await vi.waitFor(() => expect(tabs[0]!.heard.at(-1)).toBe('release'))
})

test("Safari's probe, and other ranges", async () => {
  for (const [range, start, end] of [['0-1', 0, 2], ['500-', 500, 1000], ['-7', 993, 1000], ['10-699', 10, 700]] as const) {
    const response = await get({ Range: `bytes=${range}` })
    expect(response.status).toBe(206)
    expect(response.headers.get('Content-Range')).toBe(`bytes ${start}-${end - 1}/1000`)
    expect(response.headers.get('Content-Length')).toBe(String(end - start))
    expect(await bytes(response)).toEqual(data.slice(start, end))
  }
})

test('a range outside', async () => {
  const response = await get({ Range: 'bytes=1000-' })
  expect(response.status).toBe(416)
  expect(response.headers.get('Content-Range')).toBe('bytes */1000')
  await vi.waitFor(() => expect(tabs[0]!.heard.at(-1)).toBe('release'))
})

test('a range of another version is the whole', async () => {
  const tag = (await get()).headers.get('ETag')!
  expect((await get({ Range: 'bytes=0-1', 'If-Range': tag })).status).toBe(206)
  expect((await get({ Range: 'bytes=0-1', 'If-Range': '"other"' })).status).toBe(200)
})

test('HEAD reads nothing', async () => {
  const response = await get({}, { method: 'HEAD' })
  expect([response.status, response.headers.get('Content-Length'), response.body]).toEqual([200, '1000', null])
  await vi.waitFor(() => expect(tabs[0]!.heard.at(-1)).toBe('release'))
  expect(tabs[0]!.heard).toHaveLength(2)
})

test('an empty file', async () => {
  tabs = [new Tab('a', { ...memo, size: 0 })]
  const response = await get()
  expect([response.status, response.headers.get('Content-Length')]).toEqual([200, '0'])
  expect((await bytes(response)).length).toBe(0)
  await vi.waitFor(() => expect(tabs[0]!.heard.at(-1)).toBe('release'))
})

test('the end of a long file is for the next request', async () => {
  tabs = [new Tab('a', { ...memo, size: 10 << 20 })]
  const response = await get({ Range: 'bytes=5-' })
  expect(response.headers.get('Content-Range')).toBe(`bytes 5-${(4 << 20) + 4}/${10 << 20}`)
  await response.body!.cancel()
  await vi.waitFor(() => expect(tabs[0]!.heard.at(-1)).toBe('release'))
})

test('nothing is read before it is wanted', async () => {
  const response = await get()
  const reader = response.body!.getReader()
  expect((await reader.read()).value).toHaveLength(300)
  expect(tabs[0]!.heard).toHaveLength(2)
  await reader.cancel()
})

test('a tab that fails in the middle', async () => {
  tabs = [new Tab('a', memo, 0)]
  await expect(bytes(await get())).rejects.toThrow('removed')
})

test('the tab that asked comes first; the others when it has nothing', async () => {
  tabs = [new Tab('b', { ...memo, name: 'b' }), new Tab('a', memo)]
  await get()
  expect(tabs[0]!.heard).toEqual([])
  tabs = [new Tab('c', null), new Tab('a', null), new Tab('b', { ...memo, name: 'b' })]
  expect((await get()).headers.get('Content-Disposition')).toContain("''b")
  tabs = [new Tab('c', memo), new Tab('a', null), new Tab('b', memo)]
  await get()
  // One of them is read; the other one does not hold it ready.
  await vi.waitFor(() => expect(tabs.filter(({ heard }) => heard.includes('release'))).toHaveLength(2))
  tabs = [new Tab('b', memo)]
  expect((await get({}, { clientId: '' })).status).toBe(200)
})

test('what is played slowly comes for as long as that takes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
  for (const all of [[new Tab('a', memo)], [new Tab('b', memo)]]) {
    tabs = all
    const found = get()
    await vi.advanceTimersByTimeAsync(0)
    const reader = (await found).body!.getReader()
    await vi.advanceTimersByTimeAsync(600_000)
    const parts = []
    for (let part; (part = await reader.read()).value; ) parts.push(part.value.length)
    expect([parts, vi.getTimerCount()]).toEqual([[300, 300, 300, 100], 0])
  }
})

test('the tab that asked may be slow to answer: it is there', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  class Busy extends Tab {
    override postMessage(message: unknown, ports: MessagePort[]): void {
      setTimeout(() => super.postMessage(message, ports), 10_000)
    }
  }
  tabs = [new Busy('a', memo), new Tab('b', null)]
  const found = get()
  await vi.advanceTimersByTimeAsync(1000)
  await vi.advanceTimersByTimeAsync(10_000)
  expect((await found).status).toBe(200)
})

test('404 when all say no', async () => {
  tabs = [new Tab('a', null), new Tab('b', null)]
  expect((await get()).status).toBe(404)
  tabs = []
  expect((await get()).status).toBe(404)
})

test('a tab that says nothing, and one that never finds it, are passed over', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  tabs = [new Tab('a', 'silent'), new Tab('b', 'looking'), new Tab('c', memo)]
  const found = get()
  await vi.advanceTimersByTimeAsync(1000)
  expect((await found).status).toBe(200)
  tabs = [new Tab('a', 'silent'), new Tab('b', 'looking')]
  const missing = get()
  await vi.advanceTimersByTimeAsync(1000)
  // The tab's "looking" comes as an event of its own, which fake time does not know.
  await new Promise((resolve) => setImmediate(resolve))
  await vi.advanceTimersByTimeAsync(60_000)
  expect((await missing).status).toBe(404)
  await vi.waitFor(() => expect(tabs.map(({ heard }) => heard.at(-1))).toEqual([expect.anything(), 'release']))
})

test('a tab that is closed while bytes are awaited', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  class Dying extends Tab {
    override postMessage(_message: unknown, [port]: MessagePort[]): void {
      port!.postMessage(memo)
      port!.onmessage = () => (tabs = [])
    }
  }
  tabs = [new Dying('a', memo)]
  const read = bytes(await get())
  const failed = expect(read).rejects.toThrow('closed')
  await vi.waitFor(() => expect(tabs).toEqual([]))
  await vi.advanceTimersByTimeAsync(5000)
  await failed
  expect(vi.getTimerCount()).toBe(0)
})

test('bytes are awaited for as long as the tab is there; who wants no more leaves no clock running', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  class Waiting extends Tab {
    override postMessage(_message: unknown, [port]: MessagePort[]): void {
      port!.postMessage(memo)
    }
  }
  tabs = [new Waiting('a', memo)]
  const reader = (await get()).body!.getReader()
  const reading = reader.read()
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1))
  await vi.advanceTimersByTimeAsync(600_000)
  expect(vi.getTimerCount()).toBe(1)
  await reader.cancel()
  expect((await reading).done).toBe(true)
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['text/html', 'evil.html'],
  ['image/svg+xml', 'evil.svg'],
  ['text/javascript', 'evil.js'],
  ['application/xhtml+xml', 'evil.xhtml'],
  ['audio/webm\r\nX: y', 'evil'],
  ['', 'no type'],
])('%s never runs', async (type, name) => {
  tabs = [new Tab('a', { ...memo, type, name })]
  const { headers } = await get()
  expect(headers.get('Content-Type')).toBe('binary/octet-stream')
  expect(headers.get('Content-Disposition')).toMatch(/^attachment;/)
  expect(headers.get('Content-Security-Policy')).toMatch(/^sandbox;/)
  expect(headers.get('X-Content-Type-Options')).toBe('nosniff')
})

test.each([
  'script', 'worker', 'sharedworker', 'serviceworker', 'style', 'iframe', 'frame', 'object', 'embed', 'font', 'xslt',
])('nothing for a %s, and no tab is asked', async (destination) => {
  expect((await get({}, { destination })).status).toBe(403)
  const path = `/~/download/${'0'.repeat(32)}/x.zip`
  expect((await get({}, { destination, path })).status).toBe(204)
  expect(tabs[0]!.heard).toEqual([])
})

test.each(['audio', 'video', 'image', 'track', 'document'])('for a %s', async (destination) => {
  expect((await get({}, { destination })).status).toBe(200)
})

test('names of all kinds', async () => {
  tabs = [new Tab('a', { ...memo, name: 'é "quoted"\r\n\ud800 (1).webm' })]
  expect((await get()).headers.get('Content-Disposition')).toBe(
    "inline; filename*=UTF-8''%C3%A9%20%22quoted%22%0D%0A%EF%BF%BD%20%281%29.webm",
  )
})

test('what is no file, and what is no reading', async () => {
  expect((await get({}, { path: '/~/nonsense' })).status).toBe(404)
  expect((await get({}, { path: `/~/${infoHash}/x/y` })).status).toBe(404)
  const response = await get({}, { method: 'POST' })
  expect([response.status, response.headers.get('Allow')]).toEqual([405, 'GET, HEAD'])
})

describe('a download that a page makes', () => {
  const id = '0'.repeat(32)
  const path = `/~/download/${id}/x.zip`
  const download = { name: 'Holiday.zip', type: '', size: data.length }

  test.each(['text/html', 'video/mp4'])('is saved, whatever it says that it is: %s', async (type) => {
    tabs = [new Tab('a', 'silent'), new Tab('b', { ...download, type })]
    const response = await get({}, { path, clientId: '' })
    expect(response.status).toBe(200)
    expect(response.headers.get('Content-Type')).toBe('binary/octet-stream')
    expect(response.headers.get('Content-Disposition')).toBe("attachment; filename*=UTF-8''Holiday.zip")
    expect(response.headers.get('Content-Length')).toBe('1000')
    expect(response.headers.get('Accept-Ranges')).toBeNull()
    expect(await bytes(response)).toEqual(data)
    expect(tabs.map(({ heard }) => heard[0])).toEqual(Array(2).fill({ type: 'starling:download', id }))
    await vi.waitFor(() => expect(tabs[1]!.heard.at(-1)).toBe('release'))
  })

  test('of nothing', async () => {
    tabs = [new Tab('a', { ...download, size: 0 })]
    const response = await get({}, { path })
    expect([response.status, (await bytes(response)).length]).toEqual([200, 0])
    await vi.waitFor(() => expect(tabs[0]!.heard.at(-1)).toBe('release'))
  })

  test('which nobody makes leaves the page where it is', async () => {
    tabs = []
    expect((await get({}, { path })).status).toBe(204)
  })
})
