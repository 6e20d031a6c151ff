import { afterEach, expect, it, vi } from 'vitest'
import { hidden, hiddenHere, hide } from './hiding.ts'

afterEach(() => {
  hide(false)
  vi.unstubAllGlobals()
})

function storage(setItem: (key: string, value: string) => void): void {
  const kept = new Map<string, string>()
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => (setItem(key, value), kept.set(key, value)),
    removeItem: (key: string) => kept.delete(key),
  })
}

it('holds in all tabs once it is noted down', () => {
  storage(() => {})
  hide(true)
  expect([hidden(), hiddenHere()]).toEqual([true, false])
  hide(false)
  expect([hidden(), hiddenHere()]).toEqual([false, false])
})

it('holds here alone where it cannot be noted down, as on a full device', () => {
  storage(() => {
    throw new DOMException('full', 'QuotaExceededError')
  })
  hide(true)
  expect([hidden(), hiddenHere()]).toEqual([true, true])
  hide(false)
  expect([hidden(), hiddenHere()]).toEqual([false, false])
})
