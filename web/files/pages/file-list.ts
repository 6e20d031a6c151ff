import type { TorrentFile } from 'starling'
import { html, nothing, type TemplateResult } from 'lit'
import type { TorrentState } from '../../engine/types.ts'
import { PageElement } from '../../ui/element.ts'
import { icons } from '../../ui/icons.ts'
import { tip } from '../../ui/parts.ts'
import { repeat } from '../../ui/repeat.ts'
import { bytes } from '../../ui/words.ts'
import { shownAs } from '../kinds.ts'
import { countOf } from '../words.ts'

/** A row's height in rem, as files.css has it: only those in sight are drawn. */
const height = 3.75
/** Rows drawn beyond each end of the window. */
const margin = 8
/** From so many files on, there is a field to look for one. */
const many = 12

type Listed = Pick<TorrentFile, 'name' | 'path' | 'size' | 'type' | 'progress'>

/**
 * The files of a parcel, however many. Tells with CustomEvents 'view' and 'download', whose detail is a file's number, what
 * the user wants.
 */
class FileList extends PageElement {
  static override properties = {
    files: { attribute: false },
    state: { attribute: false },
    current: { attribute: false },
    local: { type: Boolean },
  }
  declare files: readonly Listed[]
  /** The torrent's: when it is another, they are drawn again. */
  declare state: TorrentState | undefined
  /** The number of the one that is shown. */
  declare current: number | undefined
  /** They lie on this device, and are only listed. */
  declare local: boolean
  #wanted = ''
  /** The numbers of those that the user looks for, and what that was found among. */
  #found: readonly number[] = []
  #foundIn: readonly Listed[] | undefined
  #window = { from: 0, to: 0 }

  override connectedCallback(): void {
    super.connectedCallback()
    const look = () => this.#look()
    addEventListener('scroll', look, { passive: true })
    addEventListener('resize', look)
    this.onLeave(() => removeEventListener('scroll', look))
    this.onLeave(() => removeEventListener('resize', look))
  }

  protected override willUpdate(): void {
    if (this.#foundIn === this.files && this.#foundIn.length === this.files.length) return
    this.#find()
  }

  #find(): void {
    this.#foundIn = this.files
    const wanted = this.#wanted.trim().normalize('NFC').toLowerCase()
    this.#found = this.files.flatMap((file, i) => (!wanted || file.path.toLowerCase().includes(wanted) ? i : []))
    this.#look()
  }

  readonly #search = (event: Event): void => {
    this.#wanted = (event.target as HTMLInputElement).value
    this.#find()
    this.requestUpdate()
  }

  /** Which rows are in sight. */
  #look(): void {
    const row = height * parseFloat(getComputedStyle(document.documentElement).fontSize)
    const top = this.querySelector('.file-rows')?.getBoundingClientRect().top ?? 0
    const from = Math.max(0, Math.min(this.#found.length, Math.floor(-top / row) - margin))
    const to = Math.min(this.#found.length, from + Math.ceil(innerHeight / row) + 2 * margin)
    // Rows already drawn are good enough for a small step.
    const { from: was, to: until } = this.#window
    const inside = (from === 0 || from >= was) && (to === this.#found.length || to <= until)
    if (inside && was <= from && until >= to && until <= this.#found.length) return
    this.#window = { from, to }
    this.requestUpdate()
  }

  protected override updated(): void {
    const list = this.querySelector<HTMLElement>('.file-rows')
    // Through the object model, as the policy of the page allows no style attributes.
    list?.style.setProperty('padding-top', `${this.#window.from * height}rem`)
    list?.style.setProperty('padding-bottom', `${(this.#found.length - this.#window.to) * height}rem`)
  }

  #tell(name: 'view' | 'download', file: number): void {
    this.dispatchEvent(new CustomEvent(name, { detail: file }))
  }

  protected override render() {
    const { from, to } = this.#window
    const total = this.#found.length
    return html`
      <div class="file-list-head">
        <h2>${countOf(this.files.length)}</h2>
        ${
          this.files.length >= many
            ? html`
                <input
                  type="search"
                  class="file-search"
                  aria-label="Find a file"
                  placeholder="Find a file"
                  autocomplete="off"
                  @input=${this.#search}
                />
              `
            : nothing
        }
      </div>
      ${
        total
          ? nothing
          : html`
              <p class="file-none" role="status">No file is called so.</p>
            `
      }
      <ul class="file-rows" role="list">
        ${repeat(
          this.#found.slice(from, to),
          (file) => file,
          (file, i) => this.#row(file, from + i, total),
        )}
      </ul>
    `
  }

  #row(index: number, at: number, total: number): TemplateResult {
    const file = this.files[index]!
    const { name, path, size, progress } = file
    const folder = path.slice(0, Math.max(0, path.length - name.length - 1))
    const shown = this.local ? undefined : shownAs(file)
    return html`
      <li
        class="file-row ${index === this.current ? 'is-current' : ''}"
        aria-setsize=${total}
        aria-posinset=${at + 1}
        aria-current=${index === this.current ? 'true' : nothing}
      >
        <div class="file-text">
          ${
            shown
              ? html`
                  <button class="file-name" @click=${() => this.#tell('view', index)}>
                    ${shown === 'audio' || shown === 'video' ? icons.play : icons.file}
                    <span dir="auto" translate="no">${name}</span>
                  </button>
                `
              : html`
                  <span class="file-name">
                    ${icons.file}
                    <span dir="auto" translate="no">${name}</span>
                  </span>
                `
          }
          <p class="file-facts">
            ${bytes(size)}${!this.local && progress < 1 ? ` · ${Math.floor(progress * 100)} %` : ''}
            ${
              folder
                ? html`
                    · <bdi translate="no">${folder}</bdi>
                  `
                : nothing
            }
          </p>
        </div>
        ${
          this.local
            ? nothing
            : html`
                <button
                  class="button icon-only quiet"
                  aria-label="Download ${name}"
                  @click=${() => this.#tell('download', index)}
                >
                  ${tip('Download', icons.download)}
                </button>
              `
        }
      </li>
    `
  }
}

customElements.define('files-list', FileList)
