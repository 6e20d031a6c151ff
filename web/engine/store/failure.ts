import type { Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'

/** What a write throws that found no room. */
export interface Refused extends StarlingError {
  /** What was to be written, where its buffer was transferred away. */
  data?: Bytes
  /** Of a torrent: the piece that it was. */
  piece?: { index: number; data: Bytes }
}

export const full = 'QuotaExceededError'
/** Of our own: another tab holds a database of another version. */
export const blocked = 'BlockedError'

/** Safari's words where its storage process ended, or forgot what was under way: as a page comes to the front again, say. */
export const lost = /Database server|in-progress/

/** What a browser's storage threw, as one of our errors. */
export function failure(cause: unknown): StarlingError {
  if (cause instanceof StarlingError) return cause
  const { name, message } = (cause ?? {}) as Partial<Error>
  const words =
    name === full
      ? 'This browser has no room left. Nothing was lost: free some space, then try again.'
      : name === blocked
        ? 'Another tab holds an older version of this page’s data. Close the other tabs and reload.'
        : `This browser’s storage failed (${message || name}). Reload the page to try again.`
  return new StarlingError(name === full ? 'no-space' : 'storage', words, { cause })
}
