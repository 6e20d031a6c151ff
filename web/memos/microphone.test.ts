import { expect, it } from 'vitest'
import { explain } from './microphone.ts'

const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const iphone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Safari/604.1'
const refused = (name: string) => new DOMException('', name)

it('says why there is no microphone, each reason in its own words', () => {
  const titles = ['NotAllowedError', 'NotFoundError', 'NotReadableError', 'NotSupportedError', 'WhateverError'].map(
    (name) => explain(refused(name), { userAgent: chrome, secure: true }).title,
  )
  expect(new Set(titles).size).toBe(5)
  expect(explain(refused('NotAllowedError'), { userAgent: chrome, secure: false }).title).toBe(
    'This page may not use the microphone',
  )
})

it('says how to mend it in this browser', () => {
  const [a, b, c] = [chrome, firefox, iphone].map(
    (userAgent) => explain(refused('NotAllowedError'), { userAgent, secure: true }).steps[0]!,
  )
  expect(a).toContain('left of the address')
  expect(b).toContain('crossed-out microphone')
  expect(c).toContain('Website Settings')
})

it('never leaves anybody without a next step', () => {
  for (const error of [undefined, 'x', refused('AbortError'), new TypeError()]) {
    expect(explain(error, { userAgent: '', secure: true }).steps.length).toBeGreaterThan(0)
  }
})
