import type { Starling } from 'starling'
import { hidden, hide, onhidden } from '../ui/hiding.ts'

/** The page's one engine: loaded when it is first asked for, so that the first screen need not wait for it. */
export class NodeHost {
  #node: Promise<Starling> | undefined

  constructor() {
    // Another tab may run the engine now, and this one the next.
    onhidden(() => void this.#obey().catch(reportError))
  }

  get(): Promise<Starling> {
    this.#node ??= load()
    // Offline before it was ever loaded, say: the next call tries again.
    this.#node.catch(() => (this.#node = undefined))
    return this.#node
  }

  /** Whether others learn this device's network address, in all tabs, from now on. Rejects with words for the person. */
  async hide(on: boolean): Promise<void> {
    if (on) await relayed()
    hide(on)
    await this.#obey().catch((error: unknown) => {
      hide(!on)
      throw error
    })
  }

  async #obey(): Promise<void> {
    const node = await this.#node
    await node?.setRelayOnly(hidden())
  }
}

/** Rejects where there is no other way than straight from browser to browser. */
async function relayed(): Promise<void> {
  const asked = fetch('/api/ice').then((response) => response.json() as Promise<{ iceServers: RTCIceServer[] }>)
  const { iceServers } = await asked.catch(() => {
    throw new Error('The server cannot be reached. Try again when you are connected.')
  })
  if (!iceServers.some(({ urls }) => [urls].flat().some((url) => url.startsWith('turn')))) {
    throw new Error('This server passes nothing on, so others have to learn your address.')
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
  return new Starling({ relayOnly: hidden() })
}
