import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { serveRanges } from './serve.ts'

const infoHash = 'c'.repeat(40)

/** What of navigator.serviceWorker a page uses, with a worker that greets back or not. */
class Container extends EventTarget {
  controller: unknown
  ready: Promise<unknown> = new Promise(() => undefined)
  registration: unknown
  greeted = 0

  async getRegistration(): Promise<unknown> {
    return this.registration
  }

  worker(answers: boolean, claim = () => undefined as unknown) {
    return {
      postMessage: (message: unknown, [port]: MessagePort[]) => {
        expect(message).toEqual({ type: 'starling:hello' })
        this.greeted++
        claim()
        if (answers) port!.postMessage('yes')
      },
    }
  }
}

let container: Container
let fileURL: typeof import('./url.ts').fileURL
beforeEach(async () => {
  vi.resetModules()
  ;({ fileURL } = await import('./url.ts'))
  container = new Container()
  vi.stubGlobal('navigator', { serviceWorker: container })
  vi.stubGlobal('location', { origin: 'https://starling.test' })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const url = `https://starling.test/~/${infoHash}/3/a%20b.webm`

test('a path of this origin, when our service worker is in charge; asked once', async () => {
  container.controller = container.worker(true)
  expect(await Promise.all([fileURL(infoHash, 3, 'a b.webm'), fileURL(infoHash, 3, 'a b.webm')])).toEqual([url, url])
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBe(url)
  expect(container.greeted).toBe(1)
})

test('of its page\'s origin in a frame made of text, whose address has none', async () => {
  vi.stubGlobal('location', { href: 'about:srcdoc', origin: 'null' })
  vi.stubGlobal('origin', 'https://starling.test')
  container.controller = container.worker(true)
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBe(url)
})

test('waits for a first one to take charge', async () => {
  container.registration = {}
  container.ready = Promise.resolve({
    active: container.worker(true, () => {
      setImmediate(() => {
        container.controller = {}
        container.dispatchEvent(new Event('controllerchange'))
      })
    }),
  })
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBe(url)
})

test('none: undefined at once, until there is one', async () => {
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBeUndefined()
  container.controller = container.worker(true)
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBe(url)
})

test('one that does not come: undefined after a while', async () => {
  container.registration = {}
  const got = fileURL(infoHash, 3, 'a b.webm')
  await vi.advanceTimersByTimeAsync(5000)
  expect(await got).toBeUndefined()
})

test('where the browser does not tell', async () => {
  container.getRegistration = () => Promise.reject(new Error('SecurityError'))
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBeUndefined()
})

test("somebody else's, which is not waited for again", async () => {
  container.controller = container.worker(false)
  const got = fileURL(infoHash, 3, 'a b.webm')
  await vi.advanceTimersByTimeAsync(3000)
  expect(await got).toBeUndefined()
  expect(await Promise.race([fileURL(infoHash, 4, 'b.webm'), new Promise((resolve) => setImmediate(resolve, 'waits'))])).toBeUndefined()
  expect(container.greeted).toBe(1)
  // Until another one takes its place.
  container.controller = container.worker(true)
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBe(url)
})

test('one that a busy browser starts late is ours from then on', async () => {
  const ports: MessagePort[] = []
  container.controller = {
    postMessage(_: unknown, [port]: MessagePort[]) {
      if (ports.push(port!) > 1) port!.postMessage('yes')
    },
  }
  const got = fileURL(infoHash, 3, 'a b.webm')
  await vi.advanceTimersByTimeAsync(3000)
  expect(await got).toBeUndefined()
  ports[0]!.postMessage('yes')
  await vi.waitUntil(async () => (await fileURL(infoHash, 3, 'a b.webm')) === url)
})

test('no service workers here', async () => {
  vi.stubGlobal('navigator', {})
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBeUndefined()
})

test('none in a sandboxed frame, which must not look in Chromium', async () => {
  const sandboxed = {
    get serviceWorker(): never {
      throw new DOMException("It lacks the 'allow-same-origin' flag.", 'SecurityError')
    },
  }
  vi.stubGlobal('navigator', sandboxed)
  expect(await fileURL(infoHash, 3, 'a b.webm')).toBeUndefined()
  serveRanges(async () => undefined)()
})
