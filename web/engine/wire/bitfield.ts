import type { Bytes } from '../bytes.ts'

/** Whether bits is a bitfield of that many pieces: as long, and without spare bits, as BEP 3 has it. */
export function fits(bits: Uint8Array, pieces: number): boolean {
  return bits.length === Math.ceil(pieces / 8) && (pieces % 8 === 0 || !(bits.at(-1)! & (0xff >> pieces % 8)))
}

/** Which pieces somebody has: BEP 3's bitfield, the first piece in the highest bit. */
export class Bitfield {
  readonly size: number
  readonly bytes: Bytes
  /** Bits that are set. */
  count = 0

  /** Throws where bytes do not fit. */
  constructor(size: number, bytes?: Uint8Array) {
    this.size = size
    this.bytes = new Uint8Array((size + 7) >> 3)
    if (!bytes) return
    if (!fits(bytes, size)) throw new RangeError('wrong length')
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
