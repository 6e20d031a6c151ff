/** Random bytes, so that no two runs share a torrent. In pieces, as a page has no reason to hold them at once. */
export function randomBlob(size: number): Blob {
  const parts: Blob[] = []
  for (let left = size; left > 0; left -= 65536) {
    parts.push(new Blob([crypto.getRandomValues(new Uint8Array(Math.min(left, 65536)))]))
  }
  return new Blob(parts)
}
