import type { Bytes } from '../bytes.ts'

/** One file as ranges are served from it, whole or not. */
export interface RangeSource {
  readonly name: string
  readonly type: string
  /** Bytes. */
  readonly size: number
  /** As Engine.read: between one byte and all of [start, end), waiting for them. */
  read(start: number, end: number, reader: string): Promise<Bytes>
  release(reader: string): void
}

/** What a tab can serve; undefined where it does not know the torrent or file. Waits for metadata. */
export type FindSource = (infoHash: string, file: number) => Promise<RangeSource | undefined>
