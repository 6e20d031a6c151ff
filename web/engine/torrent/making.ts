import { concat, utf8, type Bytes } from '../bytes.ts'
import { encode } from './bencode.ts'

export interface InfoParts {
  name: string
  /** In order. A single file without folders becomes a single-file torrent that is named by name. */
  files: readonly { path: string; size: number }[]
  pieceLength: number
  /** SHA-1 of all pieces, one after another. */
  hashes: Bytes
  author?: Bytes
}

/** The bencoded info dictionary. */
export function makeInfo({ name, files, pieceLength, hashes, author }: InfoParts): Bytes {
  const [first] = files
  const single = files.length === 1 && first && !first.path.includes('/')
  return encode({
    name, author, pieces: hashes, 'piece length': pieceLength,
    ...(single
      ? { length: first.size }
      : { files: files.map(({ path, size }) => ({ length: size, path: path.split('/') })) }),
  })
}

/** A .torrent file. */
export function makeTorrent(infoBytes: Bytes, trackers: readonly string[], webSeeds: readonly string[]): Bytes {
  // Spliced, as decoding and encoding would change an info dictionary that is not canonical.
  const before = encode({
    announce: trackers[0],
    'announce-list': trackers.length > 1 ? trackers.map((url) => [url]) : undefined,
  })
  const after = encode({ 'url-list': webSeeds.length ? webSeeds : undefined })
  return concat([before.subarray(0, -1), utf8.encode('4:info'), infoBytes, after.subarray(1)])
}

/** A power of two from 64 KiB to 4 MiB, such that the hashes fit in the first 16 KiB of the metadata where they can. */
export function pieceLengthFor(length: number): number {
  let size = 64 << 10
  while (size < 4 << 20 && length / size > 700) size *= 2
  return size
}
