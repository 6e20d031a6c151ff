import { describe, expect, test } from 'vitest'
import { enter, harness, Kit, until } from './harness/index.ts'

declare const lab: typeof import('./harness/harness.page.ts')
const entry = new URL('./harness/harness.page.ts', import.meta.url)

describe.each(['chromium', 'firefox'] as const)('%s', (kind) => {
  const kit = harness()

  test('runs the page of a lab, has a microphone, and can make links', async () => {
    const place = await kit.lab(entry)
    const ann = await kit.person(kind)
    await ann.allowMicrophone(place.origin)
    await enter(ann.page, place)
    expect(await ann.page.evaluate(() => lab.greet('Ann'))).toBe('hello Ann')
    expect(await ann.page.evaluate(() => lab.hears())).toBe('audio')
    expect(await ann.page.evaluate(() => lab.loopback())).toBe('over the link')
  })

  test('people share nothing, and the tabs of one share everything', async () => {
    const place = await kit.lab(entry)
    const [ann, bob] = [await kit.person(kind), await kit.person(kind)]
    const annsOther = await ann.tab()
    for (const page of [ann.page, annsOther, bob.page]) await enter(page, place)
    await ann.page.evaluate(() => localStorage.setItem('mine', 'yes'))
    expect(await annsOther.evaluate(() => localStorage.getItem('mine'))).toBe('yes')
    expect(await bob.page.evaluate(() => localStorage.getItem('mine'))).toBeNull()
  })

  test('an error on the console fails whoever did not expect it', async () => {
    const own = new Kit()
    try {
      const place = await own.lab(entry)
      const mark = own.mark
      const ann = await own.person(kind)
      await enter(ann.page, place)
      await ann.page.evaluate(() => lab.complain())
      await until('the complaint', () => ann.errors.length)
      await expect(own.closeTo(mark)).rejects.toThrow('as expected')
    } finally {
      await own.close()
    }
  })
})
