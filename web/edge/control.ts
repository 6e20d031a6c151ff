import { ours } from './settings.ts'

/** Whether our service worker is in charge of this page: begun before all else, as it takes its time on a first visit. */
export const controlled: Promise<boolean> = control()
// Who waits for it hears of it.
controlled.catch(() => {})

/** A service worker of the site's own is left alone. */
async function control(): Promise<boolean> {
  const { serviceWorker } = navigator
  if (!serviceWorker) return false
  const { scriptURL } = serviceWorker.controller ?? {}
  if (scriptURL) return scriptURL === ours
  const there = await serviceWorker.getRegistration('/')
  const owner = there?.active ?? there?.waiting ?? there?.installing
  if (there && new URL(there.scope).pathname === '/' && owner && owner.scriptURL !== ours) return false
  const taken = new Promise<void>((resolve) => {
    if (serviceWorker.controller) resolve()
    else serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true })
  })
  await serviceWorker.register(ours, { scope: '/', type: 'module' })
  await taken
  return true
}
