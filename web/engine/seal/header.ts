import { fromBase64url, toBase64url, utf8, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { sizeOf } from '../torrent/bencode.ts'
import { authorOf } from '../torrent/metainfo.ts'
import { cleanPaths, cleanText } from '../torrent/names.ts'

/** What a container says of its files. */
export interface Header {
  name: string
  files: HeaderFile[]
  /** Who may sign cards: 65 bytes. */
  author?: Bytes
}

export interface HeaderFile {
  path: string
  /** The path's last part. */
  name: string
  /** Bytes. */
  size: number
  /** MIME type, or ''. */
  type: string
  /** Where it begins among the files' bytes. */
  offset: number
}

/** Bytes of JSON. */
export const maxHeader = 1 << 20
const maxFiles = 1 << 14
/** A MIME type, with parameters whose values may be quoted. */
const mime = /^[\w.+-]+\/[\w.+-]+(;[\w ,.+="-]*)?$/

/** The JSON, UTF-8; it must be stored for as long as the torrent is seeded. Throws 'too-large' (many files). */
export function makeHeader(header: {
  name: string
  files: readonly { path: string; size: number; type: string }[]
  author?: Bytes
}): Bytes {
  const { name, files, author } = header
  const json = utf8.encode(JSON.stringify({
    v: 1, name, files: files.map(({ path, size, type }) => ({ path, size, type })),
    author: author && toBase64url(author),
  }))
  if (json.length > maxHeader || files.length > maxFiles) {
    throw new StarlingError('too-large', 'These are too many files for one private link. Share fewer.')
  }
  return json
}

/** Undefined where it is no JSON, or not UTF-8. */
export function parseJson(bytes: Bytes): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** A stranger's header, made clean; undefined where it cannot be used. size: bytes that all files must have. */
export function parseHeader(json: Bytes, size: number): Header | undefined {
  const value = parseJson(json) as { v?: unknown; name?: unknown; files?: unknown; author?: unknown } | null | undefined
  if (value?.v !== 1 || !Array.isArray(value.files) || !value.files.length || value.files.length > maxFiles) return
  const list = value.files as ({ path?: unknown; size?: unknown; type?: unknown } | null)[]
  let offset = 0
  const files: HeaderFile[] = []
  for (const file of list) {
    const { path, type } = file ?? {}
    const size = sizeOf(file?.size)
    if (typeof path !== 'string' || size === undefined) return
    const known = typeof type === 'string' && type.length < 200 && mime.test(type)
    files.push({ path, name: '', size, type: known ? type : '', offset })
    offset += size
  }
  if (offset !== size) return
  for (const [i, path] of cleanPaths(files.map((file) => file.path.split('/'))).entries()) {
    Object.assign(files[i]!, { path, name: path.slice(path.lastIndexOf('/') + 1) })
  }
  return {
    name: (typeof value.name === 'string' && cleanText(value.name, 200)) || files[0]!.name, files,
    author: authorOf(typeof value.author === 'string' ? fromBase64url(value.author) : undefined),
  }
}
