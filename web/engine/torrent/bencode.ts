/**
 * What a torrent is: its metadata, and the strings and files by which people pass it on.
 *
 *   string or file ─ parseId (link.ts, magnet.ts) ─▶ infohash, key, trackers
 *   .torrent file  ─ parseTorrent (metainfo.ts)   ─▶ the info dictionary's bytes ─ parseInfo ─▶ Info
 *
 * All of it comes from strangers. Every function returns something valid and bounded, or throws a StarlingError.
 *
 * This file is bencoding (BEP 3): i<number>e, <length>:<bytes>, l…e and d…e.
 */
import { concat, fromBinary, toBinary, utf8, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'

/** Dictionaries have binary strings as keys (see toBinary), strings are views of what was decoded. */
export type Value = number | Bytes | Value[] | Dict
export type Dict = Map<string, Value>

/** What can be written besides: text as UTF-8, objects as dictionaries, without their undefined members. */
export type Encodable = number | string | Uint8Array | readonly Encodable[] | ReadonlyMap<string, Encodable> |
  { readonly [key: string]: Encodable | undefined }

const maxDepth = 64
const maxValues = 1 << 20
const maxKey = 4096

export const damaged = (): StarlingError =>
  new StarlingError('bad-torrent', 'This torrent is damaged. Ask for it again where you got it.')

/** Canonical: keys sorted as bytes. Throws a TypeError on a number that is no safe integer. */
export function encode(value: Encodable): Bytes {
  const parts: Uint8Array[] = []
  const text = (string: string): number => parts.push(utf8.encode(string))
  const bytes = (data: Uint8Array): number => (text(`${data.length}:`), parts.push(data))
  const write = (item: Encodable): void => {
    if (typeof item === 'number') {
      if (!Number.isSafeInteger(item)) throw new TypeError(`cannot bencode ${item}`)
      text(`i${item}e`)
    } else if (typeof item === 'string') {
      bytes(utf8.encode(item))
    } else if (item instanceof Uint8Array) {
      bytes(item)
    } else if (Array.isArray(item)) {
      text('l')
      item.forEach(write)
      text('e')
    } else {
      const entries: [string, Encodable | undefined][] = item instanceof Map ? [...item] : Object.entries(item)
      text('d')
      for (const [key, member] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (member === undefined) continue
        bytes(fromBinary(key))
        write(member)
      }
      text('e')
    }
  }
  write(value)
  return concat(parts)
}

type OnTop = (key: string, start: number, end: number) => void

/** As parse. Throws 'bad-torrent'. */
export function decode(bytes: Bytes): Value {
  const value = parse(bytes)
  if (value === undefined) throw damaged()
  return value
}

/** As parsePrefix. Throws 'bad-torrent'. */
export function decodePrefix(bytes: Bytes, ontop?: OnTop): [Value, length: number] {
  const parsed = parsePrefix(bytes, ontop)
  if (!parsed) throw damaged()
  return parsed
}

/** One value and nothing after it, or undefined. */
export function parse(bytes: Bytes): Value | undefined {
  const [value, length] = parsePrefix(bytes) ?? []
  return length === bytes.length ? value : undefined
}

/**
 * The value that bytes begin with, and its length; undefined where there is none. ontop is told where each value of the
 * outermost dictionary lies.
 */
export function parsePrefix(bytes: Bytes, ontop?: OnTop): [Value, length: number] | undefined {
  const wrong = (): RangeError => new RangeError()
  let at = 0
  let values = 0

  /** A decimal number without leading zeros, up to the byte given. */
  const number = (end: number, form: RegExp): number => {
    const from = at
    const limit = at + 20
    while (bytes[at] !== end) {
      if (at >= bytes.length || at > limit) throw wrong()
      at++
    }
    const text = toBinary(bytes.subarray(from, at++))
    if (!form.test(text)) throw wrong()
    return Number(text)
  }

  const string = (): Bytes => {
    const length = number(0x3a, /^(0|[1-9]\d*)$/)
    if (length > bytes.length - at) throw wrong()
    return bytes.subarray(at, (at += length))
  }

  const value = (depth: number): Value => {
    if (depth > maxDepth || ++values > maxValues) throw wrong()
    const kind = bytes[at]
    if (kind === 0x69) {
      at++
      return number(0x65, /^(0|-?[1-9]\d*)$/)
    }
    if (kind === 0x6c) {
      const list: Value[] = []
      for (at++; bytes[at] !== 0x65; ) list.push(value(depth + 1))
      at++
      return list
    }
    if (kind === 0x64) {
      const dict: Dict = new Map()
      for (at++; bytes[at] !== 0x65; ) {
        const raw = string()
        const key = raw.length > maxKey ? '' : toBinary(raw)
        if (key.length !== raw.length || dict.has(key)) throw wrong()
        const start = at
        dict.set(key, value(depth + 1))
        if (!depth) ontop?.(key, start, at)
      }
      at++
      return dict
    }
    return string()
  }

  try {
    return [value(0), at]
  } catch {
    return undefined
  }
}

/* Typed views of untrusted values; undefined (or nothing) where the value is something else. */

export const dictOf = (value: Value | undefined): Dict | undefined => (value instanceof Map ? value : undefined)
export const listOf = (value: Value | undefined): Value[] => (Array.isArray(value) ? value : [])
export const bytesOf = (value: Value | undefined): Bytes | undefined =>
  value instanceof Uint8Array ? value : undefined
/** A safe integer of at least 0. */
export const sizeOf = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined

const utf8Decoder = /* @__PURE__ */ new TextDecoder()
/** UTF-8; what is not becomes U+FFFD. */
export function textOf(value: Value | undefined): string | undefined {
  if (!(value instanceof Uint8Array)) return undefined
  // A decoder takes many times as long for the short names of which a torrent may have many.
  const plain = value.length < 512 ? String.fromCharCode.apply(null, value as unknown as number[]) : '\n'
  return /^[ -~]*$/.test(plain) ? plain : utf8Decoder.decode(value)
}
