import { resolveObjectURL } from 'node:buffer'
import { afterEach, expect, test, vi, type Mock } from 'vitest'
import type { Carrier } from './carrier.ts'

vi.stubGlobal('starlingEdge', { keep: 1000 })
vi.stubGlobal('navigator', {})
const page = new EventTarget()
vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
vi.useFakeTimers({ toFake: ['setTimeout'] })

afterEach(() => void vi.clearAllTimers())

const pressed = { href: 'https://site.test/a.zip', download: '' } as HTMLAnchorElement

/** What the browser is told to save of an asset that peers have, and when. */
function saving(size: number, comes: Promise<unknown> = Promise.resolve()): { href: string; download: string; click: Mock; press: () => Promise<void> } {
  const link = { href: '', download: '', click: vi.fn() }
  vi.stubGlobal('document', { baseURI: 'https://site.test/', createElement: () => link })
  const get = async () => {
    await comes
    return new Blob(['data'])
  }
  const carrier = { asset: async () => ({ size }), crowded: () => true, get } as unknown as Carrier
  return Object.assign(link, { press: async () => (await import('./download.ts')).download(Promise.resolve({ carrier }), pressed, '/a.zip') })
}

async function saved(size: number): Promise<string> {
  const link = saving(size)
  await link.press()
  expect(link.click).toHaveBeenCalledOnce()
  expect(link.download).toBe('a.zip')
  return link.href
}

test('what is larger than all that is kept the browser fetches by itself', async () => {
  expect(await saved(1001)).toBe('https://site.test/a.zip')
  expect(await saved(1000)).toMatch(/^blob:/)
})

test('within an app on Android, which saves no blobs, the browser fetches it by itself', async () => {
  vi.stubGlobal('navigator', { userAgent: 'Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36' })
  expect(await saved(4)).toBe('https://site.test/a.zip')
  vi.stubGlobal('navigator', { userAgent: 'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36' })
  expect(await saved(4)).toMatch(/^blob:/)
})

test('what peers gave is let go once the browser has it', async () => {
  const url = await saved(4)
  expect(resolveObjectURL(url)).toBeDefined()
  vi.advanceTimersByTime(60_000)
  expect(resolveObjectURL(url)).toBeUndefined()
})

test('while it comes, who leaves is asked, and who presses again does not save it twice', async () => {
  let come!: () => void
  const link = saving(4, new Promise<void>((resolve) => (come = resolve)))
  const asked = () => !page.dispatchEvent(new Event('beforeunload', { cancelable: true }))
  expect(asked()).toBe(false)
  const both = [link.press(), link.press()]
  await vi.waitUntil(asked)
  come()
  await Promise.all(both)
  expect(link.click).toHaveBeenCalledOnce()
  expect(asked()).toBe(false)
})
