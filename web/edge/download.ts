import type { Carrier } from './carrier.ts'
import { settings } from './settings.ts'

/** Milliseconds in which the browser has taken what it saves. */
const taken = 60_000

/** Paths of what is under way, which nobody sees: to press again changes nothing, and who leaves is asked. */
const going = new Set<string>()
const ask = (event: Event) => event.preventDefault()

/** Saves what a link leads to, from peers where it can be had from them, else as the browser does. */
export async function download(carry: Promise<{ carrier: Carrier }>, { href, download: name }: HTMLAnchorElement, path: string): Promise<void> {
  if (going.has(path)) return
  going.add(path)
  addEventListener('beforeunload', ask)
  const copy = document.createElement('a')
  copy.download = name || path.slice(path.lastIndexOf('/') + 1)
  copy.href = (await blobOf(carry, path).catch(() => undefined)) ?? href
  going.delete(path)
  if (!going.size) removeEventListener('beforeunload', ask)
  copy.click()
  setTimeout(() => URL.revokeObjectURL(copy.href), taken)
}

async function blobOf(carry: Promise<{ carrier: Carrier }>, path: string): Promise<string | undefined> {
  // Apps that show pages within themselves, on Android, have files saved by a program of their own, which sees no blobs.
  if (/; wv\)/.test(navigator.userAgent)) return undefined
  const { carrier } = await carry
  const asset = await carrier.asset(path)
  // What is too large to be kept would be in memory, and only the browser shows how much of it has come.
  if (!asset || asset.size > settings.keep || (!asset.whole && !carrier.crowded(asset))) return undefined
  const blob = await carrier.get(asset)
  return blob && URL.createObjectURL(blob)
}
