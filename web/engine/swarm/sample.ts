/** For tests: a torrent of one file, made anew before each, and nodes and strangers that have or lack it. */
import { afterEach, beforeEach, expect } from 'vitest'
import type { Bytes } from '../bytes.ts'
import type { Stores } from '../store/store.ts'
import { makeInfo, makeTorrent } from '../torrent/making.ts'
import { infoHashOf, parseInfo } from '../torrent/metainfo.ts'
import { hashPieces } from './hash.ts'
import { destroyAll, MemoryLink, noise, Stranger, testNode, type TestNode } from './testing.ts'

export const pieceLength = 64 << 10
export const block = 16 << 10

export let data: Bytes
export let info: Bytes
export let infoHash: string
export let torrent: Bytes

beforeEach(() => make(10 * pieceLength - 1000))
afterEach(destroyAll)

export async function make(length: number): Promise<void> {
  ;({ data, info, infoHash, torrent } = await torrentOf(noise(length), pieceLength))
}

/** From here on the torrent says this of itself, whatever its data. */
export async function claim(metadata: Bytes): Promise<void> {
  info = metadata
  infoHash = await infoHashOf(info)
  torrent = makeTorrent(info, [], [])
}

export async function torrentOf(data: Bytes, pieceLength: number) {
  const { length } = data
  const hashes = await hashPieces(async (start, end) => data.slice(start, end), length, pieceLength)
  const info = makeInfo({ name: 'data.bin', files: [{ path: 'data.bin', size: length }], pieceLength, hashes })
  return { data, pieceLength, info, infoHash: await infoHashOf(info), torrent: makeTorrent(info, [], []) }
}

export const part = (index: number, begin: number, length: number): Bytes =>
  data.slice(index * pieceLength + begin, index * pieceLength + begin + length)

export async function leecher(options = {}, stores?: Stores): Promise<TestNode> {
  const node = testNode(options, stores)
  await node.node.add(torrent, {})
  return node
}

export async function seeder(options = {}): Promise<TestNode> {
  const node = testNode(options)
  const state = await node.node.seed([new File([data], 'data.bin')], {})
  expect(state.infoHash).toBe(infoHash)
  return node
}

/** A peer that knows the metadata. link: the node's end of one that it has already. */
export function stranger(to: TestNode, link?: MemoryLink): Stranger {
  const peer = new Stranger(to, infoHash, undefined, link)
  peer.wire.info = parseInfo(info)
  return peer
}

/** A peer that has all and answers what it is asked. lie may change what it sends. */
export function seed(to: TestNode, lie: (data: Bytes, index: number, begin: number) => Bytes = (data) => data): Stranger {
  const peer = stranger(to)
  void peer.met.promise.then(() => {
    peer.wire.extendedHandshake({ version: 'test', reqq: 500, metadataSize: info.length })
    peer.wire.bitfield(new Uint8Array(), 10, 10)
    peer.wire.unchoke()
  })
  peer.request = (index, begin, length) => peer.wire.piece(index, begin, lie(part(index, begin, length), index, begin))
  return peer
}

export const wrong = (data: Bytes): Bytes => data.map((byte) => ~byte)

export async function whole(node: TestNode): Promise<void> {
  await node.until(infoHash, ({ done }) => done)
  const blob = await node.node.blob(infoHash, 0)
  expect(Buffer.compare(new Uint8Array(await blob.arrayBuffer()), data)).toBe(0)
}
