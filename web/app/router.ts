/**
 * Addresses: links are real links; those to this app change the address without a new page. Those with data-back lead
 * back to where the user came from. Keeps where each entry of the history was scrolled to, and by which link it was left.
 */
import { keep, note, placeOf } from '../ui/scroll.ts'

interface Entry {
  /** Names the entry, for its scroll position. */
  key: string
  /** The path of the entry before it, where that is this app's. */
  from?: string
}

/** crypto.randomUUID is for secure pages only, and those that are not say so themselves. */
const newKey = (): string => Math.random().toString(36).slice(2)

export interface Visit {
  url: URL
  /** The page was just opened. */
  first: boolean
  /** Where the entry had been scrolled to; 0 for a new one. */
  scroll: number
  /** The link by which it had been left, where it was one: as its address is written. */
  left: string | undefined
}

/** The page's own heading where a list, perhaps of hundreds, stands before the page. */
const besides = (main: HTMLElement): HTMLElement | undefined =>
  [...main.querySelectorAll<HTMLElement>('h1')].filter(({ offsetParent }) => offsetParent)[1]

export class Router {
  readonly #visit: (visit: Visit) => void
  readonly #lefts = new Map<string, string>()
  #entry: Entry
  /** It goes back already: pressed twice, it would lead out of the app. */
  #going = false

  constructor(visit: (visit: Visit) => void) {
    this.#visit = visit
    this.#entry = (history.state as Entry | null)?.key ? (history.state as Entry) : { key: newKey() }
  }

  start(): void {
    history.scrollRestoration = 'manual'
    history.replaceState(this.#entry, '')
    document.addEventListener('click', (event) => this.#click(event))
    // Also when only what is behind the # changed: another link was pasted over this one.
    addEventListener('popstate', () => {
      this.#going = false
      note(this.#entry.key, scrollY)
      const entry = history.state as Entry | null
      if (!entry?.key) history.replaceState({ key: newKey() } satisfies Entry, '')
      this.#entry = history.state as Entry
      this.#tell(false)
    })
    // Back from the back/forward cache, after it led out of the app all the same.
    addEventListener('pageshow', () => (this.#going = false))
    addEventListener('scroll', () => note(this.#entry.key, scrollY), { passive: true })
    // Phones end a page that is out of sight without a word.
    for (const name of ['pagehide', 'visibilitychange']) addEventListener(name, keep, { capture: true })
    this.#tell(true)
  }

  navigate(path: string, { replace = false } = {}): void {
    const url = new URL(path, location.href)
    const again = replace || url.href === location.href
    this.#going = false
    note(this.#entry.key, scrollY)
    this.#lefts.delete(this.#entry.key)
    this.#entry = { key: newKey(), from: again ? this.#entry.from : location.pathname }
    if (again) history.replaceState(this.#entry, '', url)
    else history.pushState(this.#entry, '', url)
    this.#tell(false)
  }

  /** To that path: by going back where it lies just before, so that the history does not grow. */
  back(path: string): void {
    if (this.#going) return
    this.#going = this.#entry.from === path
    if (this.#going) history.back()
    else this.navigate(path, { replace: true })
  }

  #tell(first: boolean): void {
    const { key } = this.#entry
    this.#visit({
      url: new URL(location.href),
      first,
      scroll: placeOf(key),
      left: this.#lefts.get(key),
    })
  }

  #click(event: MouseEvent): void {
    if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
      return
    const link = event
      .composedPath()
      .find((node): node is HTMLAnchorElement => node instanceof HTMLAnchorElement && !!node.href)
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    event.preventDefault()
    // On some pages what is behind the # is what they show.
    const here = link.pathname === location.pathname && document.getElementById(link.hash.slice(1))
    if (here) return (besides(here) ?? here).focus()
    if (link.hasAttribute('data-back')) return this.back(link.pathname)
    const { key } = this.#entry
    this.navigate(link.href)
    this.#lefts.set(key, link.getAttribute('href')!)
  }
}
