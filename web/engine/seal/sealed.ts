import { concat, fromUint32, type Bytes } from '../bytes.ts'
import { Records } from './records.ts'
import { Cipher, headLength, makeHead, overhead } from './rfc8188.ts'

/** A seal's records are this long; they carry this much. */
export const recordSize = 1 << 16
export const dataSize = recordSize - overhead

/** How many more records are made at once where reading goes on from one to the next. */
const readAhead = 7

/** Reads bytes [start, end). */
export type Read = (start: number, end: number) => Promise<Bytes>

/** How long the container of so much plaintext (header and its length included) is. */
export function sealedLength(plain: number): number {
  return headLength + plain + overhead * Math.max(1, Math.ceil(plain / dataSize))
}

export interface SealInput {
  /** 16 bytes, as in the link. */
  key: Bytes
  /** 16 random bytes, never used with other content. */
  salt: Bytes
  /** From makeHeader. */
  header: Bytes
  /** Bytes of all files. */
  size: number
  /** Bytes of the files, as if they were one. */
  read: Read
}

/** A container, made as it is read: the same bytes each time for the same input. */
export class SealedSource {
  /** Bytes. */
  readonly length: number
  readonly #head: Bytes
  readonly #records: Records

  private constructor(length: number, head: Bytes, records: Records) {
    this.length = length
    this.#head = head
    this.#records = records
  }

  static async create({ key, salt, header, size, read }: SealInput): Promise<SealedSource> {
    const cipher = await Cipher.derive(key, salt)
    const front = concat([fromUint32(header.length), header])
    const plain = front.length + size
    const count = Math.ceil(plain / dataSize)

    const records = new Records(recordSize, count, readAhead, async (first, end) => {
      const from = first * dataSize
      const to = Math.min(end * dataSize, plain)
      const split = front.length
      const files = to > split ? await read(Math.max(0, from - split), to - split) : new Uint8Array()
      const data = from < split ? concat([front.subarray(from, to), files]) : files
      return Array.from({ length: end - first }, (_, i) =>
        cipher.seal(first + i, data.subarray(i * dataSize, (i + 1) * dataSize), first + i === count - 1))
    })
    return new SealedSource(sealedLength(plain), makeHead(salt, recordSize), records)
  }

  /** Bytes [start, end) of the container; end is at most length. Errors are those of the input's read. */
  async read(start: number, end: number): Promise<Bytes> {
    const rest = await this.#records.read(Math.max(0, start - headLength), end - headLength)
    return start < headLength ? concat([this.#head.subarray(start, end), rest]) : rest
  }
}
