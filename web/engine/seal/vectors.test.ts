import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { concat, fromBase64url, fromHex, toHex, utf8, type Bytes } from '../bytes.ts'
import { cleanPaths } from '../torrent/names.ts'
import { makeHeader, parseHeader } from './header.ts'
import { Opened } from './opened.ts'
import { Cipher, parseHead } from './rfc8188.ts'
import { SealedSource, type Read } from './sealed.ts'

interface VectorHeader {
  name: string
  many?: number
  files?: { path: string; size: number; type: string }[]
  author?: string
}

interface Vectors {
  rfc8188: { section: string; key: string; body: string; recordSize: number; keyId: string; text: string }[]
  headers: { header: VectorHeader; json: string }[]
  containers: { what: string; key: string; salt: string; header: VectorHeader; length: number; sha256: string; hex?: string }[]
  refused: {
    what: string; container: number; key?: string; flip?: number; cut?: number
    open?: string; ok?: [number, number][]; bad?: [number, number][]
  }[]
  parsed: { json: string; size: number; header: VectorHeader | null }[]
  paths: { paths: string[]; clean: string[] }[]
}

/** What the Go package seal reads, too. */
const vectors = JSON.parse(
  readFileSync(new URL('../../../seal/testdata/vectors.json', import.meta.url), 'utf8')) as Vectors

const content = (size: number): Bytes => Uint8Array.from({ length: size }, (_, i) => i ^ (i >> 8) ^ (i >> 16))
const reading = (data: Bytes): Read => (start, end) => Promise.resolve(data.slice(start, end))
const same = (a: Bytes, b: Bytes): void => expect(Buffer.compare(a, b)).toBe(0)

function headerOf({ name, many = 0, files = [], author }: VectorHeader): Parameters<typeof makeHeader>[0] {
  const list = Array.from({ length: many }, (_, i) => ({ path: `folder ${i % 7}/file ${i}`, size: i % 5, type: '' }))
  return { name, files: [...list, ...files], author: author === undefined ? undefined : fromBase64url(author)! }
}

async function seal(index: number): Promise<{ key: Bytes; sealed: Bytes; size: number }> {
  const { key: text, salt, header } = vectors.containers[index]!
  const key = fromBase64url(text)!
  const given = headerOf(header)
  const size = given.files.reduce((sum, file) => sum + file.size, 0)
  const source = await SealedSource.create({
    key, salt: fromHex(salt)!, header: makeHeader(given), size, read: reading(content(size)),
  })
  return { key, sealed: await source.read(0, source.length), size }
}

test.each(vectors.rfc8188)('RFC 8188, section $section', async ({ key, body: text, recordSize, keyId, text: plain }) => {
  const body = fromBase64url(text)!
  const head = parseHead(body)!
  expect(head).toMatchObject({ recordSize, keyId: utf8.encode(keyId) })
  const cipher = await Cipher.derive(fromBase64url(key)!, head.salt)
  const parts: Bytes[] = []
  for (let at = head.length; at < body.length; at += recordSize) {
    parts.push((await cipher.open(parts.length, body.subarray(at, at + recordSize), at + recordSize >= body.length))!)
  }
  expect(new TextDecoder().decode(concat(parts))).toBe(plain)
})

test('headers, to the byte', () => {
  for (const { header, json } of vectors.headers) expect(new TextDecoder().decode(makeHeader(headerOf(header)))).toBe(json)
})

describe.each(vectors.containers.map((vector, index) => ({ ...vector, index })))('$what', ({ index, header, length, sha256, hex }) => {
  test('sealed and opened', async () => {
    const { key, sealed, size } = await seal(index)
    expect(sealed).toHaveLength(length)
    expect(toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', sealed)))).toBe(sha256)
    if (hex) expect(toHex(sealed)).toBe(hex)
    const opened = await Opened.open(key, sealed.length, reading(sealed))
    expect({ ...opened.header, files: opened.header.files.map(({ path, size, type }) => ({ path, size, type })) })
      .toEqual(headerOf(header))
    same(await opened.read(0, size), content(size))
  })
})

test.each(vectors.refused)('refused: $what', async ({ container, key, flip, cut, open, ok, bad }) => {
  const { key: own, sealed: whole, size } = await seal(container)
  if (flip !== undefined) whole[flip]! ^= 1
  const sealed = whole.slice(0, cut)
  const opening = Opened.open(key === undefined ? own : fromBase64url(key)!, sealed.length, reading(sealed))
  if (open) return expect(opening).rejects.toMatchObject({ code: open })
  const opened = await opening
  for (const [start, end] of ok!) same(await opened.read(start, end), content(size).slice(start, end))
  for (const [start, end] of bad!) {
    await expect(opened.read(start, end)).rejects.toMatchObject({ code: 'bad-torrent' })
  }
})

test('headers of strangers', () => {
  for (const { json, size, header } of vectors.parsed) {
    const parsed = parseHeader(utf8.encode(json), size)
    expect(parsed && { ...parsed, files: parsed.files.map(({ path, size, type }) => ({ path, size, type })) })
      .toEqual(header ? headerOf(header) : undefined)
  }
})

test('paths of strangers', () => {
  for (const { paths, clean } of vectors.paths) expect(cleanPaths(paths.map((path) => path.split('/')))).toEqual(clean)
})
