// @ts-expect-error: it has no types
import oracle from 'bencode'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toBinary, utf8, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { bytesOf, decode, decodePrefix, dictOf, encode, listOf, sizeOf, textOf, type Value } from './bencode.ts'

const text = (value: Uint8Array): string => toBinary(value)
const ascii = (value: string): Bytes => utf8.encode(value)

describe('vectors of BEP 3', () => {
  test.each<[string, Parameters<typeof encode>[0]]>([
    ['4:spam', 'spam'],
    ['0:', ''],
    ['i3e', 3],
    ['i-3e', -3],
    ['i0e', 0],
    ['l4:spam4:eggse', ['spam', 'eggs']],
    ['le', []],
    ['d3:cow3:moo4:spam4:eggse', { cow: 'moo', spam: 'eggs' }],
    ['d4:spaml1:a1:bee', { spam: ['a', 'b'] }],
    ['de', {}],
  ])('%s', (wire, value) => {
    expect(text(encode(value))).toBe(wire)
    expect(text(encode(decode(ascii(wire))))).toBe(wire)
  })
})

test.each([
  ['nothing', ''], ['a number without digits', 'ie'], ['a leading zero', 'i03e'], ['minus zero', 'i-0e'],
  ['a plus', 'i+1e'],
  ['a fraction', 'i1.5e'], ['hex', 'i0x1e'], ['a space', 'i 1e'], ['a number without end', 'i12'],
  ['a number of many digits', `i${'9'.repeat(40)}e`], ['a length with a leading zero', '03:abc'],
  ['a negative length', '-1:a'], ['a string cut short', '5:abcd'], ['a length beyond everything', '99999999999999:a'],
  ['an open list', 'li1e'], ['an open dictionary', 'd1:ai1e'], ['a key without value', 'd1:ae'],
  ['a key that is no string', 'di1ei2ee'], ['a key twice', 'd1:ai1e1:ai2ee'],
  ['a key of great length', `d5000:${'k'.repeat(5000)}i1ee`],
  ['something behind it', 'i1ei2e'], ['depth', 'l'.repeat(70) + 'e'.repeat(70)],
  ['no end of depth', 'l'.repeat(1 << 20)],
  ['very many values', `l${'le'.repeat((1 << 20) + 1)}e`], ['an unknown letter', 'x'],
])('refused: %s', (_, wire) => {
  expect(() => decode(ascii(wire))).toThrow(StarlingError)
})

test('tolerated: keys out of order, as old programs write them', () => {
  expect([...dictOf(decode(ascii('d1:bi1e1:ai2ee')))!]).toEqual([['b', 1], ['a', 2]])
})

test('keys are bytes and sort as bytes', () => {
  const dict = new Map([['b', 1], ['\xff', 2], ['B', 3], ['', 4]] as const)
  expect(text(encode(dict))).toBe('d0:i4e1:Bi3e1:bi1e1:\xffi2ee')
})

test('__proto__ is a key like any other', () => {
  const dict = dictOf(decode(ascii('d9:__proto__d1:ai1eee')))!
  expect(dictOf(dict.get('__proto__'))!.get('a')).toBe(1)
  expect(dict.get('a')).toBeUndefined()
})

test('a prefix, and where the outermost values lie', () => {
  const wire = 'd4:infod4:infoi1ee1:zi2eerest'
  const spans: [string, string][] = []
  const [, length] = decodePrefix(ascii(wire), (key, start, end) => spans.push([key, wire.slice(start, end)]))
  expect(wire.slice(length)).toBe('rest')
  expect(spans).toEqual([['info', 'd4:infoi1ee'], ['z', 'i2e']])
})

test('accessors give nothing for what is something else', () => {
  const all: (Value | undefined)[] = [undefined, 1, -1, 1.5, 2 ** 60, ascii('a'), [1], new Map()]
  expect(all.map(sizeOf)).toEqual([undefined, 1, undefined, undefined, undefined, undefined, undefined, undefined])
  expect(all.map(textOf).filter((x) => x !== undefined)).toEqual(['a'])
  expect(all.map(bytesOf).filter((x) => x !== undefined)).toHaveLength(1)
  expect(all.map(dictOf).filter((x) => x !== undefined)).toHaveLength(1)
  expect(all.map(listOf).filter((x) => x.length)).toEqual([[1]])
})

test('numbers that are not safe are not written', () => {
  for (const number of [1.5, NaN, Infinity, 2 ** 53]) expect(() => encode(number)).toThrow(TypeError)
})

const tree = fc.letrec<{ value: Parameters<typeof encode>[0] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.maxSafeInteger(), fc.uint8Array(), fc.array(tie('value')),
    fc.dictionary(fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) }), tie('value'))
      .map((object) => new Map(Object.entries(object))),
  ),
})).value

test('round trips, and the same bytes as an independent implementation', () => {
  fc.assert(fc.property(tree, (value) => {
    const bytes = encode(value)
    expect(encode(decode(bytes))).toEqual(bytes)
    expect(decodePrefix(new Uint8Array([...bytes, 0x65]))[1]).toBe(bytes.length)
    expect(() => oracle.decode(bytes)).not.toThrow()
  }))
  fc.assert(fc.property(fc.dictionary(fc.stringMatching(/^[a-z]*$/), fc.oneof(fc.string(), fc.integer())), (value) => {
    expect(encode(value)).toEqual(new Uint8Array(oracle.encode(value)))
  }))
})

test('any bytes give a value or a StarlingError', () => {
  const soup = fc.array(fc.constantFrom('d', 'l', 'i', 'e', '1:a', '2:', '0', '-', '9:', '4:spam'), { maxLength: 60 })
    .map((parts) => ascii(parts.join('')))
  fc.assert(fc.property(fc.oneof(soup, fc.uint8Array({ maxLength: 200 })), (bytes) => {
    try {
      decode(new Uint8Array(bytes))
    } catch (error) {
      expect(error).toBeInstanceOf(StarlingError)
    }
  }), { numRuns: 2000 })
})
