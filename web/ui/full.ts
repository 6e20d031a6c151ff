/** Whether an error says that the device or the browser's share of it is full. */
export function isFull(error: unknown): boolean {
  return error instanceof DOMException
    ? error.name === 'QuotaExceededError' || (error.name === 'UnknownError' && /space/i.test(error.message))
    : (error as { code?: unknown } | undefined)?.code === 'no-space'
}
