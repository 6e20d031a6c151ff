import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Precache } from './precache.ts'

const revision = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16)
const server = new Map<string, string>()
const stored = new Map<string, Map<string, Response>>()
let fetched: [string, string | undefined][] = []
/** What the network leads to another page. */
let elsewhere = ''

beforeEach(() => {
  server.clear()
  stored.clear()
  fetched = []
  elsewhere = ''
  vi.stubGlobal('fetch', async (path: string, options?: RequestInit) => {
    fetched.push([path, options?.cache])
    const text = server.get(path)
    const response = text === undefined ? new Response('', { status: 404 }) : new Response(text)
    return path === elsewhere ? Object.defineProperty(response, 'redirected', { value: true }) : response
  })
  vi.stubGlobal('caches', {
    async open(name: string) {
      const files = stored.get(name) ?? new Map<string, Response>()
      stored.set(name, files)
      return {
        put: async (path: string, response: Response) => files.set(path, response),
        match: async (path: string) => files.get(path)?.clone(),
      }
    },
    keys: async () => [...stored.keys()],
    delete: async (name: string) => stored.delete(name),
    match: async (path: string) => [...stored.values()].find((files) => files.has(path))?.get(path)?.clone(),
  })
})
afterEach(() => vi.unstubAllGlobals())

test('keeps the files of its version, and those of an older one for as long as they are needed', async () => {
  server.set('/', 'one').set('/assets/x-1.js', 'x')
  const one = new Precache('1', [['/', revision('one')], ['/assets/x-1.js', '']])
  await one.install()
  expect(await one.tidy(0)).toBe(false)
  expect(fetched).toEqual([['/', 'reload'], ['/assets/x-1.js', 'default']])
  server.set('/', 'two')
  expect(await (await one.answer('/', new Request('http://starling.test/memos'))).text()).toBe('one')

  stored.set('of the app', new Map())
  const two = new Precache('2', [['/', revision('two')]])
  await two.install()
  expect(await two.tidy(1)).toBe(true)
  expect(await (await two.answerOld('/assets/x-1.js', new Request('http://starling.test/assets/x-1.js'))).text()).toBe('x')
  expect(await two.tidy(0)).toBe(true)
  expect([...stored.keys()]).toEqual(['of the app', 'starling-2'])
  expect(two.has('/')).toBe(true)
  expect(two.has('/announce')).toBe(false)
})

test('those of the latest of several older versions are the ones that stay', async () => {
  for (const version of ['1', '2', '3', '4']) {
    server.set('/', version)
    await new Precache(version, [['/', revision(version)]]).install()
  }
  expect(await new Precache('4', []).tidy(2)).toBe(true)
  expect([...stored.keys()]).toEqual(['starling-2', 'starling-3', 'starling-4'])
})

test('a later version that waits, or is being installed, keeps its files', async () => {
  for (const version of ['1', '2', '3']) {
    server.set('/', version)
    await new Precache(version, [['/', revision(version)]]).install()
  }
  expect(await new Precache('2', []).tidy(0)).toBe(true)
  expect([...stored.keys()]).toEqual(['starling-2', 'starling-3'])
})

test('a version that the server has gone back to is the latest again', async () => {
  for (const version of ['1', '2', '1']) {
    server.set('/', version)
    await new Precache(version, [['/', revision(version)]]).install()
  }
  expect(await new Precache('1', []).tidy(0)).toBe(true)
  expect([...stored.keys()]).toEqual(['starling-1'])
})

test('one whose files the browser threw away leaves those of others, of which it cannot tell which are older', async () => {
  for (const version of ['1', '2']) stored.set(`starling-${version}`, new Map())
  expect(await new Precache('3', []).tidy(0)).toBe(false)
  expect([...stored.keys()]).toEqual(['starling-1', 'starling-2'])
})

test.each([
  ['one is missing', () => server.delete('/b')],
  ['one is of another version', () => server.set('/b', 'newer')],
  ['one whose name tells its version is missing', () => server.delete('/assets/c-1.js')],
  ['one is a page to log in at', () => (elsewhere = '/assets/c-1.js')],
])('all or nothing: %s', async (_, change) => {
  server.set('/', 'a').set('/b', 'b').set('/assets/c-1.js', 'c')
  change()
  const precache = new Precache('1', [['/', revision('a')], ['/b', revision('b')], ['/assets/c-1.js', '']])
  await expect(precache.install()).rejects.toThrow(/^\/(b|assets\/c-1\.js) is not what was built/)
  expect(stored.size).toBe(0)
})

test('asks the network where the browser threw the cache away', async () => {
  server.set('/', 'a')
  const precache = new Precache('1', [['/', revision('a')]])
  await precache.install()
  stored.clear()
  expect(await (await precache.answer('/', '/' as unknown as Request)).text()).toBe('a')
  // The page is a newer one than this, then.
  server.set('/assets/x-2.js', 'x')
  expect(await (await precache.answerOld('/assets/x-2.js', '/assets/x-2.js' as unknown as Request)).text()).toBe('x')
})
