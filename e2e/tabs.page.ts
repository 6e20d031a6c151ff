import { Starling } from 'starling'

let node: Starling

export function start(tracker: string, downloadLimit?: number, shareTabs = true): void {
  node = new Starling({ trackers: [tracker], downloadLimit, shareTabs })
}

export const leads = async (): Promise<boolean> => (await node.stats()).leader

export const torrents = async (): Promise<number> => (await node.stats()).torrents

/** Bytes that any page can make again. */
function bytes(size: number): Uint8Array<ArrayBuffer> {
  let state = size
  return new Uint8Array(size).map(() => (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16)
}

async function digest(data: ArrayBuffer): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', data))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What a fetched file of this size must be. */
export const expected = (size: number): Promise<string> => digest(bytes(size).buffer)

/** A private link to a file of this size. */
export async function seed(size: number): Promise<string> {
  const torrent = await node.seed(new File([bytes(size)], 'data.bin'), { private: true })
  return torrent.link
}

/** As the browser tells a page that goes into the back/forward cache, or comes out of it. */
export const turn = (event: 'pagehide' | 'pageshow'): boolean => dispatchEvent(new PageTransitionEvent(event, { persisted: true }))

/** Its infohash. */
export async function add(link: string): Promise<string> {
  return (await node.add(link)).infoHash
}

export const progress = (infoHash: string): number => node.get(infoHash)?.progress ?? 0

/** Waits for the whole. */
export async function fetched(infoHash: string): Promise<string> {
  const torrent = node.get(infoHash)!
  await torrent.done
  return digest(await torrent.files[0]!.arrayBuffer())
}

/** Reads it as a player would, from first byte to last. */
export async function streamed(infoHash: string): Promise<string> {
  const torrent = node.get(infoHash)!
  await torrent.ready
  return digest(await new Response(torrent.files[0]!.stream()).arrayBuffer())
}

/** Starling's service worker takes charge of this page and the origin's others. */
export async function work(): Promise<void> {
  await navigator.serviceWorker.register('/sw.js')
  await navigator.serviceWorker.ready
}

/** Bytes first to last, included, of its file's URL; as a player would ask for them. */
export async function range(infoHash: string, first: number, last: number): Promise<[status: number, bytes: number[]]> {
  const torrent = node.get(infoHash)!
  await torrent.ready
  const url = await torrent.files[0]!.url()
  const response = await fetch(url, { headers: { Range: `bytes=${first}-${last}` } })
  return [response.status, [...new Uint8Array(await response.arrayBuffer())]]
}

/** What range must give. */
export function expectedRange(size: number, first: number, last: number): number[] {
  return [...bytes(size).slice(first, last + 1)]
}
