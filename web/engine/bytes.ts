/** Bytes that own or view an ordinary (not shared) buffer: what WebCrypto, Blob and data channels accept. */
export type Bytes = Uint8Array<ArrayBuffer>

export const utf8 = new TextEncoder()

/** room: where to put them, where they fit; what comes back is good until it is used again. */
export function concat(parts: readonly Uint8Array[], room?: Bytes): Bytes {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const all = room && length <= room.length ? room.subarray(0, length) : new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

export async function sha1(data: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest('SHA-1', data))
}

export function random(length: number): Bytes {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** Four bytes, big-endian, of a number below 2^32. */
export function fromUint32(value: number): Bytes {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** The number in four bytes, big-endian. */
export function toUint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at)
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Throws nothing: undefined for anything but an even number of hex digits. */
export function fromHex(text: string): Bytes | undefined {
  if (text.length % 2 || !/^[0-9a-f]*$/i.test(text)) return undefined
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16))
}

/** A "binary string": one code point U+0000 to U+00FF per byte, as WebTorrent trackers want it. */
export function toBinary(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

/** What toBinary made of bytes. */
export function fromBinary(text: string): Bytes {
  return Uint8Array.from(text, (char) => char.charCodeAt(0))
}

/** Base64url without padding (RFC 4648, section 5). */
export function toBase64url(bytes: Uint8Array): string {
  return btoa(toBinary(bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')
}

/** Throws nothing: undefined for anything else. */
export function fromBase64url(text: string): Bytes | undefined {
  if (!/^[\w-]*$/.test(text) || text.length % 4 === 1) return undefined
  return fromBinary(atob(text.replace(/-/g, '+').replace(/_/g, '/')))
}
