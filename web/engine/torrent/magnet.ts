import { toHex } from '../bytes.ts'
import { seedUrls, trackerUrls } from './metainfo.ts'

/** Where to ask for a torrent. URLs are those a browser can use: ws: and wss:, http: and https:. */
export interface Sources {
  /** 40 hex digits, lower case. */
  infoHash: string
  trackers: string[]
  webSeeds: string[]
}

/**
 * A magnet link (BEP 9, 53), or undefined. infoHash is '' where there is none, and what there is where it is of a
 * wrong length.
 */
export function parseMagnet(text: string): Sources | undefined {
  if (!/^magnet:\?/i.test(text)) return undefined
  const query = new URLSearchParams(text.slice(8).replaceAll('&amp;', '&')) // as in the source of a page
  // xt.1, xt.2 … are another way to give several.
  const topics = [...query].filter(([key]) => /^xt(\.\d+)?$/.test(key)).map(([, value]) => value)
  const hashes = topics.flatMap((topic) => /^urn:btih:(.*)$/i.exec(topic)?.[1] ?? [])
  return {
    infoHash: hashes.map(parseHash).find((hash) => hash) ?? hashes[0] ?? '',
    trackers: trackerUrls(query.getAll('tr')),
    webSeeds: seedUrls(query.getAll('ws')),
  }
}

/** name: '' where it is not known. */
export function makeMagnet({ infoHash, name, trackers, webSeeds }: Sources & { name: string }): string {
  const shown = name && `&dn=${encodeURIComponent(name)}`
  return `magnet:?xt=urn:btih:${infoHash}${shown}${makeQuery({ trackers, webSeeds })}`
}

/** '&tr=…&ws=…', as magnets and links have it. */
export function makeQuery({ trackers, webSeeds }: Omit<Sources, 'infoHash'>): string {
  const all = [...trackers.map((url) => ['tr', url]), ...webSeeds.map((url) => ['ws', url])]
  return all.map(([key, url]) => `&${key}=${encodeURIComponent(url!)}`).join('')
}

/** 40 hex digits or 32 of base32 (RFC 4648), as 40 hex digits in lower case; undefined for anything else. */
export function parseHash(text: string): string | undefined {
  if (/^[0-9a-f]{40}$/i.test(text)) return text.toLowerCase()
  if (!/^[a-z2-7]{32}$/i.test(text)) return undefined
  const bytes = new Uint8Array(20)
  let bits = 0
  let held = 0
  let at = 0
  for (const char of text.toLowerCase()) {
    bits = (bits << 5) | 'abcdefghijklmnopqrstuvwxyz234567'.indexOf(char)
    held += 5
    if (held >= 8) bytes[at++] = bits >> (held -= 8)
    bits &= 0xfff
  }
  return toHex(bytes)
}
