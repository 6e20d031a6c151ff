/**
 * bad-link     not a link, magnet, infohash or .torrent file; or cut short
 * bad-torrent  metadata that cannot be used
 * wrong-key    the data is right, the key does not open it
 * no-space     the browser's storage is full; what was there is untouched
 * storage      the browser's storage failed in another way
 * unreadable   a seeded Blob or File can no longer be read, or has changed; or what was given cannot be shared
 * unsupported  this browser or page (no HTTPS, a worker) cannot do it; or an option is of a wrong type
 * unloaded     a part of the engine could not be loaded: offline, or from a version that the server has no more
 * removed      the torrent or node was removed while the call was under way
 * aborted      a stream was cancelled while it was read, or the signal of a seed while it was hashed
 * too-large    beyond a limit
 */
export type ErrorCode =
  | 'bad-link'
  | 'bad-torrent'
  | 'wrong-key'
  | 'no-space'
  | 'storage'
  | 'unreadable'
  | 'unsupported'
  | 'unloaded'
  | 'removed'
  | 'aborted'
  | 'too-large'

/** Every error that leaves the engine: a code for programs, a message that tells a person what to do. */
export class StarlingError extends Error {
  override readonly name = 'StarlingError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
  }
}

export const removed = () => new StarlingError('removed', 'This torrent was removed.')

export const aborted = (signal: AbortSignal) => new StarlingError('aborted', 'Sharing was stopped.', { cause: signal.reason })

export const unreadable = (cause?: unknown) =>
  new StarlingError('unreadable', 'A file that you share has changed, moved or been deleted. Put it back, or share it again.', { cause })

/** For what is loaded when it is needed. */
export const unloaded = (cause: unknown): never => {
  throw new StarlingError('unloaded', 'A part of Starling could not be loaded. Check your connection, then load this page again.', { cause })
}
