import { describe, expect, test } from 'vitest'
import { Budget, Limit } from './limit.ts'

describe('limit', () => {
  test('holds over any time, by a clock that is not its own', () => {
    const limit = new Limit(1000)
    let sent = 0
    for (let now = 0; now <= 10_000; now += 50) while (limit.take(300, now)) sent += 300
    // A second's worth to begin with, and one block of debt at most.
    expect(sent).toBeGreaterThanOrEqual(10_000)
    expect(sent).toBeLessThanOrEqual(1000 + 10_000 + 300)
  })

  test('what did not come about is given back, and no limit is none', () => {
    const limit = new Limit(100)
    expect(limit.take(200, 0)).toBe(true)
    expect(limit.take(1, 0)).toBe(false)
    limit.give(200)
    expect(limit.take(1, 0)).toBe(true)
    const none = new Limit()
    for (let i = 0; i < 100; i++) expect(none.take(1e9, 0)).toBe(true)
  })

  test('one piece that is larger than all memory passes alone', () => {
    const budget = new Budget(10)
    expect(budget.take(100)).toBe(true)
    expect(budget.take(1)).toBe(false)
    expect(budget.take(1, true)).toBe(true)
    budget.give(101)
    expect(budget.full).toBe(false)
    expect(budget.take(10)).toBe(true)
  })

  test('memory is taken up to its bound, and is full when half of it is', () => {
    const budget = new Budget(10)
    expect([budget.take(5), budget.full]).toEqual([true, false])
    expect([budget.take(6), budget.take(5), budget.take(1), budget.full]).toEqual([false, true, false, true])
    budget.give(4)
    expect([budget.full, budget.take(5), budget.take(4)]).toEqual([true, false, true])
  })
})
