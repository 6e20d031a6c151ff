/** Asks the browser not to delete what is here when the device gets full. */
const mark = 'asked to persist'
/** Milliseconds: one that says no may say yes to whoever comes often, and one that asks the user is not to do so each day. */
const seldom = 7 * 86_400_000

/** To be called when there is something new to be kept. */
export async function persist(now = Date.now()): Promise<void> {
  try {
    if (Math.abs(now - Number(localStorage.getItem(mark))) < seldom || (await navigator.storage.persisted())) return
    localStorage.setItem(mark, String(now))
    await navigator.storage.persist()
  } catch {
    // It keeps what it likes, or nothing.
  }
}
