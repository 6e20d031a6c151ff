/** What comes by a link, on its way: the same in every section, whatever becomes of it. */
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { isFull } from './full.ts'

export class Fetching extends Emitter<{ change: void }> {
  /** As it was given. */
  readonly link: string
  torrent: Torrent | undefined
  /** What went wrong for good. */
  error: unknown
  /** When something last moved, ms of performance.now. */
  moved = performance.now()

  constructor(link: string) {
    super()
    this.link = link
  }

  /** There is no room for the rest: what is here stays in use. */
  get full(): boolean {
    return !!this.torrent?.state.ready && isFull(this.error)
  }

  move(): void {
    this.moved = performance.now()
    this.emit('change', undefined)
  }

  fail(error: unknown): void {
    this.error ??= error
    this.emit('change', undefined)
  }

  /**
   * Resolves with the torrent when its names are known; of its data nothing is fetched yet, as it may be large, or for
   * another section. before: the torrent of the last try, which is taken away. Rejects where nothing will come of it.
   */
  async meet(node: Starling, before?: Torrent): Promise<Torrent> {
    // One that failed for its key must not keep it for the next, whose key may be right.
    await before?.remove({ destroyStore: before.state.error?.code === 'wrong-key' })
    const torrent = (this.torrent = await node.add(this.link, { onDemand: true }))
    let [last, peers] = [-1, 0]
    torrent.on('progress', ({ downloaded, peers: { length } }) => {
      if (downloaded === last && length === peers) return this.emit('change', undefined)
      ;[last, peers] = [downloaded, length]
      this.move()
    })
    torrent.on('error', (error) => this.fail(error))
    this.move()
    await torrent.ready
    this.move()
    if (torrent.private || torrent.name !== 'sealed') return torrent
    await torrent.remove({ destroyStore: true })
    const words = 'This link is cut short: its key is missing. Copy all of it and open it again.'
    throw Object.assign(new Error(words), { code: 'bad-link' })
  }
}

/** Takes a torrent out of the engine, its data with it. */
export async function forget(node: Starling, infoHash: string): Promise<void> {
  const torrent = node.get(infoHash) ?? (await node.add(infoHash, { onDemand: true }))
  await torrent.remove({ destroyStore: true })
}

/** Lower case; undefined where a link shows none (a magnet in base32, say): the engine tells it then. */
export const infoHashOf = (link: string): string | undefined =>
  /(?:^|[#/:])([0-9a-f]{40})(?![0-9a-z])/i.exec(link)?.[1]!.toLowerCase()
