import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { icons } from '../../ui/icons.ts'
import { bar, notFound, tip } from '../../ui/parts.ts'
import { titled } from '../../ui/standing.ts'
import { bytes, long } from '../../ui/words.ts'
import { cleanDescription } from '../card.ts'
import { badge, maxDescription, maxTitle, type Memo } from '../memo.ts'
import { paths, type Memos } from '../memos.ts'
import type { Arrival } from '../receiving.ts'
import { cleanTitle, formatName, longDate } from '../words.ts'
import './player.ts'
import { ShareSheet } from './share-sheet.ts'

/** One memo: hear it, name it, share it. */
class MemoPage extends PageElement {
  static override properties = { memos: { attribute: false }, memo: { attribute: false } }
  declare memos: Memos
  /** Its id. */
  declare memo: string
  /** Where not all of it is here yet. */
  #arrival: Arrival | undefined
  /** The memo whose words are written and not yet done. */
  #writing: string | undefined
  /** Of the page, and of a text in it: the user may give letters and words more room. */
  readonly #sizes = new ResizeObserver(() => this.#fields().forEach(grow))
  #date: Element | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.memos.library, 'change')
    this.#sizes.observe(this)
    this.onLeave(() => this.#sizes.disconnect())
    this.onLeave(() => this.#wrote())
  }

  get #memo(): Memo | undefined {
    return this.memos.library.get(this.memo)
  }

  /** It is not here, nor about to be: what was just recorded comes to the list a moment later. */
  get #none(): boolean {
    return !this.#memo && this.memos.library.loaded && this.memos.fresh !== this.memo
  }

  #fields(): HTMLTextAreaElement[] {
    return [...this.querySelectorAll<HTMLTextAreaElement>('textarea')]
  }

  protected override willUpdate(): void {
    if (this.#writing !== this.memo) this.#wrote()
    const memo = this.#memo
    const arrival = memo?.from && !memo.from.done ? this.memos.receiving.follow(memo.from.link) : undefined
    if (arrival && arrival !== this.#arrival) this.watch(arrival, 'change')
    this.#arrival = arrival
  }

  protected override updated(): void {
    const memo = this.#memo
    if (this.#none) this.memos.host.title('Nothing is here')
    if (!memo) return
    this.memos.host.title(titled(memo.title, this.#arrival?.torrent?.progress))
    const date = this.querySelector('.memo-facts time')!
    if (date !== this.#date) this.#sizes.observe((this.#date = date))
    for (const field of this.#fields()) {
      // What is being written is the user's, whatever happens to the memo meanwhile; and it stays while the disk is slow.
      const { title, description } = { ...memo, ...this.memos.library.unwritten(memo.id) }
      const text = field.name === 'title' ? title : description
      if (field === document.activeElement && field.dataset.memo === memo.id) continue
      field.dataset.memo = memo.id
      if (field.value !== text) field.value = text
      grow(field)
    }
    if (this.memos.fresh === memo.id) {
      this.memos.fresh = undefined
      this.#fields()[0]!.focus()
      this.#fields()[0]!.select()
    }
  }

  /** Every letter is kept as it is written; those who have the memo get the words when they are done. */
  readonly #write = ({ type, target }: Event): void => {
    const field = target as HTMLTextAreaElement
    const id = field.dataset.memo!
    const words =
      field.name === 'title' ? { title: cleanTitle(field.value) } : { description: cleanDescription(field.value) }
    if (type === 'change' && words.title) field.value = words.title
    grow(field)
    this.#writing = type === 'change' ? undefined : id
    void this.memos.rewrite(id, words, type === 'change')
  }

  /** Whoever goes back while the field has the focus is done, though no change was told. */
  #wrote(): void {
    const id = this.#writing
    this.#writing = undefined
    if (id) void this.memos.rewrite(id, {}, true)
  }

  readonly #delete = (): void => {
    const memo = this.#memo
    if (!memo) return
    void this.memos.delete([memo])
    this.memos.host.back(paths.list)
  }

  protected override render() {
    const memo = this.#memo
    if (!memo)
      return this.#none
        ? notFound('This memo is not on this device: it was deleted, or it was recorded on another one.')
        : nothing
    const arrived = this.#arrival ? (this.#arrival.torrent?.progress ?? 0) : 1
    const label = badge(memo)
    return html`
      <article class="memo">
        <div class="memo-tools">
          <a class="button quiet memo-back" href=${paths.list} data-back>${icons.back}Memos</a>
          <button class="button icon-only quiet" aria-label="Download" @click=${() => this.memos.download(memo)}>
            ${tip('Download', icons.download)}
          </button>
          <button class="button icon-only quiet" aria-label="Delete" @click=${this.#delete}>${tip('Delete', icons.trash)}</button>
          <button class="button primary" @click=${() => this.querySelector<ShareSheet>(ShareSheet.tag)!.open([memo])}>
            ${icons.share}Share
          </button>
        </div>
        <h1 class="visually-hidden" translate="no" tabindex="-1" data-focus>${memo.title}</h1>
        <textarea
          name="title"
          dir="auto"
          class="memo-title"
          rows="1"
          aria-label="Title"
          maxlength=${maxTitle}
          autocomplete="off"
          enterkeyhint="done"
          @keydown=${blurOnEnter}
          @input=${this.#write}
          @change=${this.#write}
        ></textarea>
        <p class="memo-facts">
          <time datetime=${new Date(memo.created).toISOString()}>${longDate(new Date(memo.created))}</time>
          <span>${[formatName(memo.type), bytes(memo.size)].filter(Boolean).join(', ')}</span>
          <span class="badge ${label.toLowerCase()}" .textContent=${label}></span>
        </p>
        ${
          this.#arrival
            ? html`
                <div class="memo-arriving">
                  ${bar('Received', arrived)}
                  <a href=${paths.receive(memo.from!.link)}>See where it stands</a>
                </div>
              `
            : nothing
        }
        <memos-player .memos=${this.memos} .memo=${memo} .loaded=${arrived}></memos-player>
        <textarea
          name="description"
          dir="auto"
          class="memo-words"
          rows="2"
          aria-label="Description"
          placeholder="Add a description"
          maxlength=${maxDescription}
          @input=${this.#write}
          @change=${this.#write}
        ></textarea>
        <memos-share-sheet .memos=${this.memos}></memos-share-sheet>
      </article>
    `
  }
}

function blurOnEnter(event: KeyboardEvent): void {
  // Where Enter takes what an input method offers: Safari ends the composition before it tells of the key.
  if (event.key !== 'Enter' || event.isComposing || event.keyCode === 229) return
  event.preventDefault()
  ;(event.target as HTMLElement).blur()
}

/** As tall as what is written in it. */
function grow(area: HTMLTextAreaElement): void {
  const at = scrollY
  // So that Play stays in sight on a phone.
  area.classList.toggle('is-long', area.name === 'title' && area.value.length > long)
  area.style.setProperty('height', 'auto')
  area.style.setProperty('height', `${area.scrollHeight}px`)
  // While it was low, so was the page, and may have been scrolled up for that.
  if (scrollY !== at) scrollTo(0, at)
}

customElements.define('memos-memo', MemoPage)
