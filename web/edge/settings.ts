/** What the site's owner set; docs/edge.md says more of each. The server puts what is not as here before edge.js. */
export interface Settings {
  /** From the how-many-th visitor on peers are asked. */
  threshold: number
  noImages?: boolean
  noFonts?: boolean
  noAudio?: boolean
  noVideos?: boolean
  noDownloads?: boolean
  /** Ask peers also for what is in view. */
  noFold?: boolean
  noNearest?: boolean
  /** Milliseconds that peers have for an image, font or download. */
  deadline: number
  /** Milliseconds before a video needs a piece that HTTP steps in. */
  lead: number
  /** Bytes per second; negative: no limit. */
  upload: number
  /** Most bytes kept. */
  keep: number
  metered?: boolean
  worker?: boolean
  /** Makes an RTCPeerConnection where not any will do: outside.ts. */
  connection?: (configuration: RTCConfiguration) => RTCPeerConnection
}

export const settings: Settings = {
  threshold: 2,
  deadline: 5000,
  lead: 4000,
  upload: 2_000_000,
  keep: 128 << 20,
  ...(globalThis as { starlingEdge?: Partial<Settings> }).starlingEdge,
}

/** The site's own paths under which the edge lies. A frame made of text (srcdoc) has its page's, and no address of its own. */
export const base = new URL('/.starling/', document.baseURI).href

/** Our service worker. */
export const ours = `${base}sw.js`

/** Where a visitor's wish to take no part is kept. */
const wish = 'starling-edge'

/** Whether this visitor takes no part: everything comes over HTTP, and nothing is sent to anybody. */
export function abstains(): boolean {
  try {
    if (localStorage.getItem(wish) === 'off') return true
  } catch {
    // Storage is denied to this page: nothing is known.
  }
  const { connection } = navigator as { connection?: { saveData?: boolean; type?: string } }
  if (!settings.metered && (connection?.saveData || connection?.type === 'cellular')) return true
  return !globalThis.RTCPeerConnection || !globalThis.crypto?.subtle
}

/** A visitor's wish; it is kept in this browser, and holds from the next page on. */
export function takePart(yes: boolean): void {
  localStorage.setItem(wish, yes ? 'on' : 'off')
}
