import { afterEach, beforeEach, expect, it, vi } from 'vitest'

let { asApp, fleeting, keptHere, told, untold } = await import('./lasting.ts')

/** As after a reload. */
const load = async (): Promise<void> => {
  vi.resetModules()
  ;({ asApp, fleeting, keptHere, told, untold } = await import('./lasting.ts'))
}

beforeEach(load)
afterEach(() => vi.unstubAllGlobals())

function browser(navigator: object, standalone = false): void {
  const kept = new Map<string, string>()
  vi.stubGlobal('navigator', navigator)
  vi.stubGlobal('matchMedia', () => ({ matches: standalone }))
  vi.stubGlobal('localStorage', { getItem: (key: string) => kept.get(key), setItem: (key: string, value: string) => kept.set(key, value) })
}

it.each([
  ['Chrome', { vendor: 'Google Inc.' }, false, false],
  ['Firefox', { vendor: '' }, false, false],
  ['Safari', { vendor: 'Apple Computer, Inc.' }, false, true],
  ['Safari, an app in the Dock', { vendor: 'Apple Computer, Inc.' }, true, false],
  ['iOS, an app on the Home Screen', { vendor: 'Apple Computer, Inc.', standalone: true }, false, false],
])('%s', (_, navigator, standalone, expected) => {
  browser(navigator, standalone)
  expect([fleeting(), untold(), keptHere('It is').includes('seven days')]).toEqual([expected, expected, expected])
})

it('is told until it was read, with what can be done on the device', async () => {
  browser({ vendor: 'Apple Computer, Inc.', maxTouchPoints: 5 })
  expect(asApp()).toContain('Home Screen')
  told()
  expect([untold(), fleeting()]).toEqual([false, true])
  await load()
  expect(untold()).toBe(false)
  browser({ vendor: 'Apple Computer, Inc.', maxTouchPoints: 0 })
  expect(asApp()).toContain('Dock')
})

it('that it was read is no error on a full device', () => {
  browser({ vendor: 'Apple Computer, Inc.' })
  vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => { throw new DOMException('The quota has been exceeded.', 'QuotaExceededError') } })
  expect(untold()).toBe(true)
  expect(told).not.toThrow()
  expect(untold()).toBe(false)
})

it('where nothing is kept, something else is said', () => {
  browser({ vendor: 'Apple Computer, Inc.' })
  vi.stubGlobal('localStorage', { getItem: () => { throw new DOMException('The operation is insecure.', 'SecurityError') } })
  expect(untold()).toBe(false)
})
