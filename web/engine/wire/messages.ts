import { fromHex, utf8, type Bytes } from '../bytes.ts'

export const choke = 0
export const unchoke = 1
export const interested = 2
export const notInterested = 3
export const have = 4
export const bitfield = 5
export const request = 6
export const piece = 7
export const cancel = 8
export const suggest = 13
export const haveAll = 14
export const haveNone = 15
export const reject = 16
export const allowedFast = 17
export const extended = 20

export const protocol = utf8.encode('\x13BitTorrent protocol')

/** The first 68 bytes of a wire. Both are 40 hex digits. */
export function handshake(infoHash: string, peerId: string): Bytes {
  const bytes = new Uint8Array(68)
  bytes.set(protocol)
  bytes[25] = 0x10 // BEP 10
  bytes[27] = 0x04 // BEP 6
  bytes.set(fromHex(infoHash)!, 28)
  bytes.set(fromHex(peerId)!, 48)
  return bytes
}

/** One message in one buffer; payload is copied once. */
export function message(id: number, numbers: readonly number[] = [], payload: Uint8Array = new Uint8Array()): Bytes {
  const start = 5 + 4 * numbers.length
  const bytes = new Uint8Array(start + payload.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, bytes.length - 4)
  bytes[4] = id
  numbers.forEach((number, i) => view.setUint32(5 + 4 * i, number))
  bytes.set(payload, start)
  return bytes
}

/** BEP 10: id 0 is its handshake, others are what the receiver named in its own. */
export function extension(id: number, payload: Uint8Array): Bytes {
  const bytes = new Uint8Array(6 + payload.length)
  new DataView(bytes.buffer).setUint32(0, 2 + payload.length)
  bytes[4] = extended
  bytes[5] = id
  bytes.set(payload, 6)
  return bytes
}
