import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseRange } from './range.ts'

const range = (start: number, end: number, open = false) => ({ start, end, open })

test.each([
  ['bytes=0-1', range(0, 2)],
  ['bytes=0-', range(0, 100, true)],
  ['bytes=99-', range(99, 100, true)],
  ['bytes=10-19', range(10, 20)],
  ['bytes=5-5', range(5, 6)],
  ['bytes=10-1000', range(10, 100)],
  ['bytes=-5', range(95, 100)],
  ['bytes=-500', range(0, 100)],
  [' Bytes = 1 - 2 ', range(1, 3)],
  ['bytes=5-6, 10-', range(5, 7)],
  ['bytes=0-9999999999999999999999999', range(0, 100)],
  ['bytes=100-', 'unsatisfiable'],
  ['bytes=100-200', 'unsatisfiable'],
  ['bytes=-0', 'unsatisfiable'],
  [null, undefined],
  ['', undefined],
  ['bytes=', undefined],
  ['bytes=-', undefined],
  ['bytes=2-1', undefined],
  ['bytes=1-2, x', undefined],
  ['bytes=1.5-2', undefined],
  ['items=0-1', undefined],
])('%s', (header, expected) => {
  expect(parseRange(header, 100)).toEqual(expected)
})

test('nothing of a file without bytes can be had', () => {
  expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable')
  expect(parseRange('bytes=-1', 0)).toBe('unsatisfiable')
})

test('whatever the header, the range lies within the file', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^bytes=[\d,\- ]{0,12}$/)), fc.nat(50), (header, size) => {
      const got = parseRange(header, size)
      if (typeof got !== 'object') return
      expect(got.start).toBeGreaterThanOrEqual(0)
      expect(got.start).toBeLessThan(got.end)
      expect(got.end).toBeLessThanOrEqual(size)
    }),
  )
})
