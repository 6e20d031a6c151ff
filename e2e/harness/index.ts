/**
 * What tests with real browsers stand on: browsers, people, the real server, and labs.
 *
 *   const kit = harness()                                       // at the top of the file
 *   declare const lab: typeof import('./hello.page.ts')         // what the lab's page exports
 *
 *   test('a blob arrives', async () => {
 *     const server = await kit.serve()                          // the Go binary: server.origin, .tracker, .kill(), …
 *     const { origin } = await kit.lab(new URL('./hello.page.ts', import.meta.url))
 *     const ann = await kit.person('chromium')                  // storage of her own; ann.page is puppeteer's Page
 *     await ann.page.goto(origin)
 *     await until('the lab', () => ann.page.evaluate(() => 'lab' in globalThis))
 *     const link = await ann.page.evaluate((tracker) => lab.seed('hello', tracker), server.tracker)
 *     …
 *   })
 *
 * What is made within a test ends with it; what is made in beforeAll ends with the file. A person whose pages report
 * an error, thrown or on the console, fails the test unless it is allowed: kit.person('firefox', { allow: [/…/] }).
 * One browser process of a kind serves a whole file; { own: true } gives a person one with an ordinary profile.
 *
 * An app's own pages need no lab: goto(server.origin). A lab is for code that is driven from within (page.evaluate):
 * its entry imports 'starling' as any page does, or parts of web/engine by their path.
 * Wait with until, never by time.
 */
import { afterAll, afterEach, beforeEach } from 'vitest'
import type { Page } from 'puppeteer-core'
import { Kit } from './kit.ts'
import { until } from './until.ts'

export { launch, Person, type Kind, type PersonOptions } from './browser.ts'
export { Kit } from './kit.ts'
export { Lab, type LabOptions } from './lab.ts'
export { Server, type ServeOptions } from './server.ts'
export { until } from './until.ts'

export function harness(): Kit {
  const kit = new Kit()
  let mark = 0
  beforeEach(() => {
    mark = kit.mark
  })
  afterEach(() => kit.closeTo(mark))
  afterAll(() => kit.close())
  return kit
}

/** Opens a lab's page and waits until its entry has run. */
export async function enter(page: Page, lab: { origin: string }): Promise<void> {
  await page.goto(lab.origin)
  await until('the entry of the lab to run', () => page.evaluate(() => 'lab' in globalThis))
}
