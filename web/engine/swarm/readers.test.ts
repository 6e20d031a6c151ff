import { describe, expect, test } from 'vitest'
import { StarlingError } from '../errors.ts'
import { Bitfield } from '../wire/bitfield.ts'
import { Readers } from './readers.ts'

describe('readers', () => {
  test('windows follow whoever read last, and waits end when all is here', async () => {
    const had = new Bitfield(1000)
    const readers = new Readers(1 << 20, had)
    readers.place('one', 5 << 20, 500 << 20)
    readers.place('two', 990 << 20, 1000 << 20)
    expect(readers.windows).toEqual([{ from: 990, to: 998 }, { from: 5, to: 13 }])
    const waiting = readers.wait('one', 5 << 20, (6 << 20) + 1)
    had.set(5)
    readers.check()
    expect(readers.reach(5 << 20, 500 << 20)).toBe(6 << 20)
    had.set(6)
    readers.check()
    await waiting
    expect(readers.reach(5 << 20, (6 << 20) + 9)).toBe((6 << 20) + 9)
    const lost = readers.wait('one', 0, 1)
    readers.release('one')
    await expect(lost).rejects.toMatchObject({ code: 'aborted' })
    expect(readers.windows).toHaveLength(1)
    readers.place('three', 0, 1 << 20)
    readers.place('two', 0, 1 << 20)
    readers.place('three', 7 << 20, 8 << 20)
    expect(readers.windows).toEqual([{ from: 7, to: 8 }, { from: 0, to: 1 }])
    readers.place('two', 0, 1 << 20)
    expect(readers.windows).toEqual([{ from: 0, to: 1 }, { from: 7, to: 8 }])
  })

  const outcome = (promise: Promise<void>): { is: string } => {
    const state = { is: 'waiting' }
    promise.then(() => (state.is = 'here'), (error: { code: string }) => (state.is = error.code))
    return state
  }
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  test('who stops leaves the others waiting, and all of them hear why nothing more comes', async () => {
    const had = new Bitfield(10)
    const readers = new Readers(100, had)
    for (const name of ['one', 'two', 'three']) readers.place(name, 0, 1000)
    const waits = ['one', 'two', 'three'].map((name, i) => outcome(readers.wait(name, i * 100, i * 100 + 1)))
    readers.release('one')
    had.set(1)
    readers.check()
    await settle()
    expect(waits.map(({ is }) => is)).toEqual(['aborted', 'here', 'waiting'])
    expect([0, 1, 2, 3].map((index) => readers.waits(index))).toEqual([false, false, true, false])
    readers.fail(new StarlingError('storage', 'gone'))
    expect([readers.any, readers.waits(2)]).toEqual([false, false])
    await expect(readers.wait('four', 900, 901)).rejects.toMatchObject({ code: 'storage' })
    await readers.wait('four', 100, 101)
    expect(waits.map(({ is }) => is)).toEqual(['aborted', 'here', 'storage'])
  })

  test('what can be read may not be in the store yet', async () => {
    const had = new Bitfield(10)
    const fresh = new Bitfield(10)
    const readers = new Readers(100, had, fresh)
    const [read, stored] = [outcome(readers.wait('one', 100, 300)), outcome(readers.wait('two', 300, 400, true))]
    expect([0, 1, 2, 3].map((index) => readers.waits(index))).toEqual([false, true, true, false])
    for (const index of [1, 2, 3]) fresh.set(index)
    readers.check()
    await settle()
    expect([read.is, stored.is]).toEqual(['here', 'waiting'])
    expect([readers.reach(100, 1000), readers.reach(100, 350), readers.reach(0, 1000)]).toEqual([400, 350, 0])
    had.set(3)
    readers.check()
    await settle()
    expect(stored.is).toBe('here')
  })

  test('of many that never say that they are done the oldest are forgotten, but none that waits', () => {
    const readers = new Readers(100, new Bitfield(1000))
    readers.place('waits', 0, 100)
    void readers.wait('waits', 0, 100)
    for (let i = 1; i < 200; i++) readers.place(`${i}`, i * 100, i * 100 + 100)
    const from = readers.windows.map((window) => window.from)
    expect(from).toEqual([...Array.from({ length: 63 }, (_, i) => 199 - i), 0])
  })
})
