import type { Bytes, RangeSource } from '../engine/parts.ts'
import { looking } from '../engine/stream/protocol.ts'
import { serve } from '../engine/stream/serve.ts'
import type { Asset } from './asset.ts'
import type { Carrier } from './carrier.ts'
import { controlled } from './control.ts'
import { figures, type Cause } from './figures.ts'
import { fetchPieces } from './ranges.ts'
import { settings } from './settings.ts'
import { pathOf } from './url.ts'

/** Milliseconds that a player waits for the service worker on a first visit. */
const patience = 1500
const lookEach = 250
/** Milliseconds after which one that plays and does not move on has come to a stand. */
const stand = 500
/** Seconds ahead of where it plays that are asked of peers, and at least bytes. */
const ahead = 30
const leastAhead = 4 << 20
/**
 * After a start or a seek, only what is due within this many milliseconds comes over HTTP at once, and what is due within as
 * long as it was ago: peers are being met, and have what they can by then.
 */
const grace = 1000
/** Bytes taken over HTTP at once where it is not known how long it plays. */
const head = 256 << 10
/** Most bytes asked for over HTTP at once. */
const most = 1 << 20

/** Service worker to page, with a port: may I have this from you? Answered as by stream/protocol.ts. */
export interface AskAsset {
  type: 'starling:asset'
  path: string
  destination: string
  /**
   * It goes on with what began before, without CORS. Chromium then refuses a service worker's bytes after the site's own,
   * and the other way round, with an error that ends the film.
   */
  goesOn: boolean
}

let made: Media | undefined
export const media = (carrier: Carrier): Media => (made ??= new Media(carrier))

/**
 * Audio and video, and with the setting `worker` whatever the service worker asks for:
 *
 *   player ─ GET, Range ─▶ sw.ts ─ AskAsset ─▶ Media: a Stream of the asset ─▶ Carrier
 *          ◀─ 206, bytes ──      ◀── pulls ──▶
 */
class Media {
  readonly #carrier: Carrier
  readonly #players = new Map<string, HTMLMediaElement>()
  /** Paths of what began from here; and of what broke, which the site has to give. */
  readonly #begun = new Set<string>()
  readonly #broken = new Set<string>()
  readonly #streams = new Map<Asset, Stream>()
  #shows: ((url: string) => boolean) | undefined

  constructor(carrier: Carrier) {
    this.#carrier = carrier
    const { serviceWorker } = navigator
    serviceWorker?.addEventListener('message', ({ data, ports: [port] }: MessageEvent<AskAsset | undefined>) => {
      if (data?.type === 'starling:asset' && port) void this.#answer(port, data)
    })
    serviceWorker?.startMessages()
    void controlled.then((ours) => ours && serviceWorker.controller?.postMessage({ type: 'starling:players' })).catch(() => {})
    addEventListener('error', ({ target }) => this.#mend(target), { capture: true })
  }

  /** Resolves when the player may be told its URL. */
  async ready(player: HTMLMediaElement, urls: readonly string[]): Promise<void> {
    // A fragment is a time to begin at.
    const paths = urls.flatMap((url) => pathOf(url.split('#')[0]!) ?? [])
    // Of another site, or with a query: nothing of it comes from here.
    if (!paths.length) return
    const assets = paths.map(async (path) => {
      this.#players.set(path, player)
      const asset = await this.#carrier.asset(path)
      // What it will ask for first comes meanwhile, if it does not have that already.
      if (asset?.places.length && paths.length === 1 && player.preload !== 'none' && !player.currentSrc) this.#stream(asset, player).begin()
      return asset
    })
    // With CORS, bytes of the site and of the service worker may follow one another. No asset lies behind a redirect.
    const known = Promise.all(assets).then((all) => all.length === urls.length && all.every(Boolean) && (player.crossOrigin ??= ''))
    const late = new Promise((resolve) => setTimeout(resolve, patience))
    await Promise.race([Promise.all([controlled, known]), late])
  }

  /** Whatever went wrong with it here, it goes on from the site. */
  #mend(player: EventTarget | null): void {
    if (!(player instanceof HTMLMediaElement) || !player.error) return
    // In Firefox it is so where somebody leaves, and the next page would wait for what is loaded anew here.
    if (player.error.code === MediaError.MEDIA_ERR_ABORTED) return
    const path = new URL(player.currentSrc || 'data:').pathname.replace(/^\/\.starling\/play(?=\/)/, '')
    if (!this.#begun.delete(path)) return
    this.#broken.add(path)
    const { currentTime, playbackRate, paused } = player
    // Else Chromium takes the site's bytes for a continuation of what it had from here.
    player.crossOrigin ??= ''
    player.load()
    player.currentTime = currentTime
    player.playbackRate = playbackRate
    if (!paused) player.play().catch(() => {})
  }

  /** From now on whatever the service worker asks for; shows: whether what shows this URL is in view. */
  async all(shows: (url: string) => boolean): Promise<void> {
    this.#shows = shows
    // What the browser loads by itself is given to others.
    const loaded = (image: EventTarget | null) => image instanceof HTMLImageElement && this.#adopt(image.currentSrc)
    for (const image of document.images) if (image.complete) loaded(image)
    document.addEventListener('load', ({ target }) => loaded(target), { capture: true })
    if (await controlled) navigator.serviceWorker.controller?.postMessage({ type: 'starling:here' })
  }

  #adopt(url: string): void {
    const path = pathOf(url || 'data:')
    if (path) void this.#carrier.asset(path).then((asset) => asset && this.#carrier.adopt(asset)).catch(() => {})
  }

  #stream(asset: Asset, player: HTMLMediaElement | undefined): Stream {
    let stream = this.#streams.get(asset)
    if (!stream) this.#streams.set(asset, (stream = new Stream(this.#carrier, asset)))
    stream.follow(player)
    return stream
  }

  async #answer(port: MessagePort, { path, destination, goesOn }: AskAsset): Promise<void> {
    const no = () => port.postMessage(null)
    port.postMessage(looking)
    const name = pathOf(path)
    const playing = /^(audio|video)$/.test(destination)
    if (!name || (playing && (this.#broken.has(path) || (goesOn && !this.#begun.has(path))))) return no()
    if (!playing && (this.#shows?.(new URL(path, location.origin).href) ?? true)) return no()
    const asset = await this.#carrier.asset(name)
    if (!asset || asset.stale || !asset.places.length || (!asset.whole && !playing && !this.#carrier.crowded(asset))) return no()
    if (playing) {
      this.#begun.add(path)
      serve(port, this.#stream(asset, this.#players.get(name)))
    } else {
      const blob = await this.#carrier.get(asset)
      if (!blob) return no()
      serve(port, {
        name: '', type: asset.type, size: asset.size, release() {},
        read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
      })
    }
    port.postMessage({ name: '', type: asset.type, size: asset.size })
  }
}

/** One asset as it is played: verified pieces, from peers as long as there is time, else over HTTP. */
class Stream implements RangeSource {
  readonly name = ''
  readonly type: string
  readonly size: number
  readonly #carrier: Carrier
  readonly #asset: Asset
  /** Of a page's players of it the one that came last. */
  #player: HTMLMediaElement | undefined
  /** Where each reader is, the last one last. */
  readonly #readers = new Map<string, number>()
  readonly #fetching = new Set<number>()
  #timer: ReturnType<typeof setInterval> | undefined
  /** Where it was read last, and when reading began anew. */
  #at = -1
  #begun = 0
  /** Where the player was, and when it came there. */
  #time = -1
  #since = 0

  readonly #waits = () => {
    const { seeking, currentTime } = this.#player!
    if (!seeking && currentTime > 0) figures.stalls++
  }

  constructor(carrier: Carrier, asset: Asset) {
    this.#carrier = carrier
    this.#asset = asset
    this.type = asset.type
    this.size = asset.size
  }

  /** From now on it is this one that plays it. */
  follow(player: HTMLMediaElement | undefined): void {
    this.#player?.removeEventListener('waiting', this.#waits)
    this.#player = player
    player?.addEventListener('waiting', this.#waits)
  }

  /** Fetches what a player cannot begin without. */
  begin(): void {
    const first = this.#asset.lacks(0, 1)
    if (first.length) void this.#fetch(first, 'late')
  }

  async read(start: number, end: number, reader: string): Promise<Bytes> {
    const asset = this.#asset
    const piece = Math.floor(start / asset.pieceLength)
    if (start !== this.#at) this.#begun = this.#carrier.now()
    this.#readers.delete(reader)
    this.#readers.set(reader, start)
    this.#timer ??= setInterval(() => this.#look(), lookEach)
    if (!asset.has(piece)) this.#look()
    await asset.until(() => asset.has(piece))
    if (asset.stale) throw new Error('the site has another version of it')
    const from = start - piece * asset.pieceLength
    const data = (await asset.read(piece)).slice(from, from + end - start)
    this.#at = start + data.length
    return data
  }

  release(reader: string): void {
    this.#readers.delete(reader)
    if (this.#readers.size) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#asset.torrent?.want(this.#asset)
  }

  /** What comes from where, now: the next seconds over HTTP, what follows from peers. */
  #look(): void {
    const asset = this.#asset
    const { pieceLength, pieces, size, torrent } = asset
    const { duration = NaN, currentTime = 0, paused } = this.#player ?? {}
    const now = this.#carrier.now()
    const peers = torrent && (torrent.peers > 0 || this.#carrier.crowded(asset))
    const rate = duration > 0 && duration < Infinity ? size / duration : undefined
    const late: number[] = []
    let window: [number, number] | undefined
    if (paused || currentTime !== this.#time) [this.#time, this.#since] = [currentTime, now]
    // A player that has nothing to play on waits for what it asked for last, wherever that lies. Firefox may come to a stand
    // and call it enough.
    const starved = !this.#player || this.#player.readyState < HTMLMediaElement.HAVE_FUTURE_DATA || now - this.#since > stand
    const played = rate ? currentTime * rate : 0
    const lead = Math.min(settings.lead, Math.max(grace, now - this.#begun))
    const urgent = rate ? played + (lead / 1000) * rate : head
    for (const at of [...this.#readers.values()].reverse()) {
      const first = Math.floor(at / pieceLength)
      const far = Math.max(at + leastAhead, rate ? played + ahead * rate : 0)
      for (let i = first; i < pieces && i * pieceLength < far; i++) {
        const awaited = starved && !window && i === first
        // Who reads what lies behind is a reader that nobody waits for.
        if (peers && !awaited && (i + 1) * pieceLength <= played) continue
        if ((peers && !awaited && i * pieceLength >= urgent) || late.length * pieceLength > most) break
        if (!asset.has(i) && !this.#fetching.has(i)) late.push(i)
      }
      window ??= [first, Math.min(pieces, Math.ceil(far / pieceLength))]
    }
    if (torrent && window) torrent.want(asset, ...window)
    if (late.length) void this.#fetch(late, peers ? 'late' : 'alone')
  }

  async #fetch(pieces: number[], cause: Cause): Promise<void> {
    figures.because(cause, pieces.length)
    for (const piece of pieces) this.#fetching.add(piece)
    const ok = await fetchPieces(this.#asset, pieces)
    for (const piece of pieces) this.#fetching.delete(piece)
    // The player gets an error, and is given it by the site.
    if (!ok) this.#asset.expire()
  }
}
