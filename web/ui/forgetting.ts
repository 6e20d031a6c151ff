import type { Starling } from 'starling'

/** Takes a torrent out of the engine, its data with it. */
export async function forget(node: Starling, infoHash: string): Promise<void> {
  try {
    const torrent = node.get(infoHash) ?? (await node.add(infoHash, { onDemand: true }))
    await torrent.remove({ destroyStore: true })
  } catch (error) {
    // Somebody else was faster.
    if ((error as { code?: unknown }).code !== 'removed') throw error
  }
}

/**
 * What was deleted for good goes from the engine, too. Until it has, that is noted down: the page may be closed before, and
 * then nobody would find it any more.
 */
export class Forgetting {
  readonly #mark: string

  constructor(section: string) {
    this.#mark = `forget ${section} `
  }

  /** Of a row that is about to go. */
  begin(infoHashes: readonly string[]): void {
    try {
      for (const infoHash of infoHashes) localStorage.setItem(this.#mark + infoHash, '1')
    } catch {
      // On a full device it is forgotten if only the page stays.
    }
  }

  /** They are forgotten, or others need them. */
  end(infoHashes: readonly string[]): void {
    for (const infoHash of infoHashes) globalThis.localStorage?.removeItem(this.#mark + infoHash)
  }

  /** Does what a page was closed before. needed: infohashes of all rows. */
  async resume(node: () => Promise<Starling>, needed: () => Promise<readonly string[]>): Promise<void> {
    const left = Object.keys(globalThis.localStorage ?? {}).flatMap((key) =>
      key.startsWith(this.#mark) ? key.slice(this.#mark.length) : [],
    )
    if (!left.length) return
    const all = new Set(await needed())
    for (const infoHash of left) {
      if (!all.has(infoHash)) await forget(await node(), infoHash)
      this.end([infoHash])
    }
  }
}
