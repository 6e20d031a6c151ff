/** Random bytes, so that no two runs share a torrent; in one part, as a file on disk is. */
export function randomBlob(size: number): Blob {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, at + 65536))
  return new Blob([bytes])
}
