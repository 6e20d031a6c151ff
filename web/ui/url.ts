/** What a text is as a URL; undefined where it is none. Safari 16 has no URL.canParse. */
export function urlOf(text: string, base?: string): URL | undefined {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}
