/** Keeps screen and page awake and open while something is under way that closing would end. */
export interface Vigil {
  /** Something goes on for which the screen should stay on. Asked again at every change. */
  awake(): boolean
  /** Something would be lost if the page closed now. */
  busy(): boolean
  /** Where changes are told. */
  on: readonly { on(event: 'change', then: () => void): unknown }[]
}

let leaving = false

export function guard({ awake, busy, on }: Vigil): void {
  let lock: Promise<WakeLockSentinel | undefined> | undefined

  const look = (): void => {
    const wanted = awake() && document.visibilityState === 'visible'
    if (wanted && !lock) {
      const mine = (lock = navigator.wakeLock?.request('screen').catch(() => undefined))
      // Another one may have been had before this is said to be released.
      void mine?.then((sentinel) => sentinel?.addEventListener('release', () => lock === mine && (lock = undefined)))
    } else if (!wanted && lock) {
      void lock.then((sentinel) => sentinel?.release())
      lock = undefined
    }
  }
  for (const emitter of on) emitter.on('change', look)
  document.addEventListener('visibilitychange', look)
  addEventListener('beforeunload', (event) => {
    if (leaving || !busy()) return
    event.preventDefault()
    event.returnValue = true // Chrome before 119 asks for this alone
  })
}

/** Runs what looks to the browser like leaving the page, but is a download: nobody is asked whether to stay. */
export function unguarded(work: () => void): void {
  leaving = true
  addEventListener('beforeunload', () => (leaving = false), { once: true })
  work()
}
