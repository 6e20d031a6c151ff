import { afterEach, expect, it, vi } from 'vitest'
import { persist } from './persist.ts'

const day = 86_400_000

/** Asks on those days, of a browser that says yes the n-th time; returns the days on which it was asked. */
async function asked(days: number[], yes = Infinity): Promise<number[]> {
  const marks = new Map<string, string>()
  const on: number[] = []
  let today = 0
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => marks.get(key) ?? null,
    setItem: (key: string, value: string) => void marks.set(key, value),
  })
  const storage = { persisted: async () => on.length >= yes, persist: async () => on.push(today) >= yes }
  vi.stubGlobal('navigator', { storage })
  for (today of days) await persist(20_000 * day + today * day)
  return on
}

afterEach(() => void vi.unstubAllGlobals())

it('is asked for when there is something, again when it was not granted, and not every day', async () => {
  expect(await asked([0, 0, 1, 6, 8, 9, 16])).toEqual([0, 8, 16])
})

it('is not asked for when it was granted', async () => {
  expect(await asked([0, 8, 16], 2)).toEqual([0, 8])
})

it('is done without where the browser keeps nothing', async () => {
  vi.stubGlobal('localStorage', undefined)
  await persist()
})
