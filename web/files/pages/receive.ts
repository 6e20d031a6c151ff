import type { Torrent } from 'starling'
import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { infoHashOf } from '../../ui/fetching.ts'
import { icons } from '../../ui/icons.ts'
import { bar, failedLink, numbers, phase, said, tip } from '../../ui/parts.ts'
import { reach } from '../../ui/reach.ts'
import { failure, spoken, titled, type Standing } from '../../ui/standing.ts'
import { bytes, long } from '../../ui/words.ts'
import type { Arrival } from '../receiving.ts'
import type { Files } from '../files.ts'
import { shownAs } from '../kinds.ts'
import { linkOf, paths, type Parcel } from '../parcel.ts'
import { comesFrom, sizeOf, standingOf } from '../words.ts'
import { downloads } from './downloads.ts'
import './file-list.ts'
import { FilesShareSheet } from './share-sheet.ts'
import { tools } from './tools.ts'
import './viewer.ts'

const cutOff = 'This link is not complete'

const unkept = html`
  <div class="notice">
    <strong>This browser keeps nothing for this page</strong>
    <p>Private windows and some privacy settings do this. What you do not download is gone when the page is closed.</p>
  </div>
`

/** What a link leads to: where it stands at every moment, and its files while they still arrive. */
class Receive extends PageElement {
  static override properties = { files: { attribute: false }, link: { attribute: false }, current: { state: true } }
  declare files: Files
  /** '' where it is cut off before anything that matters. */
  declare link: string
  /** The file that is shown: what the user chose, or else what speaks for itself. */
  declare current: number | undefined
  #opened: string | undefined
  #arrival: Arrival | undefined
  #off: (() => void) | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.files.downloads, 'change')
    this.watch(this.files.parcels, 'change')
    const tick = setInterval(() => this.requestUpdate(), 1000)
    this.onLeave(() => clearInterval(tick))
    this.onLeave(() => this.#off?.())
  }

  protected override willUpdate(): void {
    if (this.#opened === this.link) return
    this.#opened = this.link
    this.#off?.()
    this.#arrival = this.current = undefined
    if (this.link) void this.#open(this.link)
  }

  protected override updated(): void {
    this.files.host.title(this.#windowTitle())
  }

  #windowTitle(): string {
    const arrival = this.#arrival
    if (!this.link) return cutOff
    if (arrival?.error && !arrival.full) return failure(arrival.error).title
    const torrent = this.#ready
    // Where it waits to be asked for, nothing is under way.
    return titled(torrent?.name || 'Files for you', arrival?.asking ? undefined : torrent?.state.progress)
  }

  async #open(link: string): Promise<void> {
    const infoHash = infoHashOf(link)
    await this.files.ready
    const { parcels, host } = this.files
    const all = infoHash ? await parcels.of(infoHash).catch(() => []) : []
    const own = all.find(({ sent }) => sent)
    const here = own && (own.sent!.kept || (await host.node()).get(infoHash!)?.state.done)
    if (own && here && !parcels.get(own.id)) await parcels.restore([own.id])
    if (link !== this.#opened || !this.isConnected) return
    if (own && here) return host.navigate(paths.sent(own.id), { replace: true })
    this.#watch(this.files.receiving.open(link))
  }

  #watch(arrival: Arrival): void {
    this.#off?.()
    this.#arrival = arrival
    const look = () => {
      this.requestUpdate()
      if (!arrival.memo) return
      this.#off?.()
      this.files.host.navigate(`/m#${arrival.torrent!.link.split('#')[1]}`, { replace: true })
    }
    this.#off = arrival.on('change', look)
    look()
  }

  get #ready(): Torrent | undefined {
    const torrent = this.#arrival?.torrent
    return torrent?.state.ready ? torrent : undefined
  }

  #shown({ files }: Torrent): number | undefined {
    if (this.current !== undefined) return this.current
    if (files.length === 1) return shownAs(files[0]!) ? 0 : undefined
    const films = files.flatMap((file, i) => (shownAs(file) === 'video' ? i : []))
    return films.length === 1 ? films[0] : undefined
  }

  readonly #view = ({ detail }: CustomEvent<number>): void => {
    this.current = detail
    // Chromium moves the page through all that lies between also for those who asked for less motion.
    const behavior = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth'
    void this.updateComplete.then(() => {
      this.querySelector('files-viewer')?.scrollIntoView({ block: 'nearest', behavior })
      // By keyboard, what plays it would lie behind all files before this one.
      this.querySelector<HTMLElement>('.viewer-name')?.focus({ preventScroll: true })
    })
  }

  get #row(): Parcel | undefined {
    return this.files.parcels.get(this.#arrival?.parcel ?? '')
  }

  readonly #delete = (): void => {
    const parcel = this.#row
    if (!parcel) return
    void this.files.delete(parcel)
    this.files.host.back(paths.home)
  }

  protected override render() {
    if (!this.link) return this.#nothing()
    const arrival = this.#arrival
    if (arrival?.error && !arrival.full) return this.#failed(arrival)
    const torrent = this.#ready
    const state = arrival?.torrent?.state
    const standing = arrival && standingOf(state, performance.now() - arrival.moved, reach(), arrival)
    const name = torrent?.name ?? (standing?.cause ? 'Not here yet' : 'On its way')
    return html`
      <article class="parcel">
        ${tools(!!this.#row, this.#row && this.#delete)}
        <p class="parcel-for">${torrent?.files.length === 1 ? 'A file for you' : 'Files for you'}</p>
        <h1 class=${name.length > long ? 'is-long' : ''} dir="auto" tabindex="-1" data-focus>${name}</h1>
        ${arrival?.unkept ? unkept : nothing}
        ${torrent && arrival ? this.#parcel(torrent, arrival) : nothing}
        ${arrival && standing ? this.#standing(arrival, standing) : nothing}
        ${torrent ? this.#actions(torrent) : nothing}
        ${
          torrent && torrent.files.length > 1
            ? html`
                <files-list
                  .files=${torrent.files}
                  .current=${this.#shown(torrent)}
                  .state=${state}
                  @view=${this.#view}
                  @download=${({ detail }: CustomEvent<number>) => this.files.download(torrent.files[detail]!)}
                ></files-list>
              `
            : nothing
        }
        ${state ? numbers(state) : nothing}
      </article>
    `
  }

  #parcel(torrent: Torrent, arrival: Arrival) {
    const shown = this.#shown(torrent)
    const file = shown === undefined ? undefined : torrent.files[shown]
    const size = { size: torrent.length, count: torrent.files.length }
    return html`
      <p class="parcel-facts">
        <span>${sizeOf(size)}</span>
        <span>
          ${torrent.private ? icons.lock : icons.globe}
          ${torrent.private ? 'Only for those with the link' : 'Public: anyone may fetch it'}
        </span>
      </p>
      ${
        file
          ? html`
              ${
                torrent.files.length > 1
                  ? html`
                      <h2 class="viewer-name" tabindex="-1" dir="auto" translate="no">${file.name}</h2>
                    `
                  : nothing
              }
              <files-viewer .file=${file}></files-viewer>
            `
          : nothing
      }
      ${arrival.asking && !arrival.full ? this.#ask(torrent, arrival) : nothing}
    `
  }

  /** Large: nobody's device is filled unasked. */
  #ask(torrent: Torrent, arrival: Arrival) {
    const text =
      arrival.room === undefined
        ? 'Play or download what you want of it, or have this browser keep all of it.'
        : `This browser has room for ${bytes(arrival.room)}. Download single files, or make some room first.`
    return html`
      <div class="notice">
        <strong>This is ${bytes(torrent.length)}</strong>
        <p>${text}</p>
        <button class="button" @click=${() => this.files.receiving.fetch(arrival)}>Get all of it</button>
      </div>
    `
  }

  #standing(arrival: Arrival, standing: Standing) {
    const { text, share, cause } = standing
    const state = arrival.torrent?.state
    const from = state && !state.done ? comesFrom(state) : ''
    // What stands still is read aloud as it is.
    const aloud = arrival.asking ? text : spoken({ ...standing, share: state?.status === 'paused' ? 1 : share })
    return html`
      <div class="standing parcel-standing">
        ${phase(standing, !!state?.done)} ${said(aloud)} ${state?.done && state.status !== 'paused' ? nothing : this.#progress(arrival, share)}
        ${
          from
            ? html`
                <p class="parcel-from">${from} No server in between keeps it.</p>
              `
            : nothing
        }
        ${
          cause && (arrival.full || !arrival.asking)
            ? html`
                <div class="cause" role="alert">
                  <strong>${cause.title}</strong>
                  <p>${cause.text}</p>
                  ${cause.idle ? nothing : this.#again(arrival)}
                </div>
              `
            : nothing
        }
      </div>
    `
  }

  #again(arrival: Arrival) {
    return html`
      <div class="cause-actions">
        <button class="button" @click=${() => this.files.receiving.retry(arrival)}>Retry</button>
        ${
          arrival.full && !arrival.asking
            ? html`
                <button class="button quiet" @click=${() => this.files.receiving.retry(arrival, true)}>Only what I open</button>
              `
            : nothing
        }
      </div>
    `
  }

  #progress({ torrent, asking, full }: Arrival, share: number | undefined) {
    const paused = torrent?.status === 'paused'
    const turn = () => void (paused ? torrent.resume() : torrent!.pause()).catch(reportError)
    return html`
      <div class="parcel-progress">
        ${bar('Received', share)}
        ${
          torrent && !asking && !full
            ? html`
                <button
                  class="button icon-only quiet"
                  aria-label=${paused ? 'Resume' : 'Pause'}
                  @click=${turn}
                >
                  ${paused ? tip('Resume', icons.play) : tip('Pause', icons.pause)}
                </button>
              `
            : nothing
        }
      </div>
    `
  }

  #actions(torrent: Torrent) {
    const several = torrent.files.length > 1
    return html`
      <div class="parcel-actions">
        <button class="button primary" @click=${() => this.files.downloadAll(torrent)}>
          ${icons.download}${several ? 'Download all' : 'Download'}
        </button>
        <button
          class="button"
          @click=${() => this.querySelector<FilesShareSheet>(FilesShareSheet.tag)!.show()}
        >
          ${icons.share}Share
        </button>
      </div>
      ${downloads(this.files.downloads.all)}
      <files-share-sheet
        .link=${linkOf(torrent.link)}
        .magnet=${torrent.private ? undefined : torrent.magnetURI}
        .name=${torrent.name}
      ></files-share-sheet>
    `
  }

  #nothing() {
    return html`
      <section class="blank">
        <h1 tabindex="-1" data-focus>${cutOff}</h1>
        <p>
          What comes after the # is missing, and that says which files they are. Ask for the link again, and copy all
          of it.
        </p>
        <a class="button primary" href=${paths.home}>Go to your files</a>
      </section>
    `
  }

  #failed(arrival: Arrival) {
    const retry = () => this.files.receiving.retry(arrival)
    return failedLink(failure(arrival.error), retry, { href: paths.home, text: 'Go to your files' })
  }
}

customElements.define('files-receive', Receive)
