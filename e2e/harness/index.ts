/**
 * What tests with real browsers stand on: browsers, people, the real server, and labs.
 *
 *   const kit = harness()                                       // at the top of the file
 *   declare const lab: typeof import('./hello.page.ts')         // what the lab's page exports
 *
 *   test('a blob arrives', async () => {
 *     const server = await kit.serve()                          // the Go binary: server.origin, .tracker, .kill(), …
 *     const place = await kit.lab(new URL('./hello.page.ts', import.meta.url))
 *     const ann = await kit.person('chromium')                  // storage of her own; ann.page is puppeteer's Page
 *     await enter(ann.page, place)
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
 * Wait with until, never by time; what a page does after some time without anything new, later brings about.
 */
import { afterAll, afterEach, beforeEach } from 'vitest'
import { Kit } from './kit.ts'

export { launch, Person, type Kind, type PersonOptions } from './browser.ts'
export { later } from './clock.ts'
export { Http } from './http.ts'
export { Kit } from './kit.ts'
export { enter, Lab, type LabOptions } from './lab.ts'
export { Line, type LineOptions } from './line.ts'
export { named } from './named.ts'
export { freePort } from './port.ts'
export { Program } from './program.ts'
export { Server, type ServeOptions } from './server.ts'
export { until } from './until.ts'
export { WebSeed, type Asked } from './web-seed.ts'

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
