import { expect, test } from 'vitest'
import { Speed } from './speed.ts'

test('speed follows what comes, and fades', () => {
  const speed = new Speed()
  expect(speed.at(0)).toBe(0)
  for (let now = 0; now <= 2000; now += 10) speed.add(1000, now)
  expect(speed.at(2000)).toBeGreaterThan(90_000)
  expect(speed.at(2000)).toBeLessThan(110_000)
  expect(speed.at(60_000)).toBe(0)
})
