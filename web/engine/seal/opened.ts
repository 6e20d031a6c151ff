import { toUint32, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { damaged } from '../torrent/bencode.ts'
import { maxHeader, parseHeader, type Header } from './header.ts'
import { Records } from './records.ts'
import { Cipher, headLength, overhead, parseHead } from './rfc8188.ts'
import { dataSize, recordSize, type Read } from './sealed.ts'


/** A container, opened as it is read. */
export class Opened {
  readonly header: Header
  /** What cards are sealed with, besides the key. */
  readonly salt: Bytes
  readonly #length: number
  readonly #front: number
  readonly #records: Records

  private constructor(header: Header, salt: Bytes, length: number, front: number, records: Records) {
    this.header = header
    this.salt = salt
    this.#length = length
    this.#front = front
    this.#records = records
  }

  /**
   * readSealed gives verified bytes of the container, which is length bytes long. Readers share what it gives, and so
   * its errors; it is better not to wait for data in there, but for covering() before. Throws 'wrong-key', or
   * 'bad-torrent' where the container is malformed.
   */
  static async open(key: Bytes, length: number, readSealed: Read): Promise<Opened> {
    if (length < headLength + overhead) throw damaged()
    const head = parseHead(await readSealed(0, headLength))
    if (head?.recordSize !== recordSize) throw damaged()
    const cipher = await Cipher.derive(key, head.salt)
    const count = Math.ceil((length - headLength) / recordSize)
    const plain = length - headLength - overhead * count

    const records = new Records(dataSize, count, 0, async (first, end) => {
      const from = headLength + first * recordSize
      const sealed = await readSealed(from, Math.min(headLength + end * recordSize, length))
      return Array.from({ length: end - first }, async (_, i) => {
        const sequence = first + i
        const record = sealed.subarray(i * recordSize, (i + 1) * recordSize)
        const data = await cipher.open(sequence, record, sequence === count - 1).catch(() => {
          if (sequence) throw damaged()
          throw new StarlingError('wrong-key', 'The key in this link does not fit. Ask for the link again.')
        })
        // Padding would move all that follows.
        if (data?.length !== record.length - overhead) throw damaged()
        return data
      })
    })

    const first = await records.read(0, Math.min(plain, dataSize))
    if (first.length < 4) throw damaged()
    const front = 4 + toUint32(first, 0)
    if (front > Math.min(plain, 4 + maxHeader)) throw damaged()
    const header = parseHeader(await records.read(4, front), plain - front)
    if (!header) throw damaged()
    return new Opened(header, head.salt, length, front, records)
  }

  /** Bytes [start, end) of the files, as if they were one. Throws 'bad-torrent' where a record does not open. */
  read(start: number, end: number): Promise<Bytes> {
    return this.#records.read(this.#front + start, this.#front + end)
  }

  /** Which bytes of the container must be there for read(start, end). */
  covering(start: number, end: number): [start: number, end: number] {
    return [
      headLength + Math.floor((this.#front + start) / dataSize) * recordSize,
      Math.min(headLength + Math.ceil((this.#front + end) / dataSize) * recordSize, this.#length),
    ]
  }
}
