import { concat, type Bytes } from '../engine/parts.ts'
import type { Asset } from './asset.ts'
import { figures } from './figures.ts'

/** Milliseconds without a byte after which a request has failed; and how often a stretch is tried. */
const silence = 10_000
const tries = 3

/**
 * Fetches these pieces of an asset from the site, in as few ranges as there are gaps; pieces that come from elsewhere
 * meanwhile do no harm. False where the site gives nothing, or something else: then the asset is stale.
 */
export async function fetchPieces(asset: Asset, pieces: readonly number[], cache?: RequestCache): Promise<boolean> {
  const runs: [from: number, to: number][] = []
  for (const piece of pieces) {
    const last = runs.at(-1)
    if (last?.[1] === piece) last[1]++
    else runs.push([piece, piece + 1])
  }
  const all = await Promise.all(runs.map(async ([from, to]) => {
    for (let n = 0; n < tries && !asset.stale; n++) {
      const lacking = asset.lacks(from, to)
      if (!lacking.length) return true
      // Once more where it fails. How many run at once is for the browser to say.
      await request(asset, lacking[0]!, lacking.at(-1)! + 1, cache).catch(() => {})
    }
    return !asset.lacks(from, to).length
  }))
  return all.every((ok) => ok)
}

/** Pieces [from, to), verified one by one as they come. */
async function request(asset: Asset, from: number, to: number, cache?: RequestCache): Promise<void> {
  const stop = new AbortController()
  let timer: ReturnType<typeof setTimeout>
  const heard = () => {
    clearTimeout(timer)
    timer = setTimeout(() => stop.abort(), silence)
  }
  heard()
  try {
    const start = from * asset.pieceLength
    const end = Math.min(asset.size, to * asset.pieceLength)
    const part = start > 0 || end < asset.size
    const headers: HeadersInit = part ? { Range: `bytes=${start}-${end - 1}` } : {}
    // Of ranges of one URL that come at once Chromium asks for some twice, as its cache keeps them in one place. What comes
    // is kept here anyway.
    const { status, body } = await fetch(asset.url, { headers, cache: cache ?? (part ? 'no-store' : 'default'), signal: stop.signal })
    if (status === 404 || status === 410 || status === 416) return asset.expire()
    if ((status !== 200 && status !== 206) || !body) throw new Error()
    // 200 is the whole: what comes before is of use as well.
    let piece = status === 206 ? from : 0
    let parts: Bytes[] = []
    let bytes = 0
    const reader = body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      heard()
      figures.http += value.length
      for (let at = 0; at < value.length; ) {
        if (piece >= asset.pieces) return asset.expire()
        const some = value.subarray(at, at + asset.length(piece) - bytes)
        parts.push(some)
        bytes += some.length
        at += some.length
        if (bytes < asset.length(piece)) continue
        if (!(await asset.take(piece, concat(parts)))) return asset.expire()
        // Peers were sooner.
        if (asset.whole) return
        piece++
        parts = []
        bytes = 0
      }
    }
  } finally {
    clearTimeout(timer!)
    stop.abort()
  }
}
