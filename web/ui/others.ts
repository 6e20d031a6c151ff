/** Tells the app's other tabs; undefined where the browser keeps this page from them, with its storage. */
export function others(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name)
  } catch {
    return undefined
  }
}
