/** The page's service workers. A sandboxed frame has none, and in Chromium must not even look. */
export function container(): ServiceWorkerContainer | undefined {
  try {
    return globalThis.navigator?.serviceWorker
  } catch {
    return undefined
  }
}
