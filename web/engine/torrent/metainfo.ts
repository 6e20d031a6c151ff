import { sha1, toHex, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { urlOf } from '../url.ts'
import {
  bytesOf, damaged, decode, decodePrefix, dictOf, listOf, sizeOf, textOf, type Value,
} from './bencode.ts'
import { cleanName, cleanPaths } from './names.ts'

/** BEP 9 metadata, and so info dictionaries, are at most this long. */
export const maxInfo = 8 << 20
/** What requests are counted in by everybody: pieces are multiples of it. */
export const blockSize = 16 << 10
const maxPieceLength = 64 << 20
const maxFiles = 1 << 16
const maxUrls = 32

export interface InfoFile {
  /** '/'-joined, clean (names.ts), without the torrent's name in front. */
  path: string
  /** The path's last part. */
  name: string
  /** Where it begins among the torrent's bytes. */
  offset: number
  /** Bytes. */
  size: number
  /** Its path under a web seed's URL (BEP 19), percent-encoded, as the torrent spells it and with its name in front. */
  url: string
}

/** An info dictionary that can be relied upon. */
export interface Info {
  name: string
  /** Bytes, a multiple of blockSize. */
  pieceLength: number
  /** Bytes of all pieces, padding (BEP 47) included. */
  length: number
  /** How many. */
  pieces: number
  /** SHA-1 of a piece, 20 bytes. */
  hashAt(index: number): Bytes
  /** In order of offset. Padding (BEP 47) and symbolic links are left out: bytes of no file are zeros. */
  files: InfoFile[]
  /** Who may sign cards: an uncompressed P-256 point, 65 bytes (docs/protocol.md). */
  author?: Bytes
}

const unusable = (): StarlingError =>
  new StarlingError('bad-torrent', 'This torrent is of a kind that Starling cannot fetch. Ask for another one.')

/** Throws 'bad-torrent'. */
export function parseInfo(infoBytes: Bytes): Info {
  if (infoBytes.length > maxInfo) throw unusable()
  const dict = dictOf(decode(infoBytes))
  const hashes = bytesOf(dict?.get('pieces'))
  const pieceLength = sizeOf(dict?.get('piece length'))
  if (!dict) throw damaged()
  // Without hashes it is for BEP 52 alone.
  if (!hashes || !pieceLength || pieceLength % blockSize || pieceLength > maxPieceLength) throw unusable()

  const rawName = textOf(dict.get('name.utf-8') ?? dict.get('name')) ?? ''
  const name = cleanName(rawName)
  const list = dict.get('files')
  const entries = list === undefined ? [dict] : listOf(list).map(dictOf)

  if (entries.length > maxFiles) throw unusable()

  let length = 0
  const kept: { parts: string[]; offset: number; size: number }[] = []
  for (const entry of entries) {
    const size = sizeOf(entry?.get('length'))
    const parts = list === undefined ? [rawName] : partsOf(entry?.get('path.utf-8') ?? entry?.get('path'))
    if (!entry || size === undefined || !parts) throw damaged()
    if (!/[pl]/.test(textOf(entry.get('attr')) ?? '')) kept.push({ parts, offset: length, size })
    length += size
  }
  const pieces = Math.ceil(length / pieceLength)
  if (!kept.length || hashes.length !== 20 * pieces) throw damaged()

  const paths = cleanPaths(kept.map(({ parts }) => parts))
  const files = kept.map(({ parts, offset, size }, i) => {
    const path = paths[i]!
    return {
      path, name: path.slice(path.lastIndexOf('/') + 1), offset, size,
      // Only web seeds ask, and of few of many.
      get url() {
        return (list === undefined ? parts : [rawName, ...parts]).map(urlPart).join('/')
      },
    }
  })
  return {
    name, pieceLength, length, pieces, files,
    hashAt: (index) => hashes.subarray(20 * index, 20 * index + 20),
    author: authorOf(bytesOf(dict.get('author'))),
  }
}

/** An uncompressed P-256 point, or nothing. */
export const authorOf = (point: Bytes | undefined): Bytes | undefined =>
  point?.length === 65 && point[0] === 4 ? point : undefined

function partsOf(path: Value | undefined): string[] | undefined {
  const parts = listOf(path).map(textOf)
  return parts.length && parts.every((part) => part !== undefined) ? parts : undefined
}

/** '..' and the like would lead a web seed's URL elsewhere. */
function urlPart(part: string): string {
  return /^\.*$/.test(part) ? '_' : encodeURIComponent(part)
}

export interface TorrentFile {
  /** As hashed. */
  infoBytes: Bytes
  /** ws: and wss: only, as no other can be reached from a browser. */
  trackers: string[]
  webSeeds: string[]
}

/** A .torrent file (BEP 3, 12, 19). The info dictionary itself is left to parseInfo. Throws 'bad-torrent'. */
export function parseTorrent(bytes: Bytes): TorrentFile {
  let infoBytes: Bytes | undefined
  const [value, length] = decodePrefix(bytes, (key, start, end) => {
    if (key === 'info') infoBytes = bytes.slice(start, end)
  })
  const dict = dictOf(value)
  if (!dict || !infoBytes || length < bytes.length) throw damaged()
  const seeds = dict.get('url-list')
  return {
    infoBytes,
    trackers: trackerUrls([...listOf(dict.get('announce-list')).flatMap(listOf), dict.get('announce')].map(textOf)),
    webSeeds: seedUrls((seeds instanceof Uint8Array ? [seeds] : listOf(seeds)).map(textOf)),
  }
}

/** Those that can be used, once each, at most 32. */
export const trackerUrls = (urls: readonly (string | undefined)[]): string[] => usable(urls, /^wss?:$/)
export const seedUrls = (urls: readonly (string | undefined)[]): string[] => usable(urls, /^https?:$/)

function usable(urls: readonly (string | undefined)[], schemes: RegExp): string[] {
  const good = urls.filter((url): url is string =>
    !!url && url.length <= 2048 && schemes.test(urlOf(url)?.protocol ?? ''))
  return [...new Set(good)].slice(0, maxUrls)
}

/** SHA-1, 40 hex digits. */
export async function infoHashOf(infoBytes: Bytes): Promise<string> {
  return toHex(await sha1(infoBytes))
}
