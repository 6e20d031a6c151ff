import { describe, expect, test } from 'vitest'
import { concat } from '../bytes.ts'
import { Blame } from './blame.ts'
import { unit, type Piece } from './picker.ts'
import { noise } from './testing.ts'

describe('blame', () => {
  const good = noise(3 * unit)
  const bad = good.map((byte) => byte ^ 1)
  /** A piece whose units came from these; those in capitals sent something else. */
  const piece = (from: string, index = 0): Piece<string> => ({
    index, from: [...from.toLowerCase()],
    data: concat([...from].map((who, u) => (who === who.toLowerCase() ? good : bad).subarray(u * unit, (u + 1) * unit))),
  }) as Piece<string>

  test('who sent all of a wrong piece is, at once', async () => {
    expect(await new Blame<string>().wrong(piece('AAA'))).toEqual(['a'])
    expect(await new Blame<string>().wrong(piece('AAb'))).toEqual([])
  })

  test('of several only who sent what was wrong, when the right piece is here, and once', async () => {
    const blame = new Blame<string>()
    expect(await blame.wrong(piece('aBc'))).toEqual([])
    expect(await blame.wrong(piece('Dbc'))).toEqual([])
    expect(await blame.right(piece('ccc', 1))).toEqual([])
    expect(await blame.right(piece('ccc'))).toEqual(['b', 'd'])
    expect(await blame.right(piece('ccc'))).toEqual([])
  })

  test('for so many pieces and failures at most, and for others when those are right', async () => {
    const blame = new Blame<string>()
    for (let i = 0; i < 6; i++) await blame.wrong(piece('aBc'))
    expect(await blame.right(piece('ccc'))).toHaveLength(4)
    for (let index = 0; index < 65; index++) await blame.wrong(piece('aBc', index))
    expect(await blame.right(piece('ccc', 64))).toEqual([])
    expect(await blame.right(piece('ccc', 63))).toEqual(['b'])
    await blame.wrong(piece('abE', 64))
    expect(await blame.right(piece('ccc', 64))).toEqual(['e'])
  })
})
