import { container } from './container.ts'
import { filePath, type Word } from './protocol.ts'

/** Milliseconds for a first visit's service worker to install. */
const patience = 5000
/** Milliseconds for it to answer when it is in charge; a browser may have to start it. */
const answerTime = 3000

/** Found out once, and again where there was none: an app may register its service worker late. */
let ours: Promise<boolean> | undefined
/** It has not answered, as a page's own does not: that is waited for once, and not for each file. */
let silent: ServiceWorker | undefined

/**
 * The URL under which players get a file, seek in it, and wait for its bytes. Undefined where no service worker of
 * Starling is in charge of the page.
 */
export async function fileURL(infoHash: string, file: number, name: string): Promise<string | undefined> {
  const asked = (ours ??= inCharge())
  if (await asked) return new URL(filePath(infoHash, file, name), own()).href
  if (ours === asked) ours = undefined
  return undefined
}

/** A frame made of text (srcdoc) has its page's origin and service worker, and no address that would say so. */
const own = (): string => (location.origin === 'null' ? globalThis : location).origin

async function inCharge(): Promise<boolean> {
  const workers = container()
  if (!workers) return false
  const worker = workers.controller ?? (await coming(workers))
  if (!worker || worker === silent) return false
  silent = worker
  const heard = greet(worker).then(() => (silent = undefined), () => {})
  await within(answerTime, heard)
  if (worker === silent) return false
  // A page that was loaded past its service worker (Shift + Reload) is in its charge when the claim has come through.
  return !!workers.controller || !!(await within(answerTime, once(workers, 'controllerchange')))
}

/** The one that was registered for this page and is about to take charge; a page without any need not wait. */
async function coming(workers: ServiceWorkerContainer): Promise<ServiceWorker | null | undefined> {
  const registered = await workers.getRegistration().catch(() => undefined)
  return registered && (await within(patience, workers.ready))?.active
}

function greet(worker: ServiceWorker): Promise<unknown> {
  const { port1, port2 } = new MessageChannel()
  worker.postMessage({ type: 'starling:hello' } satisfies Word, [port2])
  port1.start()
  return once(port1, 'message').finally(() => port1.close())
}

function once(target: EventTarget, name: string): Promise<Event> {
  return new Promise((resolve) => target.addEventListener(name, resolve, { once: true }))
}

function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  return Promise.race([promise, new Promise<undefined>((resolve) => setTimeout(resolve, milliseconds))])
}
