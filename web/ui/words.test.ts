import { expect, it } from 'vitest'
import { ago, bytes, clock, mentioned, quoted } from './words.ts'

it('tells times', () => {
  const now = Date.UTC(2025, 0, 1)
  expect(ago(now - 20_000, now)).toBe('Just now')
  expect(ago(now - 61_000, now)).toBe('1 minute ago')
  expect(ago(now - 25 * 3600e3, now)).toBe('1 day ago')
  expect(ago(now - 40 * 864e5, now)).toBe('1 month ago')
  expect(ago(now + 2 * 3600e3, now)).toBe('Just now')
})

it('tells lengths of time', () => {
  const all = [0, 59.9, 63, 600, 3599, 3723, 36_000, -1, NaN, Infinity]
  expect(all.map(clock)).toEqual(['0:00', '0:59', '1:03', '10:00', '59:59', '1:02:03', '10:00:00', '0:00', '0:00', '0:00'])
})

it('mentions long names by both of their ends', () => {
  expect(mentioned('notes.txt')).toBe('notes.txt')
  expect(mentioned(`${'n'.repeat(251)}.txt`)).toBe(`${'n'.repeat(40)}…${'n'.repeat(12)}.txt`)
  expect(mentioned('🐦'.repeat(61))).toBe(`${'🐦'.repeat(40)}…${'🐦'.repeat(16)}`)
})

it('lets a name among other words keep its own direction', () => {
  // Where words run from left to right, the mark at its end would stand at its beginning.
  expect(quoted('מה?')).toBe('“\u2068מה?\u2069”')
})

it('tells sizes', () => {
  expect([0, 1, 5.3, 999, 999.7, 1000, 51_234, 999_499, 999_500, 1_234_567, 999_999_999, 2.5e12, 2.5e15].map(bytes)).toEqual([
    '0 bytes',
    '1 byte',
    '5 bytes',
    '999 bytes',
    '1 kB',
    '1 kB',
    '51 kB',
    '999 kB',
    '1 MB',
    '1.2 MB',
    '1 GB',
    '2.5 TB',
    '2,500 TB',
  ])
})
