/** Memos that come from others: from a link to rows of the library, and where each arrival stands on its way. */
import type { Starling, Torrent } from 'starling'
import { Fetching, Fetchings, infoHashOf, keyOf } from '../ui/fetching.ts'
import { forget } from '../ui/forgetting.ts'
import { keepsNothing } from '../ui/full.ts'
import { persist } from '../ui/persist.ts'
import { modest, saveData } from '../ui/room.ts'
import { isSound } from '../ui/sound.ts'
import { alone } from '../ui/turn.ts'
import { maxBundle, parseBundle, bundleType } from './bundle.ts'
import { readCard } from './card.ts'
import type { Library } from './library.ts'
import { newId, type Memo } from './memo.ts'
import { maxPeaks, peaksOf } from './peaks.ts'
import { cleanTitle } from './words.ts'

/** Files of one torrent that become memos, at most. */
const maxFiles = 200
/** Largest file that is decoded for its drawing, bytes. */
const maxDecoded = 32 << 20

export class Arrival extends Fetching {
  /** The infohash of the bundle that it is part of: then it cannot be one itself. */
  readonly of: string | undefined
  /** The rows it became, once its metadata was here. */
  memos: readonly string[] = []
  /** The arrivals it led to, when it is a link to several memos. */
  bundle: readonly Arrival[] | undefined
  /** All of it is here and kept. */
  saved = false
  /**
   * The section Files shows it: there are other things than sounds in it, the browser keeps no memos for the page, or it is
   * so large that Files asks first.
   */
  elsewhere = false

  constructor(link: string, of?: string) {
    super(link)
    this.of = of
  }

  get rows(): readonly string[] {
    return this.memos
  }
}

export class Receiving extends Fetchings<Arrival> {
  readonly #library: Library

  constructor(node: () => Promise<Starling>, library: Library) {
    super(node, library)
    this.#library = library
  }

  protected make(link: string): Arrival {
    return new Arrival(link)
  }

  override retry(arrival: Arrival): void {
    arrival.saved = false
    super.retry(arrival)
  }

  /** The memo that a link already led to here. One's own is taken back where it was deleted; others are when the link is opened. */
  async find(link: string): Promise<Memo | undefined> {
    const infoHash = infoHashOf(link)
    if (!infoHash) return undefined
    const found = (await this.#own(infoHash)) ?? (await this.#library.from(infoHash)).find(({ deleted }) => !deleted)
    if (!found || (found.from && !found.from.done)) return undefined
    if (found.deleted) await this.#library.restore([found.id])
    return found
  }

  /** The memo that is shared from here under this infohash; may be a deleted one. */
  async #own(infoHash: string | undefined): Promise<Memo | undefined> {
    // As a rule it came from others, and with hundreds of them to read all takes its time.
    if (this.#library.memos.some(({ from }) => from?.infoHash === infoHash)) return undefined
    const leads = ({ shares }: Memo) => !!infoHash && (shares?.private === infoHash || shares?.public === infoHash)
    return (await this.#library.list()).find(leads)
  }

  /** Where the sound of a received memo is; works before all of it is here. */
  async file(memo: Memo) {
    const arrival = this.goOn(memo.from!.link)
    if (arrival.error) throw arrival.error
    const torrent = arrival.torrent ?? (await (await this.node()).add(memo.from!.link))
    await torrent.ready
    return torrent.files[memo.from!.file]!
  }

  /** The memo was deleted for good. */
  async forget(memo: Memo): Promise<void> {
    const { infoHash, bundle } = memo.from!
    if ((await this.#library.from(infoHash)).length || (await this.#own(infoHash))) return
    await this.#forget(infoHash)
    if (!bundle || (await this.#library.list()).some(({ from }) => from?.bundle === bundle)) return
    // One that was made here ends with what is in it (sending.ts).
    const own = (await this.#library.db.bundles()).some((one) => one.infoHash === bundle)
    if (!own) await this.#forget(bundle)
  }

  async #forget(infoHash: string): Promise<void> {
    this.arrivals.delete(infoHash)
    await forget(await this.node(), infoHash)
  }

  protected async work(arrival: Arrival): Promise<void> {
    const own = await this.#own(infoHashOf(arrival.link)).catch(() => undefined)
    if (own) return this.#lead(arrival, own)
    const node = await this.node()
    const torrent = await arrival.meet(node)
    torrent.on('card', () => void this.#recard(arrival))
    if (!arrival.of && torrent.files.length === 1 && torrent.files[0]!.type === bundleType)
      return this.#openBundle(arrival, torrent)
    // The link may be opened in several tabs at once.
    const rows = alone(`memos of ${torrent.infoHash}`, () => this.#makeRows(arrival, torrent))
    if (!(await rows.catch(nowhere))) {
      this.arrivals.delete(keyOf(arrival.link))
      arrival.elsewhere = true
      return arrival.move()
    }
    await node.add(arrival.link)
    await torrent.done
    for (const id of arrival.memos) await this.#complete(id, torrent)
    arrival.saved = true
    arrival.move()
  }

  /** It was shared from here, alone or with others: there is no second one of it. */
  async #lead(arrival: Arrival, own: Memo): Promise<void> {
    // What becomes of that one later is no matter of this link's.
    this.arrivals.delete(keyOf(arrival.link))
    if (arrival.brings(own)) await this.#library.restore([own.id])
    arrival.memos = [own.id]
    arrival.saved = true
    arrival.move()
  }

  /** False where it is not for this section. */
  async #makeRows(arrival: Arrival, torrent: Torrent): Promise<boolean> {
    const before = await this.#library.from(torrent.infoHash)
    const kept = before.filter(({ deleted }) => !deleted)
    // Before that, those that lack may be those that had no row yet when the page was closed.
    const chosen = kept.some(({ from }) => from!.done)
    if (!before.length && !torrent.state.done && !modest(torrent.length, undefined, saveData())) return false
    const sounds = soundsOf(torrent)
    const { kind } = torrent.card ?? {}
    if (!sounds.length || (sounds.length < torrent.files.length && kind !== 'memo')) return false
    const card = sounds.length === 1 ? readCard(torrent.state.card) : {}
    const ids = []
    for (const { file, index } of sounds) {
      const known = before.find((memo) => memo.from!.file === index)
      // Of several that are here, the user deleted this one.
      if (known?.deleted ? kept.length : chosen && !known) continue
      if (known) {
        if (arrival.brings(known)) await this.#library.restore([known.id])
        ids.push(known.id)
        continue
      }
      const name = sounds.length > 1 || !torrent.name || torrent.name === 'sealed' ? file.name : torrent.name
      const link = torrent.state.private ? torrent.link : arrival.link
      const memo: Memo = {
        id: newId(),
        title: cleanTitle(stem(name)),
        description: '',
        created: Date.now(),
        duration: 0,
        type: file.type,
        size: file.size,
        peaks: new Uint8Array(0),
        ...card,
        from: { infoHash: torrent.infoHash, file: index, link, done: false, ...(arrival.of && { bundle: arrival.of }) },
      }
      await this.#library.add(memo)
      ids.push(memo.id)
    }
    arrival.memos = ids
    await this.#recard(arrival)
    arrival.emit('change', undefined)
    return true
  }

  /** What the sender says of it; what the user wrote over it stays. */
  async #recard(arrival: Arrival): Promise<void> {
    const { torrent, memos: [id] } = arrival
    if (!id || !torrent || soundsOf(torrent).length !== 1) return
    const { title, description, ...rest } = readCard(torrent.state.card)
    await this.#library.update(id, (memo) => ({
      ...(memo.edited || title === undefined ? {} : { title }),
      ...(memo.edited || description === undefined ? {} : { description }),
      ...rest,
    }))
  }

  async #complete(id: string, torrent: Torrent): Promise<void> {
    // Also a deleted one, as Undo may bring it back.
    const memo = await this.#library.db.memo(id)
    if (!memo) return
    if (!memo.from!.done) void persist()
    const drawn = memo.peaks.length && memo.duration ? {} : await decode(await torrent.files[memo.from!.file]!.blob())
    if (memo.from!.done && !('peaks' in drawn)) return
    await this.#library.update(id, (now) => ({ ...drawn, from: { ...now.from!, done: true } }))
  }

  async #openBundle(arrival: Arrival, torrent: Torrent): Promise<void> {
    if (torrent.files[0]!.size > maxBundle) throw new Error('This link leads to more than can be opened.')
    await (await this.node()).add(arrival.link)
    await torrent.done
    const links = parseBundle(await torrent.files[0]!.text())
    if (!links.length) throw new Error('This link leads to no memos.')
    arrival.bundle = links.map((link) => this.open(link, () => new Arrival(link, torrent.infoHash)))
    for (const one of arrival.bundle) {
      one.on('change', () => {
        arrival.saved = arrival.bundle!.every((other) => other.saved)
        arrival.emit('change', undefined)
      })
    }
    arrival.saved = arrival.bundle.every((other) => other.saved)
    arrival.emit('change', undefined)
  }
}

function nowhere(error: unknown): false {
  if (!keepsNothing(error)) throw error
  return false
}

/** Those that become memos, and which of the torrent's files they are. */
const soundsOf = ({ files }: Torrent) =>
  files.flatMap((file, index) => (isSound(file) ? { file, index } : [])).slice(0, maxFiles)

const stem = (name: string): string => name.replace(/\.\w{2,5}$/, '')

/** Duration and drawing of a sound, as far as this browser can decode it. */
async function decode(blob: Blob): Promise<{ duration?: number; peaks?: Uint8Array }> {
  if (blob.size > maxDecoded) return {}
  try {
    const sound = await new OfflineAudioContext(1, 1, 8000).decodeAudioData(await blob.arrayBuffer())
    return { duration: sound.duration, peaks: peaksOf(sound.getChannelData(0)).slice(0, maxPeaks) }
  } catch {
    return {}
  }
}
