import { fromBase64url, toBase64url, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { trackerOf, urlOf } from '../url.ts'
import { makeQuery, parseHash, parseMagnet, type Sources } from './magnet.ts'
import { infoHashOf, parseInfo, parseTorrent, seedUrls, trackerUrls, type Info } from './metainfo.ts'

/** What a link, magnet, infohash or .torrent file says. */
export interface TorrentId extends Sources {
  /** Of a private torrent: 16 bytes. */
  key?: Bytes
  /** From a .torrent file. */
  torrent?: { infoBytes: Bytes; info: Info }
}

const longest = 1 << 16

const bad = (message: string): StarlingError => new StarlingError('bad-link', message)
const cut = (): StarlingError => bad('This link is cut short. Copy all of it and open it again.')

/**
 * Takes links (docs/protocol.md, "Links"), with or without what comes before '#', magnets, infohashes and the bytes of
 * a .torrent file. Throws 'bad-link', or 'bad-torrent' for a file that cannot be used.
 */
export async function parseId(id: string | Bytes): Promise<TorrentId> {
  if (typeof id !== 'string') {
    const { infoBytes, ...sources } = parseTorrent(id)
    return { ...sources, infoHash: await infoHashOf(infoBytes), torrent: { infoBytes, info: parseInfo(infoBytes) } }
  }
  const text = id.trim()
  if (text.length > longest) throw bad('This is too long to be a link.')
  const magnet = parseMagnet(text)
  if (magnet) return { ...magnet, infoHash: checkHash(magnet.infoHash) }

  // Without '#' it is an infohash, or a link's own end.
  const [head = '', ...rest] = text.slice(text.indexOf('#') + 1).split('&')
  const query = new URLSearchParams(rest.join('&'))
  const [hash = '', keyText] = head.split(/\.(.*)/)
  if (/^https?:[^#]*\.torrent$/i.test(text)) throw bad('This is where a torrent file lies. Download it, and add the file itself.')
  if (!hash || (!text.includes('#') && text.includes('://'))) throw cut()
  const infoHash = checkHash(hash)
  const named = trackerUrls(query.getAll('tr'))
  const own = /^https?:/i.test(text) && urlOf(text) ? [trackerOf(text)] : []
  const sources = { infoHash, trackers: named.length ? named : own, webSeeds: seedUrls(query.getAll('ws')) }
  if (keyText === undefined) return sources
  // Messengers take the punctuation behind a link for a part of it.
  const [end = ''] = /^[\w-]*/.exec(keyText) ?? []
  if (end.length < 22) throw cut()
  const key = end.length === 22 ? fromBase64url(end) : undefined
  if (!key) throw bad('The key in this link is damaged. Copy the link again.')
  return { ...sources, key }
}

function checkHash(text: string): string {
  const hash = parseHash(text)
  if (hash) return hash
  throw /^[0-9a-f]{1,39}$/i.test(text) ? cut() : bad('This is not a Starling link, magnet link or infohash.')
}

/** base is what stands before '#'. Trackers are named unless the base's own is the only one. */
export function makeLink(base: string, { infoHash, key, trackers, webSeeds }: Omit<TorrentId, 'torrent'>): string {
  const own = trackers.every((url) => url === trackerOf(base))
  return `${base}#${infoHash}${key ? `.${toBase64url(key)}` : ''}${makeQuery({ trackers: own ? [] : trackers, webSeeds })}`
}
