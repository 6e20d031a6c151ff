import type { Bytes } from '../bytes.ts'

/**
 * What the engine asks of the store's worker, which alone may use OPFS's synchronous handles. A file is a torrent's
 * infohash. Every request has one answer, of the same id:
 *
 *   engine                                             worker
 *     { id: 7, op: 'write', file, start, data }  ──►     writes
 *                              (data transferred)
 *                                                ◄──   { id: 7, value: data }           (transferred)
 *     { id: 8, op: 'read', file, start, end }    ──►
 *                                                ◄──   { id: 8, value: bytes }          (transferred)
 *     { id: 9, op: 'read', … }                   ──►
 *                                                ◄──   { id: 9, error: { name, message } }
 *     { id: 10, op: 'write', … }                 ──►
 *                                                ◄──   { id: 10, error, value: data }    (transferred)
 */
export type Request =
  /** Writes, reads and deletes a file of its own, to see that all of this works here. */
  | { op: 'probe' }
  /** Answered with exactly end - start bytes. */
  | { op: 'read'; file: string; start: number; end: number }
  /** Answered when another page would read it, with the data: new memory is dear. */
  | { op: 'write'; file: string; start: number; data: Bytes }
  /** Answered when what was written is on disk. */
  | { op: 'flush'; file: string }
  /** Answered with the File. */
  | { op: 'blob'; file: string }
  /** Lets go of the file's handle, or of all. */
  | { op: 'close'; file?: string }
  | { op: 'delete'; file: string }
  /** Deletes files of torrents that are not to be kept, not in use anywhere, and last written before then (ms since 1970). */
  | { op: 'tidy'; keep: string[]; before: number }

export type Answer = { id: number; value?: Bytes | File; error?: { name: string; message: string } }
