/**
 * The section Voice Memos: what is recorded here is kept here, and goes to others straight from this browser.
 *
 *   microphone ─ recorder.ts ─▶ chunks on disk, every half second ─ take.ts ─▶ a memo (db.ts, library.ts)
 *   memo ─ sending.ts ─▶ the engine seeds the memo's bytes where they lie ─▶ a link
 *   link ─ receiving.ts ─▶ the engine fetches; the memo's row refers to the torrent
 *
 * pages/ shows all that; player.ts is the one player they share. Rows and bytes live in IndexedDB, the bytes of
 * received memos in the engine's store.
 *
 * Where to look, besides:
 *
 *   to record     microphone.ts: why there is none ─ hearing.ts: nothing is heard ─ meter.ts; formats.ts
 *                 webm.ts: what was recorded, made seekable
 *   to play       peaks.ts: what is drawn; unplayable.ts: why it is not heard
 *   to others     card.ts: title and words, which may change later; bundle.ts: several memos in one link
 *   the section   index.ts: as the shell sees it ─ memos.ts: at work; words.ts: titles, dates, names of files
 *
 * This file is what a memo is.
 */
export interface Memo {
  id: string
  /** Never blank. */
  title: string
  description: string
  /** When it was recorded (or received, where the sender does not say): milliseconds since 1970. */
  created: number
  /** Seconds. */
  duration: number
  /** The true MIME type. */
  type: string
  /** Bytes. */
  size: number
  /** At most 1,000 peaks, oldest first: 255 × √amplitude. Empty where unknown. */
  peaks: Uint8Array
  /** When the user deleted it. It is purged when the time for Undo is over. */
  deleted?: number
  /** The torrents by which it is shared from here. */
  shares?: Shares
  /** Where it came from, when it was received. */
  from?: Origin
  /** The user has written a title or description of their own over the sender's. */
  edited?: boolean
}

export interface Shares {
  /** Infohashes. */
  private?: string
  public?: string
}

export interface Origin {
  infoHash: string
  /** Which of the torrent's files. */
  file: number
  /** What the engine needs to fetch it again. */
  link: string
  /** The infohash of the link to several that it came by. */
  bundle?: string
  /** All of it is here. */
  done: boolean
}

export const maxTitle = 200
export const maxDescription = 5000

/** 96 random bits, fit for a URL. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}

/** The torrents by which it is shared, and came. */
export const torrentsOf = ({ shares, from }: Memo): string[] =>
  [shares?.private, shares?.public, from?.infoHash, from?.bundle].filter((infoHash) => !!infoHash) as string[]

/** Of the link that it came by; of one's own, what is made unless the user says otherwise. */
export const kindOf = ({ from }: Memo): keyof Shares => (from && !/#\w{40}\./.test(from.link) ? 'public' : 'private')

/** The text of a row's badge; '' for none. */
export function badge(memo: Memo): '' | 'Receiving' | 'Received' | 'Public' | 'Shared' {
  if (memo.from) return memo.from.done ? 'Received' : 'Receiving'
  if (memo.shares?.public) return 'Public'
  return memo.shares?.private ? 'Shared' : ''
}
