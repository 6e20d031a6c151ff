/** The server that starling.js came from: what a page gets when it names nothing else. */
import { trackerOf } from './announce.ts'

const home = import.meta.url
const served = /^https?:/.test(home)

/** How long an answer of /api/ice is used, ms: TURN credentials may live as short as an hour. */
const iceLife = 55 * 60_000
/** A link must not wait long for what only some links need, ms. */
const iceWait = 3_000

export const homeTrackers = served ? [trackerOf(home)] : []
export const homeLinks = served ? new URL('/m', home).href : 'https://localhost/m'

/** The server's STUN and TURN servers, asked for again when the last answer is old; none when it gives no answer. */
export function homeIce(): () => Promise<RTCIceServer[]> {
  let asked: Promise<RTCIceServer[]> | undefined
  let at = 0
  const ask = async (): Promise<RTCIceServer[]> => {
    const response = await fetch(new URL('/api/ice', home), { signal: AbortSignal.timeout(iceWait) })
    const { iceServers } = (await response.json()) as { iceServers?: RTCIceServer[] }
    return Array.isArray(iceServers) ? iceServers : []
  }
  return () => {
    if (!asked || Date.now() - at > iceLife) {
      at = Date.now()
      asked = served ? ask().catch(() => []) : Promise.resolve([])
    }
    return asked
  }
}
