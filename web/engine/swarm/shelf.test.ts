import { describe, expect, test } from 'vitest'
import { Shelf } from './shelf.ts'

describe('shelf', () => {
  const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  test('loads once, tells all who wait, and forgets what was used longest ago', async () => {
    const shelf = new Shelf(20)
    const loads: string[] = []
    let told = 0
    const get = (name: string) =>
      shelf.get(name, async () => (loads.push(name), new Uint8Array(10)), () => told++)
    expect(get('a')).toBeUndefined()
    expect(shelf.get('a', async () => new Uint8Array(), () => told++)).toBeUndefined()
    await tick()
    expect([loads, told]).toEqual([['a'], 2])
    expect(get('a')).toHaveLength(10)
    get('b')
    await tick()
    get('a')
    get('c')
    await tick()
    expect([get('a'), get('c')].map((data) => data?.length)).toEqual([10, 10])
    get('b')
    await tick()
    expect(loads).toEqual(['a', 'b', 'c', 'b'])
  })

  test('what could not be read is tried again', async () => {
    const shelf = new Shelf(20)
    let told = 0
    shelf.get('a', () => Promise.reject(new Error('no')), () => told++)
    await tick()
    expect(told).toBe(1)
    shelf.get('a', async () => new Uint8Array(1))
    await tick()
    expect(shelf.get('a', () => Promise.reject(new Error('no')))).toHaveLength(1)
  })
})
