import { describe, expect, it } from 'vitest'
import { clock } from '../ui/words.ts'
import {
  cleanTitle,
  defaultTitle,
  extension,
  fileName,
  formatName,
  longDate,
  untitled,
} from './words.ts'

describe('titles', () => {
  it('is named after day and time', () => {
    expect(defaultTitle(new Date(2025, 2, 4, 14, 5), 'en-GB')).toBe('Tue 14:05')
    expect(longDate(new Date(2025, 2, 4, 14, 5), 'en-GB')).toBe('4 March 2025, 14:05')
  })

  it('says it in English, whatever the letters and digits of the browser’s language', () => {
    const date = new Date(2025, 2, 4, 14, 5)
    for (const [locale, time] of [['de', '14:05'], ['fi', '14:05'], ['ko', '2:05 PM'], ['ar-EG', '2:05 PM']] as const) {
      expect(defaultTitle(date, locale).replace('\u202f', ' ')).toBe(`Tue ${time}`)
      expect(longDate(date, locale).replace('\u202f', ' ')).toBe(`4 March 2025, ${time}`)
    }
  })

  it('makes one bounded line of any text', () => {
    expect(cleanTitle('  a\n\tb\u2028c\0 ')).toBe('a b c')
    expect(cleanTitle(' \n ')).toBe(untitled)
    expect(cleanTitle('\u202egpj.exe \u2066مرحبا\u2069')).toBe('gpj.exe مرحبا')
    expect([...cleanTitle('🐦'.repeat(999))].length).toBe(200)
  })

  it('tells times', () => {
    expect([0, 63, 3723, NaN, Infinity, -1].map(clock)).toEqual(['0:00', '1:03', '1:02:03', '0:00', '0:00', '0:00'])
  })
})

describe('file names', () => {
  it('end in the extension of the true type', () => {
    expect(fileName('Tue 14:05', 'audio/webm;codecs=opus')).toBe('Tue 14 05.webm')
    expect(fileName('a', 'audio/mp4')).toBe('a.m4a')
    expect(fileName('a', 'application/x-unknown')).toBe('a')
    expect(extension('Audio/OGG; codecs=opus')).toBe('ogg')
    expect([formatName('audio/webm'), formatName('audio/mp4'), formatName('')]).toEqual(['WebM', 'M4A', ''])
  })

  it('hold nothing a file system chokes on', () => {
    expect(fileName('../../etc/passwd', 'audio/webm')).toBe('etc passwd.webm')
    expect(fileName('\u202Egpj.exe', 'audio/webm')).toBe('gpj.exe.webm')
    expect(fileName('CON', 'audio/ogg')).toBe('CON memo.ogg')
    expect(fileName('...', 'audio/ogg')).toBe('memo.ogg')
    expect(fileName('x'.repeat(300), 'audio/ogg').length).toBe(84)
  })
})
