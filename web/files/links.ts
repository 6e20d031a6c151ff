/** Links in what people paste, drop and share: where in the app they lead. */
import { urlOf } from '../engine/url.ts'

/** Punctuation and brackets behind a link, as in a sentence. */
const behind = /[).,;:!?'"\]}>]+$/

/**
 * The path of what the first link in that text leads to: one of this app's, or a magnet. Undefined where there is none;
 * links of other servers' apps are not taken, as their peers meet there.
 */
export function leadsTo(text: string, host = location.host): string | undefined {
  for (const [word] of text.slice(0, 1 << 16).matchAll(/(https?:\/\/|magnet:\?)[^\s<>"]+/gi)) {
    const link = word.replace(behind, '')
    if (/^magnet:\?(.*&)?xt(\.\d+)?=urn:btih:/i.test(link)) return magnetPath(link)
    const url = urlOf(link)
    if (url?.host !== host) continue
    if (/^\/[fm]$/.test(url.pathname) && url.hash.length > 1) return url.pathname + url.hash
    if (url.pathname !== '/share') continue
    const seeds = [url.search, url.hash].map((part) => part.slice(1))
    const about = seeds.find((part) => new URLSearchParams(part).has('seeds'))
    if (about) return `/share#${about}`
  }
  return undefined
}

/** Behind the #, as for protocol_handlers in the manifest: servers do not hear of it. */
const magnetPath = (magnet: string): string => `/f#${encodeURIComponent(magnet)}`

/** The link that the address of the page /f is about; '' where it has none. */
export function linkIn({ hash, href }: Pick<URL, 'hash' | 'href'>): string {
  if (hash.length < 2) return ''
  const [, magnet] = /^#(magnet(?::|%3a).*)$/i.exec(hash) ?? []
  if (!magnet) return href
  try {
    return /^magnet:/i.test(magnet) ? magnet : decodeURIComponent(magnet)
  } catch {
    return magnet
  }
}
