/** Whether an error says that the browser keeps nothing for the page: no cookies, and so no storage of any kind. */
export const keepsNothing = (error: unknown): boolean => error instanceof DOMException && error.name === 'SecurityError'

/** Whether an error says that the device or the browser's share of it is full. */
export function isFull(error: unknown): boolean {
  return error instanceof DOMException
    ? error.name === 'QuotaExceededError' || (error.name === 'UnknownError' && /space/i.test(error.message))
    : (error as { code?: unknown } | undefined)?.code === 'no-space'
}
