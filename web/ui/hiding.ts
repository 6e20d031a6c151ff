/**
 * Whether this device's network address is hidden from those with whom things are shared: a person's wish, for all tabs. What
 * they exchange then goes through the server's relay.
 */
const wish = 'address hidden'
/** Where it could not be noted down, it holds for as long as the page is open. */
let here = false

export function hidden(): boolean {
  try {
    return here || localStorage.getItem(wish) !== null
  } catch {
    return here
  }
}

/** Whether it is hidden in this tab alone, until it is closed. */
export function hiddenHere(): boolean {
  return here
}

export function hide(on: boolean): void {
  here = on
  try {
    if (on) localStorage.setItem(wish, 'yes')
    else localStorage.removeItem(wish)
    here = false
  } catch {
    // A full device, or one that keeps nothing.
  }
}

/** Calls back when it was changed in another tab, until the returned function is called. */
export function onhidden(then: () => void): () => void {
  const look = ({ key }: StorageEvent) => key === wish && then()
  globalThis.addEventListener?.('storage', look)
  return () => removeEventListener('storage', look)
}
