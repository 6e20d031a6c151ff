import { expect, it } from 'vitest'
import { explain } from './microphone.ts'

const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1'
const safari =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15'
const refused = (name: string) => new DOMException('', name)
const around = (userAgent: string, more = {}) => ({ userAgent, secure: true, touch: false, installed: false, ...more })

it('says why there is no microphone, each reason in its own words', () => {
  const titles = ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'NotSupportedError', 'WhateverError'].map(
    (name) => explain(refused(name), around(chrome)).title,
  )
  expect(new Set(titles).size).toBe(5)
  expect(explain(refused('NotAllowedError'), around(chrome, { secure: false })).title).toBe(
    'This page may not use the microphone',
  )
})

it('says how to mend it in this browser', () => {
  const [a, b, c] = [chrome, firefox, iphone].map(
    (userAgent) => explain(refused('NotAllowedError'), around(userAgent)).steps[0]!,
  )
  expect(a).toContain('left of the address')
  expect(b).toContain('crossed-out microphone')
  expect(c).toContain('Website Settings')
})

it.each([
  ['the window of a chat app on an iPhone', iphone.replace('Safari/604.1', 'Mobile/15E148 [LinkedInApp]'), {}, 'inside another app'],
  ['the same on Android', 'Mozilla/5.0 (Linux; Android 16; Pixel 9; wv) AppleWebKit/537.36 Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36', {}, 'inside another app'],
  ['Chrome on Android', 'Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36', { touch: true }, 'then Permissions'],
  ['an app on the Home Screen', iphone.replace('Safari/604.1', 'Mobile/15E148'), { touch: true, installed: true }, 'app switcher'],
  ['an iPad', safari, { touch: true }, 'Website Settings'],
  ['a Mac', safari, {}, 'Settings for This Website'],
])('says what can be done where there is no such address bar: %s', (_, userAgent, more, words) => {
  expect(explain(refused('NotAllowedError'), around(userAgent, more)).steps.join(' ')).toContain(words)
})

it('never leaves anybody without a next step', () => {
  for (const error of [undefined, 'x', refused('AbortError'), new TypeError()]) {
    expect(explain(error, around('')).steps.length).toBeGreaterThan(0)
  }
})
