import { expect, it } from 'vitest'
import { leadsTo, linkIn } from './links.ts'
import { paths } from './parcel.ts'

const hash = 'ab'.repeat(20)
const magnet = `magnet:?xt=urn:btih:${hash}&dn=a+b&tr=wss%3A%2F%2Ft.example%2Fannounce`
const to = (text: string) => leadsTo(text, 'app.test')

it.each([
  ['a link', `https://app.test/f#${hash}.key`, `/f#${hash}.key`],
  ['a link in a sentence', `Look (http://app.test/m#${hash}.k-y_), and hear!`, `/m#${hash}.k-y_`],
  ['several memos', `https://app.test/share?seeds=${hash}&seeds=x`, `/share#seeds=${hash}&seeds=x`],
  ['them, as their page has it', `https://app.test/share#seeds=${hash}&seeds=x`, `/share#seeds=${hash}&seeds=x`],
  ['what is behind another link', `https://example.org/a\nhttps://app.test/f#${hash}`, `/f#${hash}`],
  ['a magnet', `“Film”: ${magnet}.`, `/f#${encodeURIComponent(magnet)}`],
])('%s', (_, text, path) => expect(to(text)).toBe(path))

it.each([
  ['nothing', ''], ['words', 'hello f#x'], ['another page of ours', 'https://app.test/memos/x'], ['a page without a link', 'https://app.test/f'],
  ["another server's", `https://app.test.example/f#${hash}`], ["one that says it is ours", `https://app.test@evil.example/f#${hash}`],
  ['a magnet of another network', 'magnet:?xt=urn:ed2k:0'], ['a script', `javascript:location='https://app'//f#${hash}`],
  ['no address', `https://[/f#${hash}`],
])('not %s', (_, text) => expect(to(text)).toBe(undefined))

it('is what the address of the page is about', () => {
  const of = (hash: string) => linkIn(new URL(`https://app.test/f${hash}`))
  expect(of(`#${hash}.key`)).toBe(`https://app.test/f#${hash}.key`)
  expect([of(''), of('#')]).toEqual(['', ''])
  expect(of(`#${encodeURIComponent(magnet)}`)).toBe(magnet)
  expect(of(paths.receive(magnet).slice(2))).toBe(magnet)
  expect(of('#MAGNET%3a%3Fxt%3Durn')).toBe('MAGNET:?xt=urn')
  expect(of('#magnet%3A%zz')).toBe('magnet%3A%zz')
})
