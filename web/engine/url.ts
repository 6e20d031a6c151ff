/** What a text is as a URL; undefined where it is none. Safari 16 has no URL.canParse. */
export function urlOf(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}

/** The tracker of the server that serves this page. */
export function trackerOf(page: string): string {
  return new URL('/announce', page).href.replace(/^http/, 'ws')
}
