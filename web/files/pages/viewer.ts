import type { TorrentFile } from 'starling'
import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { shownAs, type Shown } from '../kinds.ts'

/** Of a text, what is shown: bytes. */
const mostText = 64 << 10

/** One file as the browser shows it, while it still arrives. What it cannot show it says. */
class Viewer extends PageElement {
  static override properties = { file: { attribute: false }, url: { state: true }, text: { state: true }, trouble: { state: true } }
  declare file: TorrentFile
  declare url: string | undefined
  declare text: string | undefined
  declare trouble: string | undefined
  #of: TorrentFile | undefined
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    this.onLeave(() => this.#stop())
    if (this.#of) void this.#open(this.#of)
  }

  protected override willUpdate(): void {
    if (this.#of === this.file) return
    this.#of = this.file
    this.#stop()
    void this.#open(this.file)
  }

  #stop(): void {
    void this.#reader?.cancel().catch(() => {})
    this.#reader = undefined
  }

  async #open(file: TorrentFile): Promise<void> {
    this.url = this.text = this.trouble = undefined
    const current = () => file === this.#of && this.isConnected
    try {
      if (shownAs(file) === 'text') {
        const text = await this.#read(file)
        if (current()) this.text = text
      } else {
        const url = await file.url()
        if (current()) this.url = url
      }
    } catch {
      if (current()) this.trouble = 'It could not be read to its end.'
    }
  }

  async #read(file: TorrentFile): Promise<string> {
    const reader = file.stream({ end: Math.min(file.size, mostText) - 1 }).getReader()
    this.#reader = reader
    const decoder = new TextDecoder()
    let text = ''
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return text
      text += decoder.decode(value, { stream: true })
    }
  }

  readonly #failed = ({ target }: Event): void => {
    const network = target instanceof HTMLMediaElement && target.error?.code === MediaError.MEDIA_ERR_NETWORK
    this.trouble = network
      ? 'The playing broke off.'
      : 'This browser cannot show this kind of file. Download it, and open it with another program.'
  }

  protected override render() {
    const shown = shownAs(this.file)
    if (!shown) return nothing
    if (this.trouble)
      return html`
        <div class="viewer-trouble" role="alert">
          <p>${this.trouble}</p>
          ${
            this.trouble.startsWith('This browser')
              ? nothing
              : html`
                  <button class="button" @click=${() => this.#open(this.file)}>Retry</button>
                `
          }
        </div>
      `
    return html`
      <div class="viewer is-${shown}">${this.#show(shown)}</div>
    `
  }

  #show(shown: Shown) {
    const { file, url, text } = this
    if (shown === 'text')
      return !text
        ? text === undefined
          ? waiting
          : empty
        : html`
            <pre dir="auto" tabindex="0" role="region" aria-label=${file.name}>${text}</pre>
            ${
              file.size > mostText
                ? html`
                    <p class="viewer-more">This is only its beginning. Download it to read on.</p>
                  `
                : nothing
            }
          `
    if (!url) return waiting
    if (shown === 'image')
      return html`
        <img src=${url} alt=${file.name} @error=${this.#failed} />
      `
    if (shown === 'audio')
      return html`
        <audio controls preload="metadata" src=${url} aria-label=${file.name} @error=${this.#failed}></audio>
      `
    return html`
      <video controls playsinline preload="metadata" src=${url} aria-label=${file.name} @error=${this.#failed}></video>
    `
  }
}

const empty = html`
  <p class="viewer-wait">It is empty.</p>
`

const waiting = html`
  <p class="viewer-wait" role="status">Waiting for its beginning…</p>
`

customElements.define('files-viewer', Viewer)
