/** Tells the app's other tabs; undefined where the browser keeps this page from them, with its storage. */
export function others(name: string): BroadcastChannel | undefined {
  try {
    const channel = new BroadcastChannel(name)
    // What a page was writing as it was left is written, with nobody there to tell of it.
    addEventListener('pagehide', () => channel.postMessage('left'))
    // What they say passes by a page that lies in the back/forward cache.
    addEventListener('pageshow', ({ persisted }) => persisted && channel.dispatchEvent(new MessageEvent('message')))
    return channel
  } catch {
    return undefined
  }
}
