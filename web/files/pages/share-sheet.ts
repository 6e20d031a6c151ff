import { html, type TemplateResult } from 'lit'
import '../../ui/link.ts'
import { Sheet } from '../../ui/sheet.ts'
import { quoted } from '../../ui/words.ts'

/** The link that somebody else gave, to be passed on. */
export class FilesShareSheet extends Sheet {
  static readonly tag = 'files-share-sheet'
  static override properties = { ...Sheet.properties, link: {}, magnet: {}, name: {} }
  declare link: string
  declare magnet: string | undefined
  declare name: string

  protected override heading(): string {
    return `Share ${quoted(this.name)}`
  }

  protected override content(): TemplateResult {
    return html`
      <p class="sheet-words">
        ${
          this.magnet
            ? 'Anyone can fetch it with this link, or with any WebTorrent program. It is not encrypted.'
            : 'Anyone with this link can open it. It is encrypted, and the key is only in the link.'
        }
        They get it from all who have their page open.
      </p>
      <ui-link .link=${this.link} .magnet=${this.magnet} .heading=${this.name}></ui-link>
    `
  }
}

customElements.define(FilesShareSheet.tag, FilesShareSheet)
