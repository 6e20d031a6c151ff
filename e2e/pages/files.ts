/** Files for tests: bytes that follow from a seed, so that every page can make the same ones and tell them apart. */
export interface FileSpec {
  name: string
  size: number
  seed: number
}

export function bytesOf({ size, seed }: Omit<FileSpec, 'name'>): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4))
  let x = seed * 2654435761 + 1
  for (let i = 0; i < words.length; i++) {
    // xorshift32
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    words[i] = x
  }
  return new Uint8Array(words.buffer, 0, size)
}

export function fileOf(spec: FileSpec): File {
  return new File([bytesOf(spec)], spec.name)
}

export async function digest(data: Blob): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', await data.arrayBuffer())
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What a file looks like to a test: name, size and hash of its bytes. */
export interface Seen {
  name: string
  size: number
  digest: string
}

export async function seen(name: string, data: Blob): Promise<Seen> {
  return { name, size: data.size, digest: await digest(data) }
}

/** What somebody who shared can pass on. */
export interface Shared {
  infoHash: string
  magnetURI: string
  link: string
  /** The .torrent file. */
  torrentFile: number[]
}
