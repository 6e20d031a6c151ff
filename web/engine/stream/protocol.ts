/**
 * What pages and the service worker say to each other: the one file of the engine that the service worker knows.
 *
 * A file of a torrent has a URL on the page's origin, and the service worker answers requests for it with bytes that
 * it has from a tab, over a MessageChannel made for that one request:
 *
 *   player            service worker                                     tab (serve.ts)
 *     GET /~/…  ──►     { type: 'starling:range', infoHash, file } + port ──►  looks for the file
 *                                                            'looking' ◄──     at once
 *                                           { name, type, size } or null ◄──     when it knows
 *      ◄── 206          { start, end } ──►                                     reads, waiting for peers
 *      ◄── bytes                                      bytes, or words ◄──        from start on, as many as there are
 *                       { start, end } ──►                                     once the player took those
 *                       …
 *                       'release' ──►                                          forgets this reader
 *
 * A page that makes something to be downloaded (files in one archive, say) is asked the same way, by an id of its own in
 * place of infohash and file; it is read once, from beginning to end.
 *
 * The service worker keeps nothing: browsers end it when they like, and what is lost is the answer at hand.
 */

/** Service worker to tab, with a port. */
export interface Ask {
  type: 'starling:range'
  /** 40 hex digits, lower case. */
  infoHash: string
  file: number
}

/** Service worker to every tab, with a port: the tab whose download it is answers as to Ask, the others not at all. */
export interface AskDownload {
  type: 'starling:download'
  /** 32 hex digits. */
  id: string
  /** A Web Lock that the service worker holds as long as it runs, where the browser has them: it does not hear of its own end. */
  lock: string | undefined
}

/** Tab to service worker over the port, first: somebody is there. */
export const looking = 'looking'

/** Tab to service worker over the port: the file, or null where the tab does not have the torrent. */
export type Found = { name: string; type: string; size: number } | null

/** Service worker to tab over the port: send me from start on, at most up to end. Answered by bytes, or by words that say why not: Safari 16 sends no Errors. */
export interface Pull {
  start: number
  end: number
}

/** Service worker to tab over the port: nothing more is needed. */
export const release = 'release'

/** Page to service worker. */
export type Word =
  /** With a port: are you Starling's? Answered over the port by anything; the page is in its charge from then on. */
  | { type: 'starling:hello' }
  /** To one that waits: take over now. */
  | { type: 'starling:update' }

/** Service worker to pages when it has taken over: the app is here for offline use, newly or in a new version. */
export interface Ready {
  type: 'starling:ready'
  updated: boolean
}

const downloads = /^\/~\/download\/([0-9a-f]{32})(?:\/|$)/
const form = /^\/~\/([0-9a-f]{40})\/(\d{1,7})(?:\/|$)/

/** The path of a file. Its name is there for whoever saves it. */
export function filePath(infoHash: string, file: number, name: string): string {
  return `/~/${infoHash}/${file}/${encodeName(name)}`
}

/** What a stranger says a file is, where browsers play or show what is that, and run nothing in it (as in SVG). */
export function shownType(type: string): string | undefined {
  return /^(audio|video|image)\/[\w.-]+(?=;|$)/i.exec(type)?.[0].toLowerCase()
}

/** Undefined for any other path. */
export function parseFilePath(path: string): { infoHash: string; file: number } | undefined {
  const [, infoHash, file] = form.exec(path) ?? []
  return infoHash && file ? { infoHash, file: Number(file) } : undefined
}

/** The path that a page goes to for its own download; the browser saves what comes, and the page stays. */
export const downloadPath = (id: string, name: string): string => `/~/download/${id}/${encodeName(name)}`

/** A download's id; undefined for any other path. */
export const parseDownloadPath = (path: string): string | undefined => downloads.exec(path)?.[1]

/** Percent-encoded for a path and for RFC 8187 alike. */
export function encodeName(name: string): string {
  // A lone surrogate cannot be encoded.
  const encoded = encodeURIComponent(name.replace(/\p{Surrogate}/gu, '\ufffd'))
  return encoded.replace(/['()*]/g, (c) => '%' + c.charCodeAt(0).toString(16))
}
