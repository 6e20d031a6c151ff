import type { Carrier } from './carrier.ts'

/** Saves what a link leads to, from peers where it can be had from them, else as the browser does. */
export async function download(carry: Promise<{ carrier: Carrier }>, { href, download: name }: HTMLAnchorElement, path: string): Promise<void> {
  const copy = document.createElement('a')
  copy.download = name || path.slice(path.lastIndexOf('/') + 1)
  copy.href = (await blobOf(carry, path).catch(() => undefined)) ?? href
  copy.click()
}

async function blobOf(carry: Promise<{ carrier: Carrier }>, path: string): Promise<string | undefined> {
  const { carrier } = await carry
  const asset = await carrier.asset(path)
  if (!asset || (!asset.whole && !carrier.crowded(asset))) return undefined
  const blob = await carrier.get(asset)
  return blob && URL.createObjectURL(blob)
}
