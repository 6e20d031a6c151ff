import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port that nobody has, neither for TCP nor for UDP, for a program that has to be told one. Systems give none of these to
 * who names none, so nobody has it either when a program that takes its time to start gets to it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    // No browser goes to 10080.
    const port = randomInt(10_100, 32_000)
    const [tcp, udp] = [createServer(), createSocket('udp4')]
    const listening = [once(tcp, 'listening'), once(udp, 'listening')]
    tcp.listen(port)
    udp.bind(port)
    const all = await Promise.allSettled(listening)
    const closed = [once(tcp, 'close'), once(udp, 'close')]
    tcp.close()
    udp.close()
    await Promise.all(closed)
    if (all.every(({ status }) => status === 'fulfilled')) return port
  }
}
