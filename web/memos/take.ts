/** From the chunks of a recording to a memo: at Stop, and after a crash. */
import type { MemoDb, Take } from './db.ts'
import type { Memo } from './memo.ts'
import { pool } from './peaks.ts'
import { defaultTitle } from './words.ts'
import { seekable } from './webm.ts'

/** Chunks read at a time: about a minute. */
const batch = 120

/**
 * Makes a memo of what is on disk; undefined when that is nothing, or somebody else did. Where it fails (the device is full), the take and
 * its chunks stay as they are. discard: the memo is made all the same, as a deleted one, so that it can be undone.
 */
export async function keepTake(db: MemoDb, take: Take, discard = false): Promise<Memo | undefined> {
  const parts: Blob[] = []
  const peaks: number[] = []
  let duration = 0
  for (let from = 0; ; from += batch) {
    const chunks = await db.chunks(take.id, from, batch)
    if (chunks.length) parts.push(new Blob(chunks.map((chunk) => chunk.bytes)))
    for (const chunk of chunks) {
      duration = chunk.end
      for (const peak of chunk.peaks) peaks.push(peak)
    }
    if (chunks.length < batch) break
  }
  const recorded = new Blob(parts, { type: take.type })
  if (!recorded.size) {
    await db.endTake(take.id)
    return undefined
  }
  const mended = take.type.includes('webm') ? await seekable(recorded) : undefined
  const audio = mended?.blob ?? recorded
  const memo: Memo = {
    id: take.id,
    title: defaultTitle(new Date(take.started)),
    description: '',
    created: take.started,
    duration: mended?.duration ?? duration,
    type: take.type,
    size: audio.size,
    peaks: pool(peaks),
    ...(discard ? { deleted: Date.now() } : {}),
  }
  return (await db.endTake(take.id, memo, audio)) ? memo : undefined
}

/** A recording under way holds this lock, so that no other tab takes it for one that was interrupted. */
export const takeLock = (id: string): string => `memo-take-${id}`

/** Takes that nobody is recording any more. */
export async function interruptedTakes(db: MemoDb, locks: LockManager | undefined): Promise<Take[]> {
  const takes = await db.takes()
  if (!takes.length || !locks) return takes
  const { held = [], pending = [] } = await locks.query()
  const live = new Set([...held, ...pending].map((lock) => lock.name))
  return takes.filter((take) => !live.has(takeLock(take.id)))
}
