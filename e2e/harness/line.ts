import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Person } from './browser.ts'
import type { Kit } from './kit.ts'

export interface LineOptions {
  /** Milliseconds that a datagram is on its way, each way. */
  delay: number
  /** Bytes per second that the line carries, each way. */
  rate: number
  /** Bytes that wait for it at most, each way; what comes beyond is lost. */
  queue: number
  /** Of each 1 datagram, how much is lost besides. */
  loss?: number
}

declare global {
  interface Window {
    /** The port at which the line begins that leads to that one. */
    lineTo(address: string, port: number): Promise<number>
  }
}

type Describe = (this: RTCPeerConnection, description: RTCSessionDescriptionInit) => Promise<void>

/** Bytes of a socket's queue, as far as the machine allows, and datagrams in a row when this program was kept waiting: browsers' queues are short. */
const buffer = 4 << 20
const atOnce = 16

/** A long line between two browsers of this machine, and all their connections. */
export class Line {
  /** One end of each connection, by the port that it leads to. */
  readonly #ends = new Map<string, Promise<Socket>>()
  readonly #sockets = new Set<Socket>()
  readonly #there: Way
  readonly #back: Way
  #broken: ReadonlySet<Socket> = new Set()

  constructor(kit: Kit, options: LineOptions) {
    this.#there = new Way(options)
    this.#back = new Way(options)
    kit.defer(async () => {
      await Promise.all(this.#ends.values())
      this.#there.close()
      this.#back.close()
      for (const socket of this.#sockets) socket.close()
    })
  }

  /** Whatever the two connect from now on goes by this line. Before their pages are opened. */
  async between(one: Person, other: Person): Promise<void> {
    await one.page.evaluateOnNewDocument(() => {
      // It learns where the other is when the other calls.
      const setRemoteDescription: Describe = RTCPeerConnection.prototype.setRemoteDescription
      RTCPeerConnection.prototype.setRemoteDescription = function ({ type, sdp }) {
        return setRemoteDescription.call(this, { type, sdp: sdp!.replace(/a=candidate.*\r\n/g, '') })
      }
    })
    await other.page.exposeFunction('lineTo', (address: string, port: number) => this.#to(address, port))
    await other.page.evaluateOnNewDocument(() => {
      const setRemoteDescription: Describe = RTCPeerConnection.prototype.setRemoteDescription
      RTCPeerConnection.prototype.setRemoteDescription = async function ({ type, sdp }) {
        const lines = sdp!.split('\r\n').map(async (line) => {
          if (!line.startsWith('a=candidate')) return [line]
          const words = line.split(' ')
          const [, , protocol, , address, port] = words
          if (protocol !== 'udp' || address!.includes(':')) return []
          words[5] = `${await window.lineTo(address!, Number(port))}`
          return [words.join(' ')]
        })
        return setRemoteDescription.call(this, { type, sdp: (await Promise.all(lines)).flat().join('\r\n') })
      }
    })
  }

  /** How many connections have been tried. */
  get connections(): number {
    return this.#ends.size
  }

  /** Datagrams that were lost because too much waited before the line. */
  get overflowed(): number {
    return this.#there.overflowed + this.#back.overflowed
  }

  /** Nothing goes any more over those of the connections that were tried after so many: how many these are. */
  async break(after: number): Promise<number> {
    const ends = await Promise.all(this.#ends.values())
    this.#broken = new Set(ends.slice(after))
    return this.#broken.size
  }

  async #to(address: string, port: number): Promise<number> {
    const name = `${address} ${port}`
    const end = this.#ends.get(name) ?? this.#open(address, port)
    this.#ends.set(name, end)
    return (await end).address().port
  }

  async #open(address: string, port: number): Promise<Socket> {
    const near = this.#socket()
    const far = new Map<string, Socket>()
    near.on('message', (data, client) => {
      const name = `${client.address} ${client.port}`
      let socket = far.get(name)
      if (!socket) {
        socket = this.#socket()
        socket.on('message', (data) => this.#broken.has(near) || this.#back.take(data, () => near.send(data, client.port, client.address)))
        far.set(name, socket)
      }
      const to = socket
      if (!this.#broken.has(near)) this.#there.take(data, () => to.send(data, port, address))
    })
    near.bind(0, address)
    await once(near, 'listening')
    return near
  }

  #socket(): Socket {
    const socket = createSocket('udp4')
    // Whoever it was for is gone.
    socket.on('error', () => {})
    // What it loses is for the line to say, not for the machine.
    socket.once('listening', () => socket.setRecvBufferSize(buffer))
    this.#sockets.add(socket)
    return socket
  }
}

/** One direction. */
class Way {
  overflowed = 0
  readonly #options: LineOptions
  readonly #coming: { at: number; deliver: () => void }[] = []
  /** When the line is free again, in ms. */
  #free = 0
  #waiting = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: LineOptions) {
    this.#options = options
  }

  take({ length }: Buffer, deliver: () => void): void {
    const { delay, rate, queue, loss = 0 } = this.#options
    const now = performance.now()
    const free = Math.max(this.#free, now)
    if (((free - now) * rate) / 1000 > queue) return void this.overflowed++
    if (Math.random() < loss) return
    this.#free = free + (length / rate) * 1000
    this.#coming.push({ at: this.#free + delay, deliver })
    this.#wait()
  }

  close(): void {
    this.#waiting = true
    clearTimeout(this.#timer)
  }

  #wait(): void {
    if (this.#waiting || !this.#coming.length) return
    this.#waiting = true
    this.#timer = setTimeout(() => {
      this.#waiting = false
      const now = performance.now()
      const later = this.#coming.findIndex(({ at }) => at > now)
      for (const { deliver } of this.#coming.splice(0, Math.min(later < 0 ? Infinity : later, atOnce))) deliver()
      this.#wait()
    }, this.#coming[0]!.at - performance.now())
  }
}
