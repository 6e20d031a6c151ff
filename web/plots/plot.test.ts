import { expect, it } from 'vitest'
import { bytes, holding } from './plot.ts'

it('tells sizes', () => {
  expect([0, 999, 1000, 9_960, 99_600, 999_600, 1_234_567, 2e15].map(bytes)).toEqual(
    ['0 B', '999 B', '1.0 kB', '10 kB', '100 kB', '1.0 MB', '1.2 MB', '2000 TB'])
})

it('finds again what was looked at when time has gone on', () => {
  const buckets = [120, 180, 240].map((at) => ({ at }))
  expect([60, 120, 180, 200, 240, 900].map((at) => holding(buckets, at))).toEqual([0, 0, 1, 1, 2, 2])
})
