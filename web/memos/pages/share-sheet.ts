import type { Torrent } from 'starling'
import { html, nothing, type TemplateResult } from 'lit'
import '../../ui/link.ts'
import { delivery, failedShare, kinds, whoCan } from '../../ui/parts.ts'
import { Sheet } from '../../ui/sheet.ts'
import { failure } from '../../ui/standing.ts'
import { quoted } from '../../ui/words.ts'
import { kindOf, type Memo } from '../memo.ts'
import type { Memos } from '../memos.ts'
import type { Kind } from '../sending.ts'

/** A link to one memo or several, and what has become of it. */
export class ShareSheet extends Sheet {
  static readonly tag = 'memos-share-sheet'
  static override properties = {
    ...Sheet.properties,
    memos: { attribute: false },
    kind: { state: true },
    torrent: { state: true },
    error: { state: true },
    ready: { state: true },
  }
  declare memos: Memos
  declare kind: Kind
  declare torrent: Torrent | undefined
  declare error: unknown
  /** Of several memos, those whose own links are made. */
  declare ready: number
  #what: readonly Memo[] = []
  #closed = new AbortController()

  constructor() {
    super()
    this.kind = 'private'
    this.ready = 0
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.memos.sending, 'change')
  }

  async open(what: readonly Memo[]): Promise<void> {
    this.#what = what
    this.#closed = new AbortController()
    await this.show()
    await this.#make(what.length === 1 ? kindOf(what[0]!) : 'private')
  }

  /** Nobody waits for the rest of many links any more. */
  protected override closed(): void {
    this.#what = []
    this.#closed.abort()
  }

  async #make(kind: Kind): Promise<void> {
    const what = this.#what
    const { signal } = this.#closed
    this.kind = kind
    this.torrent = this.error = undefined
    this.ready = 0
    const told = (ready: number) => {
      if (this.#what === what) this.ready = ready
    }
    try {
      const { sending } = this.memos
      const torrent = what.length === 1 ? await sending.share(what[0]!, kind) : await sending.bundle(what, told, signal)
      if (this.kind === kind && this.#what === what) this.torrent = torrent
    } catch (error) {
      if (this.kind === kind && this.#what === what) this.error = error
    }
  }

  get #title(): string {
    return this.#what.length === 1 ? this.#what[0]!.title : `${this.#what.length} memos`
  }

  protected override heading(): string {
    return this.#what.length === 1 ? `Share ${quoted(this.#title)}` : `Share ${this.#title}`
  }

  protected override content(): TemplateResult {
    const { torrent, error } = this
    return html`
      ${this.#what.length === 1 ? kinds(this.kind, 'listen', (kind) => void this.#make(kind)) : nothing}
      ${whoCan(this.kind, 'listen')}
      ${
        error
          ? failedShare(failure(error, 'share'), () => void this.#make(this.kind))
          : torrent
            ? this.#links(torrent)
            : html`
                <div class="sheet-wait">
                  <p role="status">Making the link…</p>
                  ${this.#what.length > 1 ? html`<p>${this.ready} of ${this.#what.length} memos</p>` : nothing}
                </div>
              `
      }
    `
  }

  #links(torrent: Torrent) {
    const { link, magnetURI } = torrent
    return html`
      <ui-link
        .link=${link}
        .magnet=${this.kind === 'public' ? magnetURI : undefined}
        .heading=${this.#title}
      ></ui-link>
      ${delivery(this.memos.sending.status(torrent))}
    `
  }
}

customElements.define(ShareSheet.tag, ShareSheet)
