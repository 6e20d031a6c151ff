/**
 * A path of this site that may be an asset's. Not what the page made itself (blob:), nor where more than a path tells
 * what is meant; and %2F is no slash.
 */
export function pathOf(url: string): string | undefined {
  const { href, pathname } = new URL(url, document.baseURI)
  if (href !== location.origin + pathname || /%2f/i.test(pathname)) return undefined
  try {
    return decodeURIComponent(pathname)
  } catch {
    return undefined
  }
}
