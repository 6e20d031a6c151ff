/** The server that starling.js came from, or that the page names: what a page gets when it names nothing else. */
import { StarlingError } from './errors.ts'
import { trackerOf, urlOf } from './url.ts'

/** How long an answer of /api/ice is used at most, ms: a server that was started anew, unseen, takes no credentials of before. */
const iceLife = 5 * 60_000
/** Where there was none, it is asked for again after this, ms. */
const iceRetry = 10_000
/** A link must not wait long for what only some links need, ms. */
const iceWait = 3_000

/** STUN and TURN servers, asked for anew before their credentials end. */
export interface IceServers {
  (): Promise<RTCIceServer[]>
  /** What was given before may be of no use any more. */
  renew?(): void
}

/** Of the server at this URL. Throws where it is none. */
export function homeOf(server?: string) {
  const url = server ?? import.meta.url
  if (/^https?:/.test(url) && urlOf(url)) return { trackers: [trackerOf(url)], linkBase: new URL('/m', url).href, ice: homeIce(new URL('/api/ice', url)) }
  if (server === undefined) return { trackers: [], linkBase: 'https://localhost/m', ice: homeIce() }
  throw new StarlingError('unsupported', "The server must be a whole URL, such as 'https://starling.example'.")
}

/**
 * The server's STUN and TURN servers, asked for again before their credentials end; those of before, or none, while it
 * gives no answer.
 */
export function homeIce(url?: URL): IceServers {
  let servers: Promise<RTCIceServer[]> = Promise.resolve([])
  let [from, until] = [0, 0]
  const ask = async (before: RTCIceServer[]): Promise<RTCIceServer[]> => {
    try {
      const response = await fetch(url!, { signal: AbortSignal.timeout(iceWait) })
      const { iceServers, lifetime } = (await response.json()) as { iceServers: RTCIceServer[]; lifetime?: number }
      if (!Array.isArray(iceServers)) return before
      // A twelfth is left to whoever was given them last.
      until = from + Math.min(iceLife, lifetime! > 0 ? lifetime! * (1000 - 1000 / 12) : iceLife)
      return iceServers
    } catch {
      return before
    }
  }
  const give = () => {
    const now = Date.now()
    // Somebody may set the clock back.
    if (url && (now >= until || now < from)) {
      from = now
      until = now + iceRetry
      servers = servers.then(ask)
    }
    return servers
  }
  return Object.assign(give, { renew: () => void (until = 0) })
}
