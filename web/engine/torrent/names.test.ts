import fc from 'fast-check'
import { expect, test } from 'vitest'
import { cleanName, cleanPaths, cleanText } from './names.ts'

test.each([
  ['memo.webm', 'memo.webm'],
  ['Grüße 🐦.txt', 'Grüße 🐦.txt'],
  // As Macs write them; and where what is left out stood in between.
  ['u\u0308ber \u1112\u1161\u11ab\u1100\u1173\u11af.txt', '\u00fcber \ud55c\uae00.txt'], ['e\u200e\u0301', '\u00e9'],
  ['', '_'], ['.', '_'], ['..', '_'], ['...', '_'], [' ', '_'],
  ['a/b', 'a_b'], ['a\\b', 'a_b'], ['C:evil', 'C_evil'], ['a?*<>|"b', 'a______b'],
  ['a\0b\n\x7f\x9b', 'ab'], ['photo\u202egpj.exe', 'photogpj.exe'], ['a\ud800', 'a'],
  ['trailing. . ', 'trailing'],
  ['CON', '_CON'], ['nul.txt', '_nul.txt'], ['com1', '_com1'], ['LPT9.tar.gz', '_LPT9.tar.gz'], ['console', 'console'],
  ['COM\u00b9', '_COM\u00b9'], ['lpt\u00b3.txt', '_lpt\u00b3.txt'], ['conin$', '_conin$'], ['nul .txt', '_nul .txt'], ['con x.txt', 'con x.txt'],
  ['.hidden', '.hidden'],
  ['x'.repeat(5000), 'x'.repeat(200)],
  // What it is stays known to whoever opens it.
  [`${'x'.repeat(251)}.pdf`, `${'x'.repeat(196)}.pdf`], [`${'x'.repeat(196)}.pdf`, `${'x'.repeat(196)}.pdf`],
  [`${'x'.repeat(195)} ${'y'.repeat(50)}.7z`, `${'x'.repeat(195)} y.7z`], [`${'x'.repeat(250)}.no kind`, 'x'.repeat(200)],
])('name %j becomes %j', (name, clean) => {
  expect(cleanName(name)).toBe(clean)
})

test('text is cut between characters, not within', () => {
  expect(cleanText('ab🐦', 3)).toBe('ab')
  expect(cleanText('  two\twords ', 20)).toBe('twowords')
})

test('what turns the direction or ends the line is left out, and nothing beside it', () => {
  expect(cleanText('a\u061cb\u200ec\u200fd\ufeffe', 20)).toBe('abcde')
  expect(cleanText('a\u2028b\u202ec\u2066d\u2069e', 20)).toBe('abcde')
  expect(cleanText('a\u2027b\u202fc\u2065d\u206ae', 20)).toBe('a\u2027b\u202fc\u2065d\u206ae')
})

test.each([
  ['distinct', ['a/b', 'a/c'], ['a/b', 'a/c']],
  ['the same', ['a.txt', 'a.txt', 'a.txt'], ['a.txt', 'a (2).txt', 'a (3).txt']],
  ['but for case', ['A.txt', 'a.txt'], ['A.txt', 'a (2).txt']],
  ['but for normal form', ['\u00e9', 'e\u0301'], ['\u00e9', '\u00e9 (2)']],
  ['where the free one is taken', ['a', 'a', 'a (2)'], ['a', 'a (2)', 'a (2) (2)']],
  ['a file and a folder', ['a', 'a/b'], ['a (2)', 'a/b']],
  ['traversal', ['../../etc/passwd', '/etc/passwd'], ['_/_/etc/passwd', '_/etc/passwd']],
  ['in a folder with a dot', ['a.b/c', 'a.b/c'], ['a.b/c', 'a.b/c (2)']],
])('paths: %s', (_, paths, clean) => {
  expect(cleanPaths(paths.map((path) => path.split('/')))).toEqual(clean)
})

test('whatever the paths, the clean ones are relative, apart and stable', () => {
  const unit = fc.nat(0xffff).map((code) => String.fromCharCode(code))
  const part = fc.oneof(fc.string({ unit }), fc.constantFrom('..', '.', '', 'a', 'A', 'con', '/', 'a (2)', '\u00e9', 'e\u0301', '\u0301', 'e\u200e\u0301'))
  fc.assert(fc.property(fc.array(fc.array(part, { minLength: 1, maxLength: 40 }), { maxLength: 12 }), (paths) => {
    const clean = cleanPaths(paths)
    const folded = clean.map((path) => path.normalize('NFC').toLowerCase())
    expect(new Set(folded).size).toBe(paths.length)
    for (const path of clean) expect(path).not.toMatch(/(^|\/)\.{0,2}(\/|$)|[\p{Cc}\\:]/u)
    expect(folded.filter((path) => folded.some((other) => other.startsWith(`${path}/`)))).toEqual([])
    expect(cleanPaths(paths)).toEqual(clean)
  }))
})

test('a great many files of one name take no great time', () => {
  expect(new Set(cleanPaths(Array.from({ length: 50_000 }, () => ['same.txt']))).size).toBe(50_000)
})
