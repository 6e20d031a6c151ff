/** What comes by a link, on its way: the same in every section, whatever becomes of it. */
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { isFull } from './full.ts'

export class Fetching extends Emitter<{ change: void }> {
  /** As it was given last. */
  link: string
  torrent: Torrent | undefined
  /** What went wrong for good. */
  error: unknown
  /** When something last moved, ms of performance.now. */
  moved = performance.now()
  #tries = 0

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
   * From the beginning, with the data that is here already. work is what is done with it, and may reject; what becomes
   * of an earlier try is no matter any more. wanted: whether it was not deleted here, where the engine has removed it.
   */
  async begin(work: () => Promise<void>, wanted: () => Promise<boolean>): Promise<void> {
    const mine = ++this.#tries
    this.error = undefined
    this.move()
    try {
      await work()
    } catch (error) {
      // By another tab, which tries again with the engine of all.
      const again = (error as { code?: unknown }).code === 'removed' && (await wanted().catch(() => false))
      if (mine !== this.#tries) return
      if (again) return this.begin(work, wanted)
      this.fail(error)
    }
  }

  /**
   * Resolves with the torrent when its names are known; of its data nothing is fetched yet, as it may be large, or for
   * another section. That of the last try is taken away. Rejects where nothing will come of it.
   */
  async meet(node: Starling): Promise<Torrent> {
    const before = this.torrent
    this.torrent = undefined
    // What is here stays, also where the key was wrong: anybody can make such a link to what somebody has.
    await before?.remove()
    const torrent = (this.torrent = await node.add(this.link, { onDemand: true }))
    let [last, peers] = [-1, 0]
    torrent.on('progress', ({ downloaded, peers: { length } }) => {
      if (downloaded === last && length === peers) return this.emit('change', undefined)
      ;[last, peers] = [downloaded, length]
      this.move()
    })
    torrent.on('error', (error) => this.fail(error))
    const off = node.on('remove', (gone) => {
      if (gone !== torrent) return
      off()
      // Whoever still waits for it is told by done.
      if (torrent.state.done && torrent === this.torrent) this.fail(deleted())
    })
    this.move()
    await torrent.ready
    this.move()
    if (torrent.private || torrent.name !== 'sealed') return torrent
    this.torrent = undefined
    await torrent.remove({ destroyStore: true })
    const words = 'This link is cut short: its key is missing. Copy all of it and open it again.'
    throw Object.assign(new Error(words), { code: 'bad-link' })
  }
}

const deleted = () => Object.assign(new Error('It was deleted in another tab.'), { code: 'removed' })

/** Takes a torrent out of the engine, its data with it. */
export async function forget(node: Starling, infoHash: string): Promise<void> {
  const torrent = node.get(infoHash) ?? (await node.add(infoHash, { onDemand: true }))
  await torrent.remove({ destroyStore: true })
}

/** Lower case; undefined where a link shows none (a magnet in base32, say): the engine tells it then. */
export const infoHashOf = (link: string): string | undefined =>
  /(?:^|[#/:])([0-9a-f]{40})(?![0-9a-z])/i.exec(link)?.[1]!.toLowerCase()
