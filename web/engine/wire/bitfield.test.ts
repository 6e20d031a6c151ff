import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Bitfield } from './bitfield.ts'

describe('bitfield', () => {
  test('counts, and refuses what BEP 3 forbids', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(39)), (size, sets) => {
        const bits = new Bitfield(size)
        const wanted = new Set(sets.filter((i) => i < size))
        for (const i of wanted) expect(bits.set(i)).toBe(true)
        for (const i of wanted) expect(bits.set(i)).toBe(false)
        const copy = new Bitfield(size, bits.bytes)
        expect(copy.count).toBe(wanted.size)
        for (let i = 0; i < size; i++) expect(copy.has(i)).toBe(wanted.has(i))
        copy.fill()
        expect(copy.full).toBe(true)
        expect(new Bitfield(size, copy.bytes).count).toBe(size)
        copy.unset(size - 1)
        expect(copy.count).toBe(size - 1)
      }),
    )
    expect(() => new Bitfield(9, new Uint8Array(1))).toThrow(RangeError)
    expect(() => new Bitfield(9, new Uint8Array([0, 1]))).toThrow(RangeError)
  })
})
