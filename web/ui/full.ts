/** Whether an error says that the browser keeps nothing for the page: no cookies, and so no storage of any kind. */
export const keepsNothing = (error: unknown): boolean =>
  error instanceof DOMException && (error.name === 'SecurityError' || /denied permission/.test(error.message))

/** Whether an error says that the device or the browser's share of it is full. */
export function isFull(error: unknown): boolean {
  return error instanceof DOMException
    ? error.name === 'QuotaExceededError' || (error.name === 'UnknownError' && /space/i.test(error.message))
    : (error as { code?: unknown } | undefined)?.code === 'no-space'
}

/** What mends it where the page's database does not open, though the browser would keep something; undefined where it would not. */
export function shut(error: unknown): { title: string; text: string } | undefined {
  if (keepsNothing(error)) return undefined
  return isFull(error)
    ? { title: 'This device is full', text: 'Make some room, then load this page again. What is kept here stays.' }
    : {
        title: 'This browser’s storage does not open',
        text: 'Close the other tabs of this page and load it again. If that is not enough, start the browser anew.',
      }
}
