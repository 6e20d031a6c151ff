import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat, fromBase64url, random, toHex, utf8, type Bytes } from '../bytes.ts'
import { Cipher, headLength, makeHead, overhead, parseHead } from './rfc8188.ts'

/** A whole body's data, record by record. */
async function openAll(body: Bytes, key: Bytes): Promise<Bytes | undefined> {
  const head = parseHead(body)!
  const cipher = await Cipher.derive(key, head.salt)
  const parts: Bytes[] = []
  for (let at = head.length, sequence = 0; at < body.length; at += head.recordSize, sequence++) {
    const record = body.subarray(at, at + head.recordSize)
    const data = await cipher.open(sequence, record, at + head.recordSize >= body.length)
    if (!data) return undefined
    parts.push(data)
  }
  return concat(parts)
}

const text = (bytes: Bytes | undefined): string => new TextDecoder().decode(bytes)

test('RFC 8188, section 3.1: one record', async () => {
  const key = fromBase64url('yqdlZ-tYemfogSmv7Ws5PQ')!
  const body = fromBase64url('I1BsxtFttlv3u_Oo94xnmwAAEAAA-NAVub2qFgBEuQKRapoZu-IxkIva3MEB1PD-ly8Thjg')!
  expect(parseHead(body)).toEqual({ salt: body.slice(0, 16), recordSize: 4096, keyId: new Uint8Array(), length: 21 })
  expect(text(await openAll(body, key))).toBe('I am the walrus')
  const cipher = await Cipher.derive(key, body.slice(0, 16))
  const record = await cipher.seal(0, utf8.encode('I am the walrus'), true)
  expect(concat([makeHead(body.slice(0, 16), 4096), record])).toEqual(body)
})

test('RFC 8188, section 3.2: two records, padding and a key id', async () => {
  const key = fromBase64url('BO3ZVPxUlnLORbVGMpbT1Q')!
  const body = fromBase64url(
    'uNCkWiNYzKTnBN9ji3-qWAAAABkCYTHOG8chz_gnvgOqdGYovxyjuqRyJFjEDyoF1Fvkj6hQPdPHI51OEUKEpgz3SsLWIqS_uA')!
  expect(parseHead(body)).toMatchObject({ recordSize: 25, keyId: utf8.encode('a1'), length: 23 })
  expect(text(await openAll(body, key))).toBe('I am the walrus')
})

test('large sequence numbers reach beyond 32 bits of the nonce', async () => {
  const cipher = await Cipher.derive(new Uint8Array(16), new Uint8Array(16))
  const sequences = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 5, 2 ** 53 - 1]
  const records = await Promise.all(sequences.map((sequence) => cipher.seal(sequence, utf8.encode('x'), false)))
  expect(new Set(records.map(toHex)).size).toBe(sequences.length)
  for (const [i, record] of records.entries()) {
    expect(text(await cipher.open(sequences[i]!, record, false))).toBe('x')
    await expect(cipher.open(sequences[i]! === 0 ? 7 : sequences[i]! - 1, record, false)).rejects.toThrow()
  }
})

test('a nonce is the base XOR the number, in each of its bits', async () => {
  // The same by another way: AES-GCM with the nonce computed in big integers.
  const key = random(16)
  const salt = random(16)
  const hkdf = async (info: string, length: number): Promise<Bytes> => new Uint8Array(await crypto.subtle.deriveBits(
    { name: 'HKDF', hash: 'SHA-256', salt, info: utf8.encode(`Content-Encoding: ${info}\0`) },
    await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveBits']), length * 8))
  const base = BigInt(`0x${toHex(await hkdf('nonce', 12))}`)
  const aes = await crypto.subtle.importKey('raw', await hkdf('aes128gcm', 16), 'AES-GCM', false, ['encrypt'])
  const cipher = await Cipher.derive(key, salt)
  for (const sequence of [0, 1, 255, 2 ** 32 + 3, 2 ** 52 + 2 ** 33 + 9]) {
    const hex = (base ^ BigInt(sequence)).toString(16).padStart(24, '0')
    const iv = Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16))
    const other = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, aes, new Uint8Array([5, 1])))
    expect(await cipher.seal(sequence, new Uint8Array([5]), false)).toEqual(other)
  }
})

test('delimiters and padding', async () => {
  const key = random(16)
  const salt = random(16)
  const cipher = await Cipher.derive(key, salt)
  const sealed = await cipher.seal(0, new Uint8Array([5]), false)
  expect(await cipher.open(0, sealed, false)).toEqual(new Uint8Array([5]))
  expect(await cipher.open(0, sealed, true)).toBeUndefined()
  expect(await cipher.open(0, await cipher.seal(0, new Uint8Array([5]), true), false)).toBeUndefined()
  expect(await cipher.open(0, await cipher.seal(0, new Uint8Array(), true), true)).toEqual(new Uint8Array())
  const zeros = new Uint8Array([2, 0, 0])
  expect(await cipher.open(0, await cipher.seal(0, zeros, true), true)).toEqual(zeros)
  await expect(cipher.open(0, new Uint8Array(16), true)).rejects.toThrow()
  await expect(cipher.open(0, new Uint8Array(3), true)).rejects.toThrow()
})

test('headers that are none', () => {
  expect(parseHead(new Uint8Array())).toBeUndefined()
  expect(parseHead(new Uint8Array(20))).toBeUndefined()
  expect(parseHead(makeHead(new Uint8Array(16), overhead))).toBeUndefined()
  expect(parseHead(makeHead(new Uint8Array(16), overhead + 1))).toMatchObject({ recordSize: 18, length: headLength })
  const long = makeHead(new Uint8Array(16), 4096)
  long[20] = 5
  expect(parseHead(long)).toBeUndefined()
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseHead(new Uint8Array(bytes))))
})
