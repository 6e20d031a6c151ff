import { toUint32, type Bytes } from '../bytes.ts'

/** Longest card as it travels, bytes. */
export const maxPacked = 48 << 10
const day = 24 * 60 * 60 * 1000

/** What a private torrent's cards are sealed with: its link's key and its seal's salt. */
export interface CardSeal {
  key: Bytes
  salt: Bytes
}

/** When a packed card was written, by its own word. */
export function cardRev(packed: Bytes): number {
  return packed.length < 72 ? 0 : toUint32(packed, 64) * 2 ** 32 + toUint32(packed, 68)
}

/** Whether the clock by which it was written was more than a day ahead of ours: then nobody takes it. */
export const ahead = (packed: Bytes, now = Date.now()): boolean => cardRev(packed) > now + day
