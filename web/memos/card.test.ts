import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cleanDescription, makeCard, readCard } from './card.ts'
import type { Memo } from './memo.ts'
import { decodePeaks, encodePeaks, peakByte, peaksOf, pool } from './peaks.ts'

const memo: Memo = {
  id: 'x',
  title: 'Wren',
  description: 'two\nlines',
  created: 1_700_000_000_000,
  duration: 12.3456,
  type: 'audio/webm',
  size: 5,
  peaks: Uint8Array.from({ length: 1000 }, (_, i) => i % 256),
}

describe('a memo’s card', () => {
  it('carries title, description, date, duration and peaks', () => {
    const card = JSON.parse(JSON.stringify(makeCard(memo)))
    expect(readCard(card)).toEqual({
      title: 'Wren',
      description: 'two\nlines',
      created: memo.created,
      duration: 12.346,
      peaks: memo.peaks,
    })
  })

  it('fits into 32 KiB whatever was written', () => {
    const longest = { ...memo, title: '\u{1f426}'.repeat(200), description: '\u4e16'.repeat(5000) }
    expect(new TextEncoder().encode(JSON.stringify(makeCard(longest))).length).toBeLessThan(32_768)
  })

  it('leaves out what is not as it should be', () => {
    const hostile = { kind: 'memo', title: 7, description: ['x'], date: NaN, duration: -1, peaks: '<b>' }
    expect(readCard(hostile)).toEqual({})
    expect(readCard({ ...hostile, date: Infinity, duration: '1', peaks: 'A'.repeat(99_999) })).toEqual({})
    expect(readCard({ ...makeCard(memo), kind: 'film' })).toEqual({})
    expect(readCard({ kind: 'memo', title: ' \n' })).toEqual({})
  })

  it('never throws and never exceeds its bounds', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.string({ maxLength: 20_000 }), (a, b, text) => {
        for (const card of [
          a,
          { kind: 'memo', title: a, description: b, peaks: text },
          { kind: 'memo', title: text, description: text, date: a, duration: b },
        ]) {
          const read = readCard(card)
          expect((read.title ?? '').length).toBeLessThanOrEqual(400)
          expect((read.description ?? '').length).toBeLessThanOrEqual(5000)
          expect((read.peaks ?? '').length).toBeLessThanOrEqual(1000)
        }
      }),
    )
  })

  it('keeps line breaks and drops other control characters', () => {
    expect(cleanDescription('a\r\nb\rc\0\u0007\td\n\n')).toBe('a\nb\nc\td')
  })
})

describe('peaks', () => {
  it('go into base64 and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 1000 }), (peaks) => {
        expect(decodePeaks(encodePeaks(peaks))).toEqual(peaks)
      }),
    )
    expect(decodePeaks('')).toBeUndefined()
    expect(decodePeaks('A===')).toBeUndefined()
    expect(decodePeaks('AAA!')).toBeUndefined()
  })

  it('keep the greatest of what they stand for', () => {
    expect([...pool([1, 9, 2, 3], 2)]).toEqual([9, 3])
    expect([...pool([1, 2], 5)]).toEqual([1, 2])
    expect([peakByte(0), peakByte(0.25), peakByte(1), peakByte(7), peakByte(NaN)]).toEqual([0, 128, 255, 255, 0])
    const samples = new Float32Array(48_000)
    samples[24_000] = -1
    const drawn = peaksOf(samples)
    expect([drawn.length, drawn[500], drawn.filter(Boolean).length]).toEqual([1000, 255, 1])
  })
})
