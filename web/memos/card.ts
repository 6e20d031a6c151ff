/**
 * The card of a memo's torrent: what may change while the link stays. It comes from a stranger, so every member is
 * checked for type and length, and all of it is only ever shown as text.
 */
import type { Card } from '../engine/types.ts'
import { unturned } from '../ui/words.ts'
import { maxDescription, type Memo } from './memo.ts'
import { decodePeaks, encodePeaks } from './peaks.ts'
import { cleanTitle } from './words.ts'

export interface MemoCard {
  title?: string
  description?: string
  /** Milliseconds since 1970. */
  created?: number
  /** Seconds. */
  duration?: number
  peaks?: Uint8Array
}

export function makeCard(memo: Memo): Card {
  return {
    kind: 'memo',
    title: memo.title,
    description: memo.description,
    date: memo.created,
    duration: Math.round(memo.duration * 1000) / 1000,
    peaks: encodePeaks(memo.peaks),
  }
}

const within = (value: unknown, low: number, high: number): value is number =>
  typeof value === 'number' && value >= low && value <= high

/** Pages ask again whenever they are drawn. */
const known = new WeakMap<object, Readonly<MemoCard>>()

/** What can be used of it; never throws. */
export function readCard(card: unknown): Readonly<MemoCard> {
  if (typeof card !== 'object' || card === null) return {}
  const before = known.get(card) ?? read(card)
  known.set(card, before)
  return before
}

function read(card: object): MemoCard {
  const { kind, title, description, date, duration, peaks } = card as Record<string, unknown>
  const found: MemoCard = {}
  if (kind !== 'memo') return found
  if (typeof title === 'string' && title.trim()) found.title = cleanTitle(title.slice(0, 1000))
  if (typeof description === 'string') found.description = cleanDescription(description)
  if (within(date, 0, 8.64e15)) found.created = date
  if (within(duration, 0, 1e6)) found.duration = duration
  const drawn = typeof peaks === 'string' ? decodePeaks(peaks) : undefined
  if (drawn?.length) found.peaks = drawn
  return found
}

/** Keeps line breaks, drops other control characters. */
export function cleanDescription(text: string): string {
  return unturned(text.slice(0, maxDescription))
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]/gu, '')
    .trimEnd()
}
