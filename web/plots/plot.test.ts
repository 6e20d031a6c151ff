import { expect, it } from 'vitest'
import { bytes } from './plot.ts'

it('tells sizes', () => {
  expect([0, 999, 1000, 9_960, 99_600, 999_600, 1_234_567, 2e15].map(bytes)).toEqual(
    ['0 B', '999 B', '1.0 kB', '10 kB', '100 kB', '1.0 MB', '1.2 MB', '2000 TB'])
})
