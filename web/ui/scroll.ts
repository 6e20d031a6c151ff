/** Where things were scrolled to, for as long as the tab is there: the page may be loaded anew, or come back to from another site. */
const store = 'scrolled'
/** Of so many, those noted last. */
const most = 100

const places = new Map(read())

/** Pixels; 0 where nothing was noted. */
export const placeOf = (what: string): number => places.get(what) ?? 0

export function note(what: string, place: number): void {
  places.delete(what)
  places.set(what, place)
}

/** What is noted survives the page. */
export function keep(): void {
  try {
    sessionStorage.setItem(store, JSON.stringify([...places].slice(-most)))
  } catch {
    // Without storage it is there as long as the page is.
  }
}

function read(): [string, number][] {
  try {
    return JSON.parse(sessionStorage.getItem(store) ?? '[]') as [string, number][]
  } catch {
    return []
  }
}

/**
 * Scrolls it there as soon as it is that long, for lists are read from disk; unless the user does something before. The
 * returned function lets it be.
 */
export function scrollBack(element: Element, place: number): () => void {
  const over = new AbortController()
  const go = () => {
    element.scrollTop = place
    if (element.scrollTop >= place - 1) over.abort()
  }
  const grown = new MutationObserver(go)
  over.signal.addEventListener('abort', () => grown.disconnect())
  for (const done of ['wheel', 'touchmove', 'pointerdown', 'keydown']) {
    addEventListener(done, () => over.abort(), { signal: over.signal, capture: true, passive: true })
  }
  grown.observe(element, { childList: true, subtree: true })
  go()
  return () => over.abort()
}
