import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import type { Kit } from '../e2e/harness/kit.ts'

/** Sent of one connection before another has its turn. */
const slice = 4096

/**
 * Stands before a server, as a line does that carries so many bytes per second from it to all its clients together, each
 * connection having its turn. What clients send is not limited. Its URL.
 */
export async function limited(kit: Kit, origin: string, rate: number): Promise<string> {
  const { hostname, port } = new URL(origin)
  const sockets = new Set<Socket>()
  /** When the line is free again, in ms. */
  let free = 0
  const pump = async (from: Socket, to: Socket) => {
    for await (const data of from) {
      for (let at = 0; at < data.length; at += slice) {
        const some = (data as Buffer).subarray(at, at + slice)
        const now = performance.now()
        free = Math.max(free, now) + (some.length / rate) * 1000
        // Timers are no finer.
        if (free - now > 2) await pause(free - now)
        if (!to.write(some)) await once(to, 'drain')
      }
    }
    to.end()
  }
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.on('close', () => (sockets.delete(socket), other.destroy()))
    }
    client.pipe(upstream)
    pump(upstream, client).catch(() => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  kit.defer(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
