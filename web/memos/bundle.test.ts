import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bundleType, makeBundle, parseBundle, partOf } from './bundle.ts'
import { infoHashOf } from '../ui/fetching.ts'

const link = (digit: string) => `${digit.repeat(40)}.${'k'.repeat(22)}`

it('carries links to memos, each once', async () => {
  const file = makeBundle([link('a'), link('b'), link('a'), 'c'.repeat(40)])
  expect(file.type).toBe(bundleType)
  expect(parseBundle(await file.text())).toEqual([link('a'), link('b'), 'c'.repeat(40)])
  expect(partOf(`https://host/m#${link('a')}`)).toBe(link('a'))
})

it('takes nothing from a stranger that is not a link, and not too many', () => {
  expect(parseBundle('{"links":["javascript:alert(1)", 7, null, "https://evil/m#x", {}]}')).toEqual([])
  expect(['', 'null', '[]', '{}', '{"links":{}}', '{"links":"x"}', '{'].flatMap(parseBundle)).toEqual([])
  const many = Array.from({ length: 3000 }, (_, i) => i.toString(16).padStart(40, '0'))
  expect(parseBundle(JSON.stringify({ links: many })).length).toBe(1000)
  fc.assert(fc.property(fc.json(), (text) => parseBundle(text).length === 0))
})

it('is refused where not all would be taken', () => {
  const many = (count: number, more = '') => Array.from({ length: count }, (_, i) => i.toString(16).padStart(40, '0') + more)
  expect(makeBundle(many(1000, `.${'k'.repeat(22)}`)).size).toBeGreaterThan(0)
  const tooLarge = expect.objectContaining({ code: 'too-large' }) as Error
  expect(() => makeBundle(many(1001))).toThrow(tooLarge)
  expect(() => makeBundle(many(500, `&ws=${'x'.repeat(1000)}`))).toThrow(tooLarge)
})

it('carries where else a memo is to be found, as far as that is not too much to ask', () => {
  const tr = (n: number) => `&tr=${encodeURIComponent(`wss://${n}.example/announce?a=(b)`)}`
  const parsed = (links: string[]) => parseBundle(JSON.stringify({ links }))
  const one = `${link('a')}${tr(1)}&ws=https%3A%2F%2Fseed.example%2Fa.webm`
  expect(parsed([one])).toEqual([one])
  expect(parsed([`${link('a')}&tr=wss://x`, `${link('a')}&x=y`, `${link('a')}&tr=`, `${link('a')}&`])).toEqual([])
  const many = Array.from({ length: 100 }, (_, i) => i.toString(16).padStart(40, '0') + tr(i) + tr(0))
  const named = new Set(parsed(many).flatMap((text) => text.split('&').slice(1)))
  expect([parsed(many).length, named.size]).toEqual([100, 32])
})

it('knows a link’s infohash in each of its shapes', () => {
  const hash = 'AB'.repeat(20)
  for (const text of [
    hash,
    `#${hash}`,
    `https://host/m#${hash}.${'k'.repeat(22)}`,
    `magnet:?xt=urn:btih:${hash}&dn=x`,
  ]) {
    expect(infoHashOf(text)).toBe(hash.toLowerCase())
  }
  expect([`magnet:?xt=urn:btih:${'A'.repeat(32)}`, '#abc', `#${hash}ff`, ''].map(infoHashOf)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})
