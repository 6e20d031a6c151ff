/** People with an engine running, and what tests ask of them. Runs in Node; the pages are beside it. */
import type { AddOptions, NodeStats, SeedOptions, StarlingOptions, TorrentState } from '../../web/engine/types.ts'
import { enter, type Kind, type Kit, type Lab, type Person, type PersonOptions } from '../harness/index.ts'
import { fileOf, seen, type FileSpec, type Seen, type Shared } from './files.ts'

declare const lab: typeof import('./starling.page.ts')

export type EngineName = 'starling' | 'webtorrent'
export type Labs = Record<EngineName, Lab>

export async function openLabs(kit: Kit): Promise<Labs> {
  return {
    starling: await kit.lab(new URL('./starling.page.ts', import.meta.url)),
    webtorrent: await kit.lab(new URL('./stock.page.ts', import.meta.url)),
  }
}

export interface PeerOptions extends PersonOptions {
  kind?: Kind
  engine?: EngineName
  node: StarlingOptions & { trackers: string[] }
}

/** Somebody whose page runs an engine. What stock webtorrent writes to the console is not our business. */
export class Peer {
  readonly person: Person
  readonly #lab: Lab
  readonly #node: StarlingOptions

  private constructor(person: Person, lab: Lab, node: StarlingOptions) {
    this.person = person
    this.#lab = lab
    this.#node = node
  }

  static async open(kit: Kit, labs: Labs, options: PeerOptions): Promise<Peer> {
    const { kind = 'chromium', engine = 'starling', node, ...more } = options
    const person = await kit.person(kind, engine === 'webtorrent' ? { ...more, allow: [/./] } : more)
    const peer = new Peer(person, labs[engine], node)
    await peer.start()
    return peer
  }

  get #page() {
    return this.person.page
  }

  /** Opens the page, or loads it again, with nothing but what it stored. */
  async start(node: StarlingOptions = {}): Promise<void> {
    await enter(this.#page, this.#lab)
    await this.#page.evaluate((options) => lab.start(options), { ...this.#node, ...node })
  }

  seed(files: FileSpec[], options: SeedOptions = {}): Promise<Shared> {
    return this.#page.evaluate((specs, more) => lab.seed(specs, more), files, options)
  }

  /** The infohash, or 'code: message'. */
  add(id: string | number[], options: AddOptions = {}): Promise<string> {
    return this.#page.evaluate((what, more) => lab.add(what, more), id, options)
  }

  /** Waits until all has arrived; or 'code: message'. */
  fetched(infoHash: string): Promise<Seen[] | string> {
    return this.#page.evaluate((hash) => lab.fetched(hash), infoHash)
  }

  state(infoHash: string): Promise<TorrentState | undefined> {
    return this.#page.evaluate((hash) => lab.state(hash), infoHash)
  }

  stats(): Promise<NodeStats> {
    return this.#page.evaluate(() => lab.stats())
  }

  remove(infoHash: string, options: { destroyStore?: boolean } = {}): Promise<void> {
    return this.#page.evaluate((hash, more) => lab.remove(hash, more), infoHash, options)
  }
}

/** What fetched should tell of these files. */
export function whole(files: FileSpec[]): Promise<Seen[]> {
  return Promise.all(files.map((file) => seen(file.name, fileOf(file))))
}
