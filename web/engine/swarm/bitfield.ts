import type { Bytes } from '../bytes.ts'

/** Which pieces somebody has: BEP 3's bitfield, the first piece in the highest bit. */
export class Bitfield {
  readonly size: number
  readonly bytes: Bytes
  /** Bits that are set. */
  count = 0

  /** Throws where bytes are of another length or set bits beyond the last piece, as BEP 3 has it. */
  constructor(size: number, bytes?: Uint8Array) {
    this.size = size
    this.bytes = new Uint8Array((size + 7) >> 3)
    if (!bytes) return
    if (bytes.length !== this.bytes.length || (size & 7 && bytes[bytes.length - 1]! & (255 >> (size & 7)))) {
      throw new RangeError('wrong length')
    }
    this.bytes.set(bytes)
    for (let byte of bytes) for (; byte; byte &= byte - 1) this.count++
  }

  get full(): boolean {
    return this.count === this.size
  }

  has(index: number): boolean {
    return (this.bytes[index >> 3]! & (128 >> (index & 7))) > 0
  }

  /** False where it was set already. */
  set(index: number): boolean {
    if (this.has(index)) return false
    this.bytes[index >> 3]! |= 128 >> (index & 7)
    this.count++
    return true
  }

  unset(index: number): void {
    if (!this.has(index)) return
    this.bytes[index >> 3]! &= ~(128 >> (index & 7))
    this.count--
  }

  fill(): this {
    this.bytes.fill(255)
    if (this.size & 7) this.bytes[this.bytes.length - 1] = (0xff00 >> (this.size & 7)) & 255
    this.count = this.size
    return this
  }
}
