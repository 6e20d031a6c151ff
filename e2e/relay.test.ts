/** Two browsers that may meet only through the server's TURN. */
import { expect, test } from 'vitest'
import { harness, type Person } from './harness/index.ts'
import { makeMemo, reads, shareLink } from './memos.kit.ts'

const kit = harness()

test('a memo through TURN alone', async () => {
  const server = await kit.serve()
  const carried = async (): Promise<number> => {
    const metrics = await (await fetch(`${server.origin}/metrics`)).text()
    return Number(/^starling_relay_bytes_total\{to="peers"\} (\S+)$/m.exec(metrics)?.[1])
  }
  const visitor = async (): Promise<Person> => {
    const person = await kit.person('chromium')
    await person.allowMicrophone(server.origin)
    await person.page.evaluateOnNewDocument(() => {
      window.RTCPeerConnection = class extends RTCPeerConnection {
        constructor(configuration?: RTCConfiguration) {
          super({ ...configuration, iceTransportPolicy: 'relay' })
        }
      }
    })
    await person.page.goto(server.origin)
    return person
  }

  const [ann, bob] = [await visitor(), await visitor()]
  await makeMemo(ann.page, 'Far away', 2)
  const link = await shareLink(ann.page)
  expect(await carried()).toBe(0)
  await bob.page.goto(link)
  await reads(bob.page, 'Saved')
  await reads(bob.page, 'Far away')
  expect(await carried()).toBeGreaterThan(10_000)
})
