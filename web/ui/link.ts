import { html, nothing } from 'lit'
import { copy } from './clipboard.ts'
import { PageElement } from './element.ts'
import { icons } from './icons.ts'
import { loopback } from './loopback.ts'
import { qr } from './parts.ts'
import { shown } from './vigil.ts'

const onlyHere = html`
  <p class="link-note">This page was opened at this computer’s own address, so the link works on this computer only.</p>
`

/** A link to be given away: as a QR code, by copying, or with what the device shares with. */
export class LinkPart extends PageElement {
  static override properties = {
    link: {},
    magnet: {},
    heading: {},
    copied: { state: true },
  }
  declare link: string
  /** Of a public torrent. */
  declare magnet: string | undefined
  /** What it leads to, for those who get it with navigator.share. */
  declare heading: string
  /** What was put on the clipboard, or could not be. */
  declare copied: { text: string; done: boolean } | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    this.onLeave(shown())
  }

  async #copy(text: string): Promise<void> {
    const done = await copy(text)
    this.copied = { text, done }
    if (!done) {
      const field = [...this.querySelectorAll<HTMLInputElement>('input[readonly]')].find(
        (input) => input.value === text,
      )
      field?.focus()
      field?.select()
    }
  }

  readonly #send = (): void => {
    void navigator.share({ title: this.heading, url: this.link }).catch(() => undefined)
  }

  protected override render() {
    return html`
      <div class="share-grid">
        ${qr(this.link, 'The link as a QR code')}
        <div class="share-links">
          ${this.#field('Link', 'Copy link', this.link)}
          ${this.magnet ? this.#field('Magnet', 'Copy magnet', this.magnet) : nothing}
          ${
            'share' in navigator
              ? html`
                  <button class="button" @click=${this.#send}>${icons.share}Send with…</button>
                `
              : nothing
          }
          ${loopback(this.link) ? onlyHere : nothing}
        </div>
      </div>
    `
  }

  #field(label: string, action: string, text: string) {
    const copied = this.copied?.text === text ? this.copied : undefined
    const refused = copied?.done === false
    return html`
      <div class="link">
        <input
          readonly
          aria-label=${label}
          .value=${text}
          @focus=${(event: Event) => (event.target as HTMLInputElement).select()}
        />
        <button
          class="button ${label === 'Link' ? 'primary' : ''}"
          aria-label=${action}
          @click=${() => this.#copy(text)}
        >
          ${copied?.done ? icons.check : icons.link}${copied?.done ? 'Copied' : action}
        </button>
        <span class=${refused ? 'link-note' : 'visually-hidden'} role="status">
          ${refused ? 'The browser does not let the page copy. The link is selected: copy it yourself.' : ''}
          ${copied?.done ? `${label} copied` : ''}
        </span>
      </div>
    `
  }
}

customElements.define('ui-link', LinkPart)
