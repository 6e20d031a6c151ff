/**
 * The section Files: whatever has a link, sent from here or fetched from others, of any kind and number.
 *
 *   files ─ sending.ts ─▶ the engine seeds them where they lie ─▶ a link /f#…     (and a copy here, where there is room)
 *   link ─ receiving.ts ─▶ the engine fetches ─▶ a player (pages/viewer.ts), or ─ downloads.ts ─▶ the browser's downloads
 *   another app's share sheet ─ sw/share-target.ts ─▶ waits on disk ─ pages/shared.ts, by the user's word ─▶ files, or a link
 *
 * index.ts is all that loads with the app; section.ts and what it imports comes when it is needed. Rows and copies live
 * in IndexedDB (db.ts, parcels.ts), the bytes of what others sent in the engine's store. files.ts is the section at work.
 *
 * What comes in: chosen.ts: files that were chosen or dropped; links.ts: links that were pasted; shared.ts: what an app
 * shared. What is shown of it: kinds.ts, words.ts. Several files downloaded as one: zip.ts.
 *
 * This file is what a parcel is: what one link leads to.
 */
export interface Parcel {
  id: string
  name: string
  /** Bytes. */
  size: number
  /** Files in it. */
  count: number
  /** When it was sent or opened here: milliseconds since 1970. */
  added: number
  /** When the user deleted it. It is purged when the time for Undo is over. */
  deleted?: number
  /** It is sent from here. */
  sent?: Sent
  /** Others sent it. */
  from?: Origin
}

export interface Sent {
  /** Infohash and link of each kind that was asked for. */
  private?: Share
  public?: Share
  /** There is a copy in this browser, so that the link works again after a reload. */
  kept: boolean
}

export type Kind = 'private' | 'public'

export interface Share {
  infoHash: string
  link: string
}

export interface Origin {
  infoHash: string
  /** What the engine needs to fetch it again. */
  link: string
  /** All of it is wanted, not only what is looked at. */
  whole: boolean
  /** All of it is here. */
  done: boolean
}

/** The torrents by which it is sent, or came. */
export const torrentsOf = ({ sent, from }: Parcel): string[] =>
  [sent?.private, sent?.public, from].flatMap((one) => (one ? one.infoHash : []))

/** What matters in a link is behind its #; this is the page that shows it. */
export const paths = {
  home: '/files',
  sent: (id: string) => `/files/${id}`,
  /** What another app handed over, and is to be asked about. */
  shared: (id: string) => `/files/shared?${id}`,
  receive: (link: string) => `/f#${link.slice(link.indexOf('#') + 1)}`,
}

/** The link to give away: of this host, whatever page the engine would have it lead to. */
export const linkOf = (link: string): string => new URL(paths.receive(link), location.origin).href

/** 96 random bits, fit for a URL. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}
