import type { Starling } from 'starling'

/** The page's one engine: loaded when it is first asked for, so that the first screen need not wait for it. */
export class NodeHost {
  #node: Promise<Starling> | undefined

  get(): Promise<Starling> {
    this.#node ??= load()
    // Offline before it was ever loaded, say: the next call tries again.
    this.#node.catch(() => (this.#node = undefined))
    return this.#node
  }
}

async function load(): Promise<Starling> {
  // All of its parts at once, not one after another. Where a link is opened, the page has asked for them already.
  for (const href of __ENGINE__) {
    document.head.append(Object.assign(document.createElement('link'), { rel: 'modulepreload', href }))
  }
  const { Starling } = await import('starling').catch((cause: unknown) => {
    // Or the page is open since a version whose parts neither the server nor the service worker has any more.
    const words = 'A part of the app could not be loaded. Check your connection, then load this page again.'
    throw Object.assign(new Error(words, { cause }), { code: 'unloaded' })
  })
  return new Starling()
}
