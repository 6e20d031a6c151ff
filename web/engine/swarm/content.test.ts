import { describe, expect, test } from 'vitest'
import { readable, typeOf, type Content } from './content.ts'

describe('content', () => {
  test('as much is read as is here, in whole records', () => {
    const content = { covering: (start: number, end: number) => [start, Math.ceil(end / 100) * 110] } as unknown as Content
    expect(readable(content, 50, 1000, 330)).toBe(300)
    expect(readable(content, 50, 250, 330)).toBe(250)
    expect(readable(content, 50, 1000, 111)).toBe(100)
  })

  test('types of names', () => {
    expect(['a.webm', 'b.MP3', 'c', 'd.tar.gz', 'constructor'].map(typeOf)).toEqual(['video/webm', 'audio/mpeg', '', '', ''])
  })
})
