import { concat, fromHex, fromUint32, utf8, type Bytes } from '../bytes.ts'

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

/** The first 68 bytes of a wire, with BEP 6 and 10. Both are 40 hex digits. */
export function handshake(infoHash: string, peerId: string): Bytes {
  return concat([protocol, fromHex('0000000000100004' + infoHash + peerId)!])
}

/** One message in one buffer; payloads are copied once. */
export function message(id: number, numbers: readonly number[] = [], ...payloads: Uint8Array[]): Bytes {
  const parts = [Uint8Array.of(id), ...numbers.map(fromUint32), ...payloads]
  return concat([fromUint32(parts.reduce((sum, part) => sum + part.length, 0)), ...parts])
}

/** What a piece message begins with; length is that of the data that follows. */
export function pieceHead(index: number, begin: number, length: number): Bytes {
  return concat([fromUint32(9 + length), Uint8Array.of(piece), fromUint32(index), fromUint32(begin)])
}

/** BEP 10: id 0 is its handshake, others are what the receiver named in its own. */
export function extension(id: number, payload: Uint8Array): Bytes {
  return message(extended, [], Uint8Array.of(id), payload)
}
