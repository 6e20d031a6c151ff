/**
 * How long this browser keeps what a page keeps. Safari, and what else is made of WebKit, deletes it after seven days in which
 * the browser was used and the page was not; not so for an app on the Home Screen or in the Dock, which has a storage of its own.
 * https://webkit.org/blog/10218/full-third-party-cookie-blocking-and-more/
 */
const mark = 'told of seven days'
let read = false

/** Whether what is kept is gone after seven days without a visit. */
export function fleeting(): boolean {
  const { vendor = '', standalone }: { vendor?: string; standalone?: boolean } = globalThis.navigator ?? {}
  return vendor.startsWith('Apple') && !standalone && !matchMedia('(display-mode: standalone)').matches
}

/** "It is kept on this device.", or for how long. */
export const keptHere = (it: string): string => `${it} kept on this device${fleeting() ? ' until you stay away for seven days' : ''}.`

/** Whether the user has yet to be told. */
export function untold(): boolean {
  try {
    return fleeting() && !read && !localStorage.getItem(mark)
  } catch {
    return false // nothing is kept at all, as is said elsewhere
  }
}

/** The user has read it. */
export function told(): void {
  read = true
  try {
    localStorage.setItem(mark, 'yes')
  } catch {
    // On a full device it is told again, another time.
  }
}

/** How the page becomes an app that keeps what is its own. */
export const asApp = (): string =>
  navigator.maxTouchPoints > 1 ? 'on the Home Screen (Share, then Add to Home Screen)' : 'in the Dock (File, then Add to Dock)'
