import type { Torrent } from 'starling'
import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import '../../ui/link.ts'
import { delivery, failedShare, kinds, notFound, whoCan } from '../../ui/parts.ts'
import { failure } from '../../ui/standing.ts'
import { long } from '../../ui/words.ts'
import type { Files } from '../files.ts'
import { paths, type Kind, type Parcel } from '../parcel.ts'
import { isFolder, sizeOf } from '../words.ts'
import './file-list.ts'
import { beingMade } from './making.ts'
import { tools } from './tools.ts'

/** What is sent from here: its link, and what has become of it. */
class SentPage extends PageElement {
  static override properties = {
    files: { attribute: false },
    parcel: { attribute: false },
    kind: { state: true },
    torrent: { state: true },
    error: { state: true },
  }
  declare files: Files
  /** Its id. */
  declare parcel: string
  declare kind: Kind
  declare torrent: Torrent | undefined
  declare error: unknown
  #opened = ''

  constructor() {
    super()
    this.kind = 'private'
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.files.parcels, 'change')
    this.watch(this.files.sending, 'change')
  }

  get #parcel(): Parcel | undefined {
    return this.files.parcels.get(this.parcel)
  }

  protected override willUpdate(): void {
    const parcel = this.#parcel
    if (!parcel?.sent || this.#opened === parcel.id) return
    this.#opened = parcel.id
    void this.#choose(parcel.sent.public && !parcel.sent.private ? 'public' : 'private')
  }

  protected override updated(): void {
    const parcel = this.#parcel
    if (parcel) this.files.host.title(parcel.name)
    else if (this.files.parcels.loaded) this.files.host.title('Nothing is here')
  }

  async #choose(kind: Kind): Promise<void> {
    this.kind = kind
    this.torrent = this.error = undefined
    const parcel = this.#parcel!
    const current = () => this.kind === kind && this.#opened === parcel.id
    try {
      await this.files.sending.share(parcel, kind)
      const now = this.#parcel
      const torrent = now && (await this.files.sending.torrent(now, kind))
      if (current()) this.torrent = torrent
    } catch (error) {
      if (!current()) return
      // As was wished: the link of the other kind is there.
      if ((error as { code?: unknown }).code === 'aborted') return this.#choose(kind === 'private' ? 'public' : 'private')
      this.error = error
    }
  }

  readonly #again = ({ target }: Event): void => {
    const input = target as HTMLInputElement
    const parcel = this.#parcel
    if (!input.files?.length || !parcel) return
    void this.files.again(parcel, input.files).then(() => {
      input.value = ''
      return this.#choose(this.kind)
    })
  }

  readonly #delete = (): void => {
    const parcel = this.#parcel
    if (!parcel) return
    void this.files.delete(parcel)
    this.files.host.back(paths.home)
  }

  protected override render() {
    const parcel = this.#parcel
    if (!parcel?.sent)
      return this.files.parcels.loaded
        ? notFound('These files are not on this device: they were deleted, or sent from another one.', {
            href: paths.home,
            text: 'Go to your files',
          })
        : nothing
    const share = parcel.sent[this.kind]
    return html`
      <article class="parcel">
        ${tools(true, this.#delete)}
        <h1 class=${parcel.name.length > long ? 'is-long' : ''} dir="auto" tabindex="-1" data-focus>${parcel.name}</h1>
        <p class="parcel-facts"><span>${sizeOf(parcel)}</span></p>
        ${kinds(this.kind, 'open it', (kind) => void this.#choose(kind))} ${whoCan(this.kind, 'open it')}
        ${
          share
            ? html`
                <ui-link
                  .link=${share.link}
                  .magnet=${this.kind === 'public' ? this.torrent?.magnetURI : undefined}
                  .heading=${parcel.name}
                ></ui-link>
              `
            : nothing
        }
        ${this.#state(parcel)}
        ${
          this.torrent?.state.done && parcel.count > 1
            ? html`
                <files-list .files=${this.torrent.files} .local=${true}></files-list>
              `
            : nothing
        }
      </article>
    `
  }

  #state(parcel: Parcel) {
    const { torrent } = this
    const error = this.error ?? torrent?.state.error
    const making = this.files.sending.makingOf(parcel.id, this.kind)
    if (making) return beingMade(making, this)
    const { code } = (error ?? {}) as { code?: unknown }
    if (code === 'missing' || code === 'unreadable' || (torrent && !torrent.state.done)) return this.#away(parcel)
    if (error) return failedShare(failure(error, 'share'), () => void this.#choose(this.kind))
    if (!torrent) return nothing
    return html`
      ${delivery(this.files.sending.status(torrent))}
      <p class="parcel-from">
        ${
          parcel.sent!.kept
            ? 'A copy is kept in this browser, so the link works whenever Starling is open here.'
            : `${parcel.count === 1 ? 'It is read from where it lies' : 'They are read from where they lie'}, so the link works as long as this page is open.`
        }
      </p>
    `
  }

  /** After a reload, or when they were changed where they lie, and there was no room for a copy; or that one is lost. */
  #away(parcel: Parcel) {
    const { code } = (this.error ?? this.torrent?.state.error ?? {}) as { code?: unknown }
    const one = parcel.count === 1
    const since =
      code === 'unreadable' ? `${one ? 'it was' : 'they were'} changed, moved or deleted` : 'the page was closed'
    const why = parcel.sent!.kept ? 'The copy that was kept here cannot be read' : `No copy was kept here, and ${since} since`
    return html`
      <div class="notice">
        <strong>${one ? 'The file is' : 'The files are'} not at hand any more</strong>
        <p>${why}. Choose the same ${one ? 'file' : 'files'} again, and the link works as before.</p>
        <button class="button" @click=${() => this.querySelector<HTMLInputElement>('input[name=again]')!.click()}>
          Choose ${one ? 'it' : 'them'} again
        </button>
        <input
          type="file"
          name="again"
          hidden
          aria-label="The same ${one ? 'file' : 'files'}"
          ?multiple=${parcel.count > 1}
          ?webkitdirectory=${isFolder(parcel)}
          @change=${this.#again}
        />
      </div>
    `
  }
}

customElements.define('files-sent', SentPage)
