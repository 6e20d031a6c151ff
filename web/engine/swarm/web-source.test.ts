import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { Bytes } from '../bytes.ts'
import { makeInfo, makeTorrent } from '../torrent/making.ts'
import { infoHashOf, parseInfo } from '../torrent/metainfo.ts'
import { hashPieces } from './hash.ts'
import { destroyAll, noise, Stranger, testNode, type TestNode } from './testing.ts'

const pieceLength = 64 << 10

interface Request {
  /** Bytes [start, end). */
  start: number
  end: number
  response: ServerResponse
}

let server: Server
let url: string
let asked: Request[]
let data: Bytes
let answer: (request: Request) => void

const whole = ({ start, end, response }: Request): void => {
  response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${data.length}` })
  response.end(data.subarray(start, end))
}

beforeEach(async () => {
  asked = []
  answer = whole
  server = createServer(({ headers }: IncomingMessage, response) => {
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range!)!
    const request = { start: Number(start), end: Number(last) + 1, response }
    asked.push(request)
    answer(request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/data.bin`
})

afterEach(async () => {
  await destroyAll()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function torrentOf(pieces: number) {
  data = noise(pieces * pieceLength - 1000)
  const hashes = await hashPieces(async (start, end) => data.slice(start, end), data.length, pieceLength)
  const info = makeInfo({ name: 'data.bin', files: [{ path: 'data.bin', size: data.length }], pieceLength, hashes })
  return { info: parseInfo(info), infoHash: await infoHashOf(info), torrent: makeTorrent(info, [], []) }
}

async function read({ node }: TestNode, infoHash: string, piece: number): Promise<void> {
  const start = piece * pieceLength
  const bytes = await node.read(infoHash, 0, start, start + 100, 'player')
  expect(Buffer.compare(bytes, data.subarray(start, start + bytes.length))).toBe(0)
}

test('what a peer that left has begun is fetched where somebody waits for it', async () => {
  const { info, infoHash, torrent } = await torrentOf(10)
  const to = testNode()
  await to.node.add(torrent, { onDemand: true })
  const peer = new Stranger(to, infoHash)
  peer.wire.info = info
  await peer.met.promise
  peer.wire.bitfield(new Uint8Array(), 10, 10)
  peer.wire.unchoke()
  peer.request = (index, begin, length) => {
    if (!peer.channel.open) return
    const start = index * pieceLength + begin
    peer.wire.piece(index, begin, data.slice(start, start + length))
    peer.channel.close()
  }
  const reading = read(to, infoHash, 3)
  await peer.closed.promise
  await to.node.add(infoHash, { onDemand: true, webSeeds: [url] })
  await reading
})

test('a web seed is asked as soon as the metadata is there', async () => {
  const { infoHash, torrent } = await torrentOf(2)
  // Nothing is looked after now and then.
  vi.spyOn(performance, 'now').mockReturnValue(1000)
  onTestFinished(() => void vi.restoreAllMocks())
  const to = testNode()
  await to.node.add(torrent, { webSeeds: [url] })
  await to.until(infoHash, ({ done }) => done)
})

test('a download limit holds', async () => {
  const { infoHash, torrent } = await torrentOf(6)
  const to = testNode({ downloadLimit: 200_000 })
  const started = performance.now()
  await to.node.add(torrent, { webSeeds: [url] })
  await to.until(infoHash, ({ done }) => done)
  // One second's worth at once, and what comes as one part of debt; the rest at the limit.
  expect(performance.now() - started).toBeGreaterThan(((data.length - 200_000 - pieceLength) / 200_000) * 1000 - 50)
})

test('one that was given up is asked again where it is added again', async () => {
  const { infoHash, torrent } = await torrentOf(2)
  const to = testNode()
  answer = ({ response }) => void response.writeHead(404).end()
  await to.node.add(torrent, { webSeeds: [url] })
  await vi.waitUntil(() => asked.length > 0)
  await vi.waitUntil(async () => (await to.node.states())[0]!.status === 'finding')
  answer = whole
  await to.node.add(torrent, { webSeeds: [url] })
  await to.until(infoHash, ({ done }) => done)
})

test('who goes on reading elsewhere does not wait for what is under way', async () => {
  const { infoHash, torrent } = await torrentOf(200)
  const to = testNode()
  answer = ({ response }) => void response.writeHead(206).flushHeaders()
  await to.node.add(torrent, { webSeeds: [url] })
  await vi.waitUntil(() => asked.length === 2)
  const elsewhere = Array.from({ length: 200 }, (_, i) => i).find((i) =>
    asked.every(({ start, end }) => i * pieceLength < start || i * pieceLength >= end))!
  answer = whole
  await read(to, infoHash, elsewhere)
  expect(asked[2]!.start).toBe(elsewhere * pieceLength)
})
