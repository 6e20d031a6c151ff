/** Browsers that meet only through the server's TURN, as one hides where it is. */
import { expect, test } from 'vitest'
import type { Page } from 'puppeteer-core'
import { harness, until, type Kind, type Person, type PersonOptions } from './harness/index.ts'
import { makeMemo, press, reads, shareLink, visit } from './memos.kit.ts'

const kit = harness()

const name = 'Hide this device’s network address'
const switched = (page: Page) => page.$eval('.wish input', (input) => (input as HTMLInputElement).checked)

async function hide(page: Page, { origin }: { origin: string }): Promise<void> {
  await page.goto(`${origin}/about`)
  await press(page, name, 'checkbox')
  await until('the address to be hidden', () => switched(page))
}

/** Of its own accord Firefox asks no server on this machine. */
const options = (kind: Kind): PersonOptions =>
  kind === 'firefox' ? { prefs: { 'media.peerconnection.ice.loopback': true } } : {}

/** Keeps what the page's connections say of where they are reached. */
async function overhear({ page }: Person): Promise<() => Promise<string[]>> {
  await page.evaluateOnNewDocument(() => {
    const said: string[] = []
    Object.assign(window, { said })
    const { send } = WebSocket.prototype
    WebSocket.prototype.send = function (this: WebSocket, data: string) {
      said.push(...(data.match(/a=candidate:.*?(?=\\r|\\n)/g) ?? []))
      send.call(this, data)
    }
  })
  return () => page.evaluate(() => (window as unknown as { said: string[] }).said)
}

test('a memo through TURN alone', async () => {
  const server = await kit.serve()
  const carried = async (): Promise<number> => {
    const metrics = await (await fetch(`${server.origin}/metrics`)).text()
    return Number(/^starling_relay_bytes_total\{to="peers"\} (\S+)$/m.exec(metrics)?.[1])
  }
  const [ann, bob] = [await visit(kit, server), await kit.person('chromium')]
  await hide(ann.page, server)
  await hide(bob.page, server)
  await ann.page.goto(server.origin)
  await makeMemo(ann.page, 'Far away', 2)
  const link = await shareLink(ann.page)
  expect(await carried()).toBe(0)
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
  await reads(bob.page, 'Far away')
  expect(await carried()).toBeGreaterThan(10_000)
})

test.each<Kind>(['chromium', 'firefox'])('who hides their address tells nobody where they are: %s', async (kind) => {
  const server = await kit.serve()
  const [ann, bob] = [await visit(kit, server), await kit.person(kind, options(kind))]
  const said = await overhear(bob)
  await makeMemo(ann.page, 'For somebody who hides', 1)
  const link = await shareLink(ann.page)
  await hide(bob.page, server)
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
  const candidates = await said()
  expect(candidates.length).toBeGreaterThan(0)
  for (const candidate of candidates) {
    // Nor from where the relay is asked: browsers name nothing there, or the relay once more.
    const [, relay, ...from] = /(\S+ \d+) typ relay raddr (\S+) rport (\d+)/.exec(candidate) ?? []
    expect(['0.0.0.0 0', relay], candidate).toContain(from.join(' '))
  }

  // Another tab has the one that runs the engine tell it again.
  const other = await bob.tab()
  await other.goto(`${server.origin}/about`)
  expect(await switched(other)).toBe(true)
  await press(other, name, 'checkbox')
  await until('the address to be shown', async () => !(await switched(other)))
  await ann.page.close()
  const cara = await kit.person('chromium')
  await cara.page.goto(link)
  await reads(cara.page, 'Saved')
  expect((await said()).slice(candidates.length).some((candidate) => candidate.includes(' typ host'))).toBe(true)
})

test('where the server passes nothing on, nobody is let believe that they hide', async () => {
  const server = await kit.serve({ args: ['--no-relay'] })
  const { page } = await kit.person('chromium')
  await page.goto(`${server.origin}/about`)
  await press(page, name, 'checkbox')
  await reads(page, 'This server passes nothing on')
  expect(await switched(page)).toBe(false)
})
