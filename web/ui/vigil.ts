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
  const look = lamp(awake)
  for (const emitter of on) emitter.on('change', look)
  addEventListener('beforeunload', (event) => {
    if (leaving || !busy()) return
    event.preventDefault()
    event.returnValue = true // Chrome before 119 asks for this alone
  })
}

/** Milliseconds. */
const longest = 10 * 60_000

/**
 * While a link is shown the screen stays on, for some minutes: a phone that goes dark before somebody has scanned it is asleep,
 * and gives nobody anything. Returns what ends it.
 */
export function shown(): () => void {
  const over = new AbortController()
  const look = lamp(() => !over.signal.aborted, over.signal)
  const end = () => {
    clearTimeout(timer)
    over.abort()
    look()
  }
  const timer = setTimeout(end, longest)
  look()
  return end
}

/** Keeps the screen on while that is so and the page is in view; to be called when it may be different. */
function lamp(wanted: () => boolean, signal?: AbortSignal): () => void {
  let lock: Promise<WakeLockSentinel | undefined> | undefined
  const look = (): void => {
    const on = wanted() && document.visibilityState === 'visible'
    if (on && !lock) {
      const mine = (lock = navigator.wakeLock?.request('screen').catch(() => undefined))
      // Another one may have been had before this is said to be released.
      void mine?.then((sentinel) => sentinel?.addEventListener('release', () => lock === mine && (lock = undefined)))
    } else if (!on && lock) {
      void lock.then((sentinel) => sentinel?.release())
      lock = undefined
    }
  }
  document.addEventListener('visibilitychange', look, signal && { signal })
  return look
}

/** Runs what looks to the browser like leaving the page, but is a download: nobody is asked whether to stay. */
export function unguarded(work: () => void): void {
  leaving = true
  addEventListener('beforeunload', () => (leaving = false), { once: true })
  work()
}
