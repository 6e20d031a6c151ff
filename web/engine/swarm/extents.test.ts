import { expect, test } from 'vitest'
import { Extents } from './extents.ts'

test('how much of each file is here', () => {
  const files = [5, 0, 10, 3].map((size, i, all) => {
    const offset = all.slice(0, i).reduce((sum, one) => sum + one, 0)
    return { name: `${i}`, path: `${i}`, type: '', size, offset }
  })
  const extents = new Extents(files, (start, end) => [start, end])
  extents.add(4, 8)
  expect(extents.states.map(({ progress }) => progress)).toEqual([1 / 5, 1, 3 / 10, 0])
  extents.add(0, 4)
  extents.add(8, 18)
  expect(extents.states.map(({ progress }) => progress)).toEqual([1, 1, 1, 1])
})
