/** Memos that go to others: the engine seeds their bytes where they lie; links outlive renames and reloads. */
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import { Audience } from '../ui/audience.ts'
import { infoHashOf } from '../ui/fetching.ts'
import { forget } from '../ui/forgetting.ts'
import type { Sending as Words } from '../ui/standing.ts'
import { alone } from '../ui/turn.ts'
import { mentioned, quoted } from '../ui/words.ts'
import { makeBundle, maxLinks, partOf, tooMany } from './bundle.ts'
import { makeCard } from './card.ts'
import type { Library } from './library.ts'
import { kindOf, type Memo, type Shares } from './memo.ts'
import type { Receiving } from './receiving.ts'
import { fileName } from './words.ts'

export type Kind = keyof Shares

export class Sending extends Emitter<{ change: void }> {
  readonly #node: () => Promise<Starling>
  readonly #library: Library
  readonly #receiving: Receiving
  readonly #audience: Audience
  readonly #making = new Map<string, Promise<Torrent>>()

  constructor(node: () => Promise<Starling>, library: Library, receiving: Receiving) {
    super()
    this.#node = node
    this.#library = library
    this.#receiving = receiving
    this.#audience = new Audience(node)
    this.#audience.on('change', () => this.emit('change', undefined))
  }

  /** The memo's torrent of that kind: made now, or the one that was made before, with the same link. */
  share(memo: Memo, kind: Kind): Promise<Torrent> {
    const key = `${kind} ${memo.id}`
    // Another tab may make it at the same time, and then each would have a link of its own.
    const make = () => alone(`share ${key}`, () => this.#share(memo, kind)).finally(() => this.#making.delete(key))
    const making = this.#making.get(key) ?? make()
    this.#making.set(key, making)
    return making
  }

  /** One link to several memos. told: how many of them are ready. When signal aborts, no more are made. */
  async bundle(memos: readonly Memo[], told?: (ready: number) => void, signal?: AbortSignal): Promise<Torrent> {
    if (memos.length > maxLinks) throw tooMany()
    const links: string[] = []
    for (const memo of memos) {
      signal?.throwIfAborted()
      told?.(links.length)
      links.push(partOf((await this.share(memo, kindOf(memo))).link))
    }
    signal?.throwIfAborted()
    const before = (await this.#library.db.bundles()).find((bundle) => bundle.links.join() === links.join())
    return this.#seedBundle(links, before?.infoHash)
  }

  /** Writes the memo's words to those who have it. */
  async rename(memo: Memo): Promise<void> {
    for (const kind of kindsOf(memo)) await this.#freshen(await this.share(memo, kind), memo.id)
  }

  /** All that was shared, again: after a reload. Rejects when something could not be, after all the rest. */
  async resume(): Promise<void> {
    const errors: unknown[] = []
    const attempt = (work: Promise<unknown>) => work.catch((error: unknown) => errors.push(error))
    for (const { id } of this.#library.memos) {
      // With many of them, the user may have deleted some meanwhile.
      const memo = this.#library.get(id)
      if (memo) await attempt(this.goOn(memo))
    }
    await attempt(this.#prune())
    for (const { links, infoHash } of await this.#library.db.bundles()) await attempt(this.#seedBundle(links, infoHash))
    if (errors.length) throw new AggregateError(errors, 'Not all that was shared could be shared again.')
  }

  /** What was shared of it, again. */
  async goOn(memo: Memo): Promise<void> {
    if (memo.from) this.#receiving.goOn(memo.from.link)
    for (const kind of kindsOf(memo)) await this.share(memo, kind)
  }

  /** The memo was deleted for good. */
  async forget(memo: Memo): Promise<void> {
    for (const kind of kindsOf(memo)) await forget(await this.#node(), memo.shares![kind]!)
    if (memo.from) await this.#receiving.forget(memo)
    await this.#prune()
  }

  status(torrent: Torrent): Words {
    return this.#audience.status(torrent)
  }

  /** Somebody is fetching something that nobody else has. */
  get busy(): boolean {
    return this.#audience.busy
  }

  /** The sound itself. Rejects with the code 'missing' where the browser lost it. */
  async audio(memo: Memo): Promise<Blob> {
    const stored = await this.#library.db.audio(memo.id)
    if (!stored && memo.from) return (await this.#receiving.file(memo)).blob()
    // A browser may still have the row when the file with its bytes is gone.
    const there = await stored?.slice(0, 1).arrayBuffer().then(() => true, () => false)
    if (!stored || !there) throw missing(memo)
    return stored
  }

  async #share({ id }: Memo, kind: Kind): Promise<Torrent> {
    const node = await this.#node()
    // As it is now: the user may have written on while this was asked for.
    const memo = await this.#library.db.memo(id)
    if (!memo) throw new Error('This memo was deleted.')
    if (memo.from && kind === kindOf(memo) && !memo.shares?.[kind]) return this.#audience.watch(await node.add(memo.from.link))
    const known = memo.shares?.[kind]
    const torrent = (known && node.get(known)) || (await this.#seed(node, memo, kind))
    await this.#freshen(torrent, id)
    return this.#audience.watch(torrent)
  }

  async #seed(node: Starling, memo: Memo, kind: Kind): Promise<Torrent> {
    const known = memo.shares?.[kind]
    const name = fileName(memo.title, memo.type)
    const file = new File([await this.audio(memo)], name, { type: memo.type })
    const torrent = await node.seed(file, { name, private: kind === 'private', card: makeCard(memo), known })
    if (torrent.infoHash !== known) {
      await this.#library.update(memo.id, ({ shares }) => ({ shares: { ...shares, [kind]: torrent.infoHash } }))
    }
    return torrent
  }

  /** What was written while it was being seeded, or while the engine could not be had. */
  async #freshen(torrent: Torrent, id: string): Promise<void> {
    const memo = await this.#library.db.memo(id)
    const card = memo && makeCard(memo)
    if (card && JSON.stringify(card) !== JSON.stringify(torrent.card)) await torrent.setCard(card)
  }

  /** Links to several memos end with the last of these. */
  async #prune(): Promise<void> {
    const { db } = this.#library
    const bundles = await db.bundles()
    const memos = await this.#library.list()
    const here = new Set(memos.flatMap(({ shares, from }) => [shares?.private, from?.infoHash]))
    for (const { infoHash, links } of bundles) {
      if (links.some((link) => here.has(infoHashOf(link)))) continue
      await forget(await this.#node(), infoHash)
      await db.deleteBundle(infoHash)
    }
  }

  async #seedBundle(links: readonly string[], known?: string): Promise<Torrent> {
    const node = await this.#node()
    const title = `${links.length} memos`
    const torrent = await node.seed(makeBundle(links), {
      name: title,
      private: true,
      known,
      card: { kind: 'memos', title },
    })
    await this.#library.db.addBundle({ infoHash: torrent.infoHash, links: [...links] })
    return this.#audience.watch(torrent)
  }
}

function missing({ title }: Memo): Error {
  const name = quoted(mentioned(title))
  const words = `The sound of ${name} is missing: the browser may have cleared it. Those you sent it to still have it.`
  return Object.assign(new Error(words), { code: 'missing' })
}

const kindsOf = ({ shares }: Memo): Kind[] => (['private', 'public'] as const).filter((kind) => shares?.[kind])
