import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { figures, goProgram, randomFile } from '../go.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'

const size = 50e6
const count = 20
const limit = 10e6

/** Seconds until count clients at once have fetched size bytes from an HTTP server that sends limit bytes/s in all. */
async function overHTTP(): Promise<number> {
  const block = Buffer.alloc(65536)
  const start = performance.now()
  let sent = 0
  const server = createServer((_, response) => {
    const send = async () => {
      response.writeHead(200, { 'Content-Length': size })
      for (let left = size; left > 0; left -= block.length) {
        const part = block.subarray(0, Math.min(left, block.length))
        sent += part.length
        const early = (1000 * sent) / limit - (performance.now() - start)
        if (early > 0) await pause(early)
        if (!response.write(part)) await new Promise((resolve) => response.once('drain', resolve))
      }
      response.end()
    }
    void send()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  await Promise.all(Array.from({ length: count }, async () => (await (await fetch(url)).arrayBuffer()).byteLength))
  server.closeAllConnections()
  server.close()
  return (performance.now() - start) / 1000
}

/** A build for a fleet: all fetch it at once, from a seeder with little upload, and from one another. In seconds. */
export const fleet: Row = async ({ kit, serve, rounds }) => {
  const { origin } = await serve()
  const peer = await goProgram('peer')
  const file = join(await kit.folder(), 'build')
  await randomFile(file, size)
  const args = ['fleet', `${origin}/announce`, file, String(count), String(limit)]
  const times = await alternate(Math.min(rounds, 3), {
    starling: async () => (await figures(peer, args))['seconds']!,
    http: overHTTP,
  })
  const ratio = ratios(times.http, times.starling)
  return [
    {
      what: `${count} machines fetch 50 MB at once from one with 10 MB/s, s until all have it, against HTTP`,
      ours: span(sample(times.starling)),
      theirs: span(sample(times.http)),
      ratio: span(ratio),
      bar: '≥ 10 times faster',
      reached: ratio.median >= 10,
    },
  ]
}
