/** The service worker's life, as the user sees it: ready to work offline; a newer version is there. */
import type { Ready, Word } from '../engine/stream/protocol.ts'
import type { Toast } from '../ui/toasts.ts'

/** Also at the foot of the page about the app. */
export const readyWords = 'App ready for offline use'

/** Milliseconds in which a version that was agreed to should take over: where something plays it waits for its end, or minutes. */
const patience = 5000

export async function register(toast: (toast: Toast) => void): Promise<void> {
  const { serviceWorker } = navigator
  if (!serviceWorker) return
  let agreed = false
  let offered = false
  /** What is best when it is pressed: another tab may have agreed since, or a still newer version come. */
  const reload = async () => {
    offered = false
    const waiting = (await serviceWorker.getRegistration())?.waiting
    if (!waiting) return location.reload()
    agreed = true
    waiting.postMessage({ type: 'starling:update' } satisfies Word)
    setTimeout(() => {
      if (waiting.state !== 'installed') return
      // What plays in this page ends with it. Who stays when the browser asks is not asked again.
      agreed = false
      location.reload()
    }, patience)
  }
  /** It waits until the user agrees, so that no page loses its own version while it works. Told once. */
  const offer = () => {
    if (offered) return
    offered = true
    const action = { label: 'Reload', run: () => void reload() }
    toast({ text: 'App updated', time: Infinity, action, closed: () => (offered = false) })
  }
  serviceWorker.addEventListener('message', ({ data }: MessageEvent<Ready | undefined>) => {
    if (data?.type !== 'starling:ready') return
    if (agreed) location.reload()
    else if (data.updated) offer()
    // Nobody waits for it. On other pages its place may be that of a button that somebody is about to press.
    else if (location.pathname === '/memos' && !document.querySelector('dialog[open]')) toast({ text: readyWords })
  })

  /** It has installed. WebKit may tell so of the first one when that is in charge already. */
  const installed = (worker: ServiceWorker) => {
    if (serviceWorker.controller && serviceWorker.controller !== worker) offer()
  }

  const registration = await serviceWorker.register('/sw.js', { type: 'module' })
  if (registration.waiting) installed(registration.waiting)
  registration.addEventListener('updatefound', () => {
    const worker = registration.installing
    worker?.addEventListener('statechange', () => worker.state === 'installed' && installed(worker))
  })
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void registration.update().catch(() => undefined)
  })
}
