/** Keeps screen and page awake and open while something is under way that closing would end. */
import type { Memos } from './memos.ts'

export function guard({ recorder, sharing, receiving }: Memos): void {
  const busy = () => recorder.state === 'recording' || recorder.state === 'paused' || recorder.state === 'saving'
  let lock: Promise<WakeLockSentinel | undefined> | undefined

  const awake = (): void => {
    const wanted =
      (recorder.state === 'recording' || sharing.busy || receiving.busy) && document.visibilityState === 'visible'
    if (wanted && !lock) {
      lock = navigator.wakeLock?.request('screen').catch(() => undefined)
      void lock?.then((sentinel) => sentinel?.addEventListener('release', () => (lock = undefined)))
    } else if (!wanted && lock) {
      void lock.then((sentinel) => sentinel?.release())
      lock = undefined
    }
  }
  recorder.on('change', awake)
  sharing.on('change', awake)
  receiving.on('change', awake)
  document.addEventListener('visibilitychange', awake)
  addEventListener('beforeunload', (event) => {
    if (busy() || sharing.busy) event.preventDefault()
  })
}
