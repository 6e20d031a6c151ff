import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { destroyAll, testNode } from './testing.ts'

const loads = vi.hoisted(() => ({ tried: 0, fail: false }))
vi.mock('./more.ts', async (original) => {
  loads.tried++
  if (loads.fail) throw new TypeError('Failed to fetch dynamically imported module')
  return original()
})

test('a web seed is asked also where the part that asks it could not be loaded at first', async () => {
  let asked = 0
  const server = createServer((_, response) => void (asked++, response.writeHead(206).end('hello')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    await destroyAll()
    server.closeAllConnections()
    server.close()
    vi.restoreAllMocks()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hello.txt`
  // The SHA-1 of "hello".
  const hash = Buffer.from('aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d', 'hex').toString('latin1')
  const torrent = Buffer.from(`d4:infod6:lengthi5e4:name9:hello.txt12:piece lengthi16384e6:pieces20:${hash}ee`, 'latin1')

  loads.fail = true
  const { node, until } = testNode()
  const { infoHash } = await node.add(new Uint8Array(torrent), { webSeeds: [url] })
  await vi.waitUntil(() => loads.tried > 0)
  loads.fail = false
  const { now } = performance
  vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + 20_000)
  await until(infoHash, ({ done }) => done)
  expect(asked).toBe(1)
})
