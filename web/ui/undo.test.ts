import { expect, it, vi } from 'vitest'
import type { Toast } from './toasts.ts'
import { offerUndo } from './undo.ts'

it('can be undone for as long as it takes to hear of it, and to find the button by swiping', () => {
  const toasts: Toast[] = []
  const deleted = { ids: ['1'], restore: async () => undefined, purge: async () => undefined }
  offerUndo((toast) => toasts.push(toast), deleted, 'Memo deleted')
  // As WCAG 2.2.1 has it for what is to be answered in time.
  expect(toasts[0]!.time).toBeGreaterThanOrEqual(20_000)
})

it('what there was no room to bring back can be brought back for as long as it takes to make some', async () => {
  const toasts: Toast[] = []
  const restore = vi.fn(async () => {}).mockRejectedValueOnce(new DOMException('', 'QuotaExceededError'))
  const purge = vi.fn(async () => {})
  offerUndo((toast) => toasts.push(toast), { ids: ['1'], restore, purge }, 'Memo deleted')
  toasts[0]!.action!.run()
  await vi.waitUntil(() => toasts.length === 2)
  expect(toasts[1]).toMatchObject({ text: expect.stringContaining('Make some room') as string, time: Infinity, action: { label: 'Undo' } })
  toasts[1]!.action!.run()
  await vi.waitUntil(() => restore.mock.calls.length === 2)
  expect([toasts.length, purge.mock.calls.length]).toEqual([2, 0])
  toasts[1]!.closed!()
  expect(purge).toHaveBeenCalledTimes(1)
})
