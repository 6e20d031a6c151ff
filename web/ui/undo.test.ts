import { expect, it } from 'vitest'
import type { Toast } from './toasts.ts'
import { offerUndo } from './undo.ts'

it('can be undone for as long as it takes to hear of it, and to find the button by swiping', () => {
  const toasts: Toast[] = []
  const deleted = { ids: ['1'], restore: async () => undefined, purge: async () => undefined }
  offerUndo((toast) => toasts.push(toast), deleted, 'Memo deleted')
  // As WCAG 2.2.1 has it for what is to be answered in time.
  expect(toasts[0]!.time).toBeGreaterThanOrEqual(20_000)
})
