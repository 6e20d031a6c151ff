import { afterEach, expect, test, vi } from 'vitest'
import { bySheet, handOver } from './save.ts'
import type { Toast } from './toasts.ts'
import { quoted } from './words.ts'

afterEach(() => vi.unstubAllGlobals())

const canShare = () => true

test.each([
  ['an app on the Home Screen', { standalone: true, canShare }, 1e6, true],
  ['more than a page has room for', { standalone: true, canShare }, 1e9, false],
  ['a tab in Safari', { standalone: false, canShare }, 1e6, false],
  ['another browser', { canShare }, 1e6, false],
  ['a device that shares no files', { standalone: true, canShare: () => false }, 1e6, false],
  ['a device that shares nothing', { standalone: true }, 1e6, false],
])('%s', (_, navigator, size, expected) => {
  vi.stubGlobal('navigator', navigator)
  expect(bySheet(size)).toBe(expected)
})

const plan = new File(['first the one'], 'Plan.txt')

function sheet(...refused: string[]) {
  const share = vi.fn(async (_: ShareData) => {
    const name = refused.shift()
    if (name) throw new DOMException('', name)
  })
  vi.stubGlobal('navigator', { share })
  const toasts: Toast[] = []
  return { share, toasts, done: handOver(plan, (toast) => void toasts.push(toast)) }
}

test.each([[], ['AbortError'], ['InvalidStateError']])('is handed over, or not as was wished: %s', async (...refused) => {
  const { share, toasts, done } = sheet(...refused)
  await done
  expect(share.mock.calls).toEqual([[{ files: [plan] }]])
  expect(toasts).toEqual([])
})

test('pressed too long ago: another press hands it over', async () => {
  const { share, toasts, done } = sheet('NotAllowedError')
  await done
  expect(toasts).toMatchObject([{ text: `${quoted('Plan.txt')} is ready.`, time: Infinity, action: { label: 'Save' } }])
  toasts[0]!.action!.run()
  expect(share.mock.calls[1]).toEqual([{ files: [plan] }])
  expect(toasts).toHaveLength(1)
})

test('what else went wrong is the caller’s', async () => {
  await expect(sheet('DataError').done).rejects.toThrow(DOMException)
})
