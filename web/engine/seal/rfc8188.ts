/**
 * Private data: the sealed container, and cards (docs/protocol.md, "Seals" and "Cards").
 *
 *   plaintext ─ SealedSource (sealed.ts) ─▶ container, range by range ─▶ pieces
 *   pieces ─ Opened (opened.ts) ─▶ header and files, range by range
 *   JSON ─ packCard (card.ts) ─▶ signed (and sealed) card ─ readCard ─▶ JSON
 *
 * This file is RFC 8188, "aes128gcm", record by record:
 *
 *   +-----------+-----------------+-----------+---------------+
 *   | salt (16) | record size (4) | idlen (1) | keyid (idlen) |  then records of that size, the last one shorter
 *   +-----------+-----------------+-----------+---------------+
 *   record: AES-128-GCM(data ‖ delimiter: 2 in the last record, else 1 ‖ zeros), its tag of 16 bytes included
 */
import { concat, fromUint32, toUint32, utf8, type Bytes } from '../bytes.ts'

/** Bytes that a record has more than its data: delimiter and tag. */
export const overhead = 17
/** Bytes of a body's header whose keyid is empty. */
export const headLength = 21

/** What stands before the records. */
export interface Head {
  salt: Bytes
  recordSize: number
  keyId: Bytes
  /** Bytes of the header itself. */
  length: number
}

/** Without a key id. salt: 16 bytes; recordSize in bytes, of ciphertext. */
export function makeHead(salt: Bytes, recordSize: number): Bytes {
  return concat([salt, fromUint32(recordSize), new Uint8Array(1)])
}

/** Undefined where body is no header, or too short for it. */
export function parseHead(body: Bytes): Head | undefined {
  const length = headLength + (body[20] ?? 0)
  if (body.length < length) return undefined
  const recordSize = toUint32(body, 16)
  return recordSize > overhead
    ? { salt: body.slice(0, 16), recordSize, keyId: body.slice(headLength, length), length }
    : undefined
}

/** HKDF-SHA-256 (RFC 5869); info is ASCII. */
export async function derive(key: Bytes, salt: Bytes, info: string, length: number): Promise<Bytes> {
  const ikm = await crypto.subtle.importKey('raw', key, 'HKDF', false, ['deriveBits'])
  const params = { name: 'HKDF', hash: 'SHA-256', salt, info: utf8.encode(info) }
  return new Uint8Array(await crypto.subtle.deriveBits(params, ikm, 8 * length))
}

/** key: 16 bytes. */
export function importAes(key: Bytes): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt'])
}

/** Seals and opens records in any order. */
export class Cipher {
  readonly #key: CryptoKey
  readonly #nonce: Bytes

  private constructor(key: CryptoKey, nonce: Bytes) {
    this.#key = key
    this.#nonce = nonce
  }

  /** key: the input keying material. */
  static async derive(key: Bytes, salt: Bytes): Promise<Cipher> {
    const [cek, nonce] = await Promise.all([
      derive(key, salt, 'Content-Encoding: aes128gcm\0', 16),
      derive(key, salt, 'Content-Encoding: nonce\0', 12),
    ])
    return new Cipher(await importAes(cek), nonce)
  }

  /** data, a delimiter and no padding, sealed. */
  async seal(sequence: number, data: Uint8Array, last: boolean): Promise<Bytes> {
    const record = new Uint8Array(data.length + 1)
    record.set(data)
    record[data.length] = last ? 2 : 1
    return new Uint8Array(await crypto.subtle.encrypt(this.#params(sequence), this.#key, record))
  }

  /** The record's data; undefined where its delimiter is not what it has to be. Rejects where it does not open. */
  async open(sequence: number, record: Bytes, last: boolean): Promise<Bytes | undefined> {
    const plain = new Uint8Array(await crypto.subtle.decrypt(this.#params(sequence), this.#key, record))
    let end = plain.length - 1
    while (end >= 0 && !plain[end]) end--
    return plain[end] === (last ? 2 : 1) ? plain.subarray(0, end) : undefined
  }

  /** The nonce is that of the body XOR the sequence number, as 96 bits (RFC 8188, section 2.3). */
  #params(sequence: number): AesGcmParams {
    const number = [fromUint32(0), fromUint32(sequence / 2 ** 32), fromUint32(sequence)]
    return { name: 'AES-GCM', iv: concat(number).map((byte, i) => byte ^ this.#nonce[i]!) }
  }
}
