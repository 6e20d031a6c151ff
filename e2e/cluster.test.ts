/** Two servers that are one tracker: each page knows one of them. */
import { expect, test } from 'vitest'
import { freePort, harness, until } from './harness/index.ts'
import { makeMemo, reads, shareLink, visit } from './memos.kit.ts'

const kit = harness()

test('a memo goes from a page of one server to a page of another', async () => {
  const peers = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
  const args = (i: number) => ['--cluster', peers[i]!, '--cluster-peers', peers.join()]
  const [here, there] = [await kit.serve({ args: args(0) }), await kit.serve({ args: args(1) })]
  await until('both are one cluster', async () =>
    (await (await fetch(`${here.origin}/healthz`)).text()).includes('2 servers'),
  )

  const ann = await visit(kit, here)
  await makeMemo(ann.page, 'From one to another', 2)
  const link = await shareLink(ann.page)

  const bob = await kit.person('chromium')
  await bob.page.goto(link.replace(here.origin, there.origin))
  await reads(bob.page, 'Saved')
  await reads(bob.page, 'From one to another')

  const metrics = await (await fetch(`${there.origin}/metrics`)).text()
  expect(Number(/^starling_cluster_offers_total (\S+)$/m.exec(metrics)?.[1])).toBeGreaterThan(0)
})
