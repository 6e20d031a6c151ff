import type { ErrorCode } from './types.ts'

/** Every error that leaves the engine: a code for programs, a message that tells a person what to do. */
export class StarlingError extends Error {
  override readonly name = 'StarlingError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export const removed = () => new StarlingError('removed', 'This torrent was removed.')
