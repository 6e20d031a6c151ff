import type { Carry } from './carry.ts'
import { settings } from './settings.ts'
import { inView } from './sight.ts'

/**
 * Sites whose markup is as it was: images of the site that are neither in view nor here yet are taken from the browser, which
 * has queued them behind others, and had as if the page said data-src. What the browser asks for later the service worker takes.
 */
export async function take(carry: Promise<Carry>): Promise<void> {
  for (const image of settings.noImages ? [] : document.images) {
    const { complete, currentSrc, src, loading, parentElement } = image
    const url = currentSrc || src
    if (complete || loading === 'lazy' || parentElement?.localName === 'picture') continue
    if (!url.startsWith(`${location.origin}/`) || shows(url)) continue
    for (const name of ['srcset', 'src']) {
      const value = image.getAttribute(name)
      if (value === null) continue
      image.removeAttribute(name)
      image.setAttribute(`data-${name}`, value)
    }
  }
  await (await (await carry).media()).all(shows)
}

/** Whether an element that shows this URL is in view. */
function shows(url: string): boolean {
  return [...document.images].some((image) => (image.currentSrc || image.src) === url && inView(image))
}
