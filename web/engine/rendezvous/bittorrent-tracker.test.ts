import type { AddressInfo, Socket as NetSocket } from 'node:net'
import type { Server as HttpServer } from 'node:http'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { random, toHex } from '../bytes.ts'
import type { Offer, OfferDesk } from '../link/host.ts'
import { TrackerRendezvous } from './tracker-rendezvous.ts'
import type { Socket } from './tracker.ts'
import type { Announcing } from './types.ts'

/** Against the tracker that most of the world runs. */
interface BittorrentTracker {
  http: HttpServer
  listen(port: number, host: string, done: () => void): void
  close(done: () => void): void
}
type TrackerClass = new (options: object) => BittorrentTracker
type SocketClass = new (url: string) => Socket

// Neither package has types.
const bittorrent = 'bittorrent-tracker/server'
const ws = 'ws'
const { default: TrackerServer } = (await import(bittorrent)) as { default: TrackerClass }
const { WebSocket } = (await import(ws)) as { WebSocket: SocketClass }

const infoHash = toHex(random(20))
let server: BittorrentTracker
let url: string
const nodes: Node[] = []
const sockets = new Set<NetSocket>()

async function listen(port = 0): Promise<void> {
  server = new TrackerServer({ udp: false, http: false, ws: true, stats: false })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  server.http.on('connection', (socket) => sockets.add(socket))
  url = `ws://127.0.0.1:${(server.http.address() as AddressInfo).port}`
}

beforeEach(() => listen())

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.rendezvous.destroy()))
  await kill()
})

async function kill(): Promise<void> {
  for (const socket of sockets) socket.destroy()
  sockets.clear()
  await new Promise<void>((resolve) => server.close(resolve))
}

class Node implements OfferDesk {
  readonly peerId = random(20)
  readonly rendezvous: TrackerRendezvous
  readonly released: string[] = []
  seen: string[] = []
  answer: { peerId: string; offerId: string; sdp: string } | undefined
  #offers = 0

  constructor() {
    const socket = (address: string) => new WebSocket(address)
    this.rendezvous = new TrackerRendezvous({ peerId: this.peerId, desk: this, socket })
    nodes.push(this)
  }

  join(torrent: Partial<Announcing>): this {
    this.rendezvous.add({
      infoHash,
      trackers: [url],
      uploaded: 0,
      downloaded: 0,
      left: 0,
      wanted: 0,
      stalled: false,
      ...torrent,
    })
    return this
  }

  async offers(_: string, count: number): Promise<Offer[]> {
    return Array.from({ length: count }, () => ({ id: `${this.#offers++}`.padEnd(20, '\xff'), sdp: 'an offer' }))
  }

  release(ids: readonly string[]): void {
    this.released.push(...ids)
  }

  answered(_: string, peerId: string, offerId: string, sdp: string): void {
    this.answer = { peerId, offerId, sdp }
  }

  async offered(_: string, peerId: string, sdp: string): Promise<string> {
    this.seen.push(`${peerId} ${sdp}`)
    return 'an answer'
  }
}

const lacks: Partial<Announcing> = { left: 7, wanted: 10, stalled: true }

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}

const working = (node: Node) => until(() => node.rendezvous.trackers(infoHash)[0]?.status === 'working')

it('introduces a leecher to the seeder', async () => {
  const seeder = new Node().join({})
  await working(seeder)
  const leecher = new Node().join(lacks)
  await until(() => !!leecher.answer)
  expect(leecher.answer).toEqual({ peerId: toHex(seeder.peerId), offerId: '0'.padEnd(20, '\xff'), sdp: 'an answer' })
  expect(seeder.seen).toEqual([`${toHex(leecher.peerId)} an offer`])
  await until(() => leecher.released.length === 1)
  expect(leecher.rendezvous.trackers(infoHash)).toEqual([{ url, status: 'working', seeders: 1, leechers: 1 }])
})

it('introduces a seeder that comes later', async () => {
  const leecher = new Node().join(lacks)
  await working(leecher)
  const seeder = new Node().join({})
  await until(() => !!leecher.answer)
  expect(leecher.answer!.peerId).toBe(toHex(seeder.peerId))
})

it('is told who completed and who left', async () => {
  const seeder = new Node().join({})
  await working(seeder)
  const leecher = new Node().join(lacks)
  await until(() => !!leecher.answer)
  leecher.rendezvous.completed(infoHash)
  await until(() => leecher.rendezvous.trackers(infoHash)[0]?.seeders === 2)
  await seeder.rendezvous.destroy()
  const third = new Node().join(lacks)
  await working(third)
  expect(third.rendezvous.trackers(infoHash)).toMatchObject([{ seeders: 1, leechers: 1 }])
})

it('may be killed and started again', async () => {
  const seeder = new Node().join({})
  await working(seeder)
  const { port } = server.http.address() as AddressInfo
  await kill()
  await until(() => seeder.rendezvous.trackers(infoHash)[0]?.status === 'failed')
  await listen(port)
  await working(seeder)
  const leecher = new Node().join(lacks)
  await until(() => !!leecher.answer)
})
