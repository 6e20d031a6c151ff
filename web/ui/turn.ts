import type { Starling } from 'starling'

/** Does work while no other tab does what has that name; where the browser keeps the page from its locks, all the same. */
export async function alone<T>(name: string, work: () => Promise<T>): Promise<T> {
  let over = () => {}
  await new Promise<void>((resolve) => {
    const held = () => (resolve(), new Promise<void>((done) => (over = done)))
    const { locks } = globalThis.navigator ?? {}
    if (locks) locks.request(name, {}, held).catch(() => resolve())
    else resolve()
  })
  return work().finally(() => over())
}

/**
 * Has one of the app's tabs do work: this one now, or once those before it were closed or stand still. It is done again
 * whenever the tab that ran the engine is gone: what that one alone had, nobody has any more.
 */
export function inTurn(name: string, node: () => Promise<Starling>, work: () => Promise<void>): void {
  const go = () => void work().catch(reportError)
  let listening = false
  const turn = async () => {
    go()
    // Where the engine cannot be had, work has said so.
    const engine = await node().catch(() => undefined)
    if (!listening) engine?.on('takeover', () => here && go())
    listening ||= !!engine
  }
  const { locks } = navigator
  let here = !locks
  if (!locks) return void turn()
  let over = new AbortController()
  const come = () => {
    const { signal } = (over = new AbortController())
    const held = () =>
      new Promise<void>((resolve) => {
        here = true
        signal.addEventListener('abort', () => resolve())
        void turn()
      })
    locks.request(name, { signal }, held).catch(() => {})
  }
  const leave = () => {
    here = false
    over.abort()
  }
  const back = () => over.signal.aborted && come()
  // Safari freezes no page. In its back/forward cache one loses its locks for good, or keeps them, as versions have it.
  for (const name of ['pagehide', 'freeze']) addEventListener(name, leave, { capture: true })
  for (const name of ['pageshow', 'resume']) addEventListener(name, back, { capture: true })
  come()
}
