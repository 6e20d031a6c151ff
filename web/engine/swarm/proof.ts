import { equal, sha1 } from '../bytes.ts'
import type { Read } from '../seal/sealed.ts'
import type { Info } from '../torrent/metainfo.ts'
import { Bitfield } from '../wire/bitfield.ts'

/** The pieces that can be read and are right. Rejects where somebody else holds the file: then nothing is known of it. */
export async function proven({ length, pieceLength, pieces, hashAt }: Info, read: Read, going: () => boolean): Promise<Bitfield> {
  const had = new Bitfield(pieces)
  for (let i = 0; i < pieces && going(); i++) {
    try {
      const data = await read(i * pieceLength, Math.min((i + 1) * pieceLength, length))
      if (equal(await sha1(data), hashAt(i))) had.set(i)
    } catch (error) {
      if (((error as Error).cause as Error | undefined)?.name === 'NoModificationAllowedError') throw error
    }
  }
  return had
}
