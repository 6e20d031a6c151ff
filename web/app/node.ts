import type { Starling } from 'starling'

/** The page's one engine: loaded when it is first asked for, so that the first screen need not wait for it. */
export class NodeHost {
  #node: Promise<Starling> | undefined

  get(): Promise<Starling> {
    this.#node ??= import('starling').then(({ Starling }) => new Starling())
    // Offline before it was ever loaded, say: the next call tries again.
    this.#node.catch(() => (this.#node = undefined))
    return this.#node
  }
}
