import type { Starling } from 'starling'

/** Milliseconds that one waits for another tab's work: iOS suspends tabs in the background, and their locks stay theirs. */
const patience = 20_000
/** Milliseconds after which a page whose turn has not come looks whether it has to wait. */
const leisure = 5000

/** Does work while no other tab does what has that name; where the browser keeps the page from its locks, all the same. */
export async function alone<T>(name: string, work: () => Promise<T>): Promise<T> {
  let over = () => {}
  await new Promise<void>((resolve) => {
    const held = () => (resolve(), new Promise<void>((done) => (over = done)))
    const { locks } = globalThis.navigator ?? {}
    if (locks) locks.request(name, { signal: AbortSignal.timeout(patience) }, held).catch(() => resolve())
    else resolve()
  })
  return work().finally(() => over())
}

/**
 * Has one of the app's tabs do work: this one now, or once those before it were closed or stand still. One that iOS
 * suspended keeps its turn, and loses the engine: so who runs the engine by then takes the turn as well. It is done again
 * whenever the tab that ran the engine is gone: what that one alone had, nobody has any more.
 */
export function inTurn(name: string, node: () => Promise<Starling>, work: () => Promise<void>): void {
  const go = () => void work().catch(reportError)
  let engine: Starling | undefined
  const meet = async () => {
    // Where the engine cannot be had, work has said so.
    const found = await node().catch(() => undefined)
    if (!engine) found?.on('takeover', () => void taken().catch(reportError))
    engine ??= found
  }
  const turn = () => {
    go()
    return meet()
  }
  const { locks } = navigator
  let here = !locks
  if (!locks) return void turn()
  let over = new AbortController()
  const come = (options?: LockOptions) => {
    const { signal } = (over = new AbortController())
    const held = () =>
      new Promise<void>((resolve) => {
        here = true
        signal.addEventListener('abort', () => resolve())
        void turn()
      })
    locks.request(name, options ?? { signal }, held).catch(() => {
      // Another tab took its turn, as this one stood still.
      if (here && !signal.aborted) back()
    })
  }
  const leave = () => {
    here = false
    over.abort()
  }
  const back = () => {
    leave()
    come()
  }
  const taken = async () => {
    if (here) return go()
    const { signal } = over
    const leads = (await engine?.stats())?.leader
    if (!leads || here || signal.aborted) return
    leave()
    come({ steal: true })
  }
  // Safari freezes no page. In its back/forward cache one loses its locks for good, or keeps them, as versions have it.
  for (const name of ['pagehide', 'freeze']) addEventListener(name, leave, { capture: true })
  for (const name of ['pageshow', 'resume']) addEventListener(name, () => over.signal.aborted && come(), { capture: true })
  come()
  setTimeout(() => !here && void meet().then(() => here || taken()).catch(reportError), leisure)
}
