import { html, nothing } from 'lit'
import { guard } from 'lit/directives/guard.js'
import { PageElement } from '../../ui/element.ts'
import { shut } from '../../ui/full.ts'
import { icons } from '../../ui/icons.ts'
import { asApp, told, untold } from '../../ui/lasting.ts'
import { ring, tip } from '../../ui/parts.ts'
import { repeat } from '../../ui/repeat.ts'
import { note, placeOf, scrollBack } from '../../ui/scroll.ts'
import { ago, clock } from '../../ui/words.ts'
import type { Take } from '../db.ts'
import { takeLength } from '../library.ts'
import { badge, type Memo } from '../memo.ts'
import { paths, type Memos } from '../memos.ts'
import { isoDuration, longDate } from '../words.ts'
import './microphones.ts'
import { ShareSheet } from './share-sheet.ts'
import { empty } from './empty.ts'

/** All memos, newest first; and the button that makes one. */
class List extends PageElement {
  static override properties = {
    memos: { attribute: false },
    current: { attribute: false },
    alone: { attribute: false },
    recording: { attribute: false },
    choosing: { state: true },
  }
  declare memos: Memos
  /** The memo that is shown beside the list. */
  declare current: string | undefined
  /** The list is the page. */
  declare alone: boolean
  /** The page beside it has the button that records. */
  declare recording: boolean
  declare choosing: boolean
  readonly #chosen = new Set<string>()
  readonly #lengths = new Map<string, number>()

  constructor() {
    super()
    this.choosing = false
    this.addEventListener('scroll', () => note('memos', this.scrollTop), { passive: true })
  }

  override connectedCallback(): void {
    super.connectedCallback()
    const { library, player, recorder } = this.memos
    this.watch(library, 'change', () => {
      for (const take of library.interrupted) void this.#measure(take)
      this.requestUpdate()
    })
    this.watch(player, 'change')
    this.watch(recorder, 'change')
    const tick = setInterval(() => this.requestUpdate(), 30_000)
    this.onLeave(() => clearInterval(tick))
    // Beside a page it scrolls by itself.
    this.onLeave(scrollBack(this, placeOf('memos')))
    addEventListener('keydown', this.#escape)
    this.onLeave(() => removeEventListener('keydown', this.#escape))
  }

  readonly #escape = ({ key, target, isComposing }: KeyboardEvent): void => {
    if (key !== 'Escape' || isComposing || !this.choosing || (target as Element).closest('dialog')) return
    const here = this.contains(document.activeElement)
    this.#choose(false)
    // What had the focus may go away.
    if (here) this.querySelector<HTMLElement>('.list-tools button:last-child')?.focus({ preventScroll: true })
  }

  protected override willUpdate(): void {
    const { library } = this.memos
    // They may be deleted in another tab.
    if (library.loaded && !library.memos.length) this.#choose(false)
  }

  async #measure(take: Take): Promise<void> {
    if (this.#lengths.has(take.id)) return
    this.#lengths.set(take.id, await takeLength(this.memos.library.db, take))
    this.requestUpdate()
  }

  readonly #record = (): void => {
    void this.memos.record()
    this.memos.host.navigate(paths.record)
  }

  #choose(on: boolean): void {
    this.#chosen.clear()
    this.choosing = on
  }

  #chosenMemos(): Memo[] {
    return this.memos.library.memos.filter((memo) => this.#chosen.has(memo.id))
  }

  readonly #shareChosen = (): void => {
    const memos = this.#chosenMemos()
    const sheet = this.querySelector(ShareSheet.tag) as ShareSheet
    void sheet.open(memos)
  }

  readonly #deleteChosen = (): void => {
    void this.memos.delete(this.#chosenMemos())
    this.#choose(false)
    // The button that had the focus goes away.
    this.querySelector('h1')!.focus({ preventScroll: true })
  }

  protected override updated(): void {
    if (this.alone) this.memos.host.title('Memos')
  }

  protected override render() {
    const { library, homeless } = this.memos
    const any = library.memos.length > 0
    return html`
      <div class="list-head">
        <h1 tabindex="-1" ?data-focus=${this.alone}>Memos</h1>
        ${
          any
            ? html`
                <div class="list-tools">
                  ${this.choosing && library.memos.length > 1 ? this.#all() : nothing}
                  <button class="button quiet" @click=${() => this.#choose(!this.choosing)}>
                    ${this.choosing ? 'Done' : 'Select'}
                  </button>
                </div>
              `
            : nothing
        }
      </div>
      ${library.interrupted.map((take) => this.#interrupted(take))} ${homeless ? this.#homeless(homeless) : nothing}
      ${untold() && library.loaded ? this.#fleeting(any) : nothing}
      ${this.choosing ? this.#choice() : this.recording ? nothing : this.#dock()}
      ${
        any
          ? html`
              <ul class="rows" role="list">
                ${repeat(
                  library.memos,
                  (memo) => memo.id,
                  (memo) => guard(this.#shows(memo), () => this.#row(memo)),
                )}
              </ul>
            `
          : library.loaded && !this.recording
            ? empty()
            : html`
                <div class="empty"></div>
              `
      }
      <memos-share-sheet .memos=${this.memos}></memos-share-sheet>
    `
  }

  #all() {
    const { memos } = this.memos.library
    const all = this.#chosenMemos().length === memos.length
    const choose = () => {
      this.#chosen.clear()
      if (!all) for (const { id } of memos) this.#chosen.add(id)
      this.requestUpdate()
    }
    return html`
      <button class="button quiet" @click=${choose}>${all ? 'Select none' : 'Select all'}</button>
    `
  }

  #dock() {
    return html`
      <div class="dock">
        <button class="record" aria-label="Record" @click=${this.#record}><span title="Record"></span></button>
        <memos-microphones .memos=${this.memos}></memos-microphones>
      </div>
    `
  }

  #choice() {
    const count = this.#chosenMemos().length
    return html`
      <div class="dock choice">
        <span class="choice-count" role="status">${count ? `${count} selected` : 'Select memos'}</span>
        <button
          class="button icon-only quiet"
          aria-label="Delete"
          ?disabled=${!count}
          @click=${this.#deleteChosen}
        >
          ${tip('Delete', icons.trash)}
        </button>
        <button class="button primary" ?disabled=${!count} @click=${this.#shareChosen}>${icons.share}Share</button>
      </div>
    `
  }

  #interrupted(take: Take) {
    const length = this.#lengths.get(take.id)
    return html`
      <section class="banner" aria-label="Interrupted recording">
        <div>
          <strong>A recording was interrupted</strong>
          <p>${length === undefined ? '' : `${clock(length)} from `}${longDate(new Date(take.started))}</p>
        </div>
        <div class="banner-actions">
          <button class="button primary" @click=${() => this.memos.recover(take, false)}>Keep</button>
          <button class="button" @click=${() => this.memos.recover(take, true)}>Discard</button>
        </div>
      </section>
    `
  }

  #homeless(error: unknown) {
    const { title, text } = shut(error) ?? {
      title: 'This browser keeps nothing for this page',
      text: 'Memos need its storage. Private windows and some privacy settings switch it off: open the page in an ordinary window.',
    }
    return html`
      <section class="banner" role="alert">
        <div>
          <strong>${title}</strong>
          <p>${text}</p>
        </div>
      </section>
    `
  }

  #fleeting(any: boolean) {
    const read = () => {
      told()
      this.querySelector('h1')!.focus({ preventScroll: true })
      this.requestUpdate()
    }
    return html`
      <section class="banner" aria-label="How long memos are kept">
        <div>
          <strong>This browser forgets memos after a week</strong>
          <p>
            That is, after seven days of use in which you do not come here. To keep them, put Starling ${asApp()} and record
            there.${any ? ' Download what is here.' : ''}
          </p>
        </div>
        <div class="banner-actions"><button class="button" @click=${read}>OK</button></div>
      </section>
    `
  }

  /** What a row is drawn of: while one memo plays, the others are not drawn again several times a second. */
  #shows(memo: Memo): unknown[] {
    const { player } = this.memos
    const age = ago(memo.created, Date.now())
    const tick = this.choosing && (this.#chosen.has(memo.id) ? 'chosen' : 'choosing')
    const plays = player.id === memo.id && [player.playing, player.time, player.duration].join()
    return [memo, age, tick, this.current === memo.id, plays]
  }

  #row(memo: Memo) {
    const { player } = this.memos
    const loaded = player.id === memo.id
    const playing = loaded && player.playing
    const label = badge(memo)
    const chosen = this.#chosen.has(memo.id)
    const toggle = () => {
      if (!this.#chosen.delete(memo.id)) this.#chosen.add(memo.id)
      this.requestUpdate()
    }
    const about = `about-${memo.id}`
    return html`
      <li class="row ${loaded ? 'is-loaded' : ''} ${chosen ? 'is-chosen' : ''}">
        ${
          this.choosing
            ? html`
                <label class="tick">
                  <input type="checkbox" .checked=${chosen} aria-label=${`Select ${memo.title}`} @change=${toggle} />
                  ${icons.check}
                </label>
              `
            : html`
                <button
                  class="play"
                  aria-label=${playing ? 'Pause' : 'Play'}
                  aria-describedby=${about}
                  @click=${() => this.memos.toggle(memo)}
                >
                  ${playing ? icons.pause : icons.play}
                  ${loaded ? ring(player.duration ? player.time / player.duration : 0) : nothing}
                </button>
              `
        }
        <div class="row-text">
          <a
            id=${about}
            class="row-title"
            dir="auto"
            translate="no"
            href=${paths.memo(memo.id)}
            aria-current=${this.current === memo.id ? 'page' : nothing}
          >
            ${memo.title}
          </a>
          ${
            memo.description
              ? html`
                  <p class="row-words" dir="auto">${memo.description}</p>
                `
              : nothing
          }
          <p class="row-facts">
            <time datetime=${isoDuration(memo.duration)} translate="no">
              ${loaded ? `${clock(player.time)} / ` : ''}${clock(memo.duration)}
            </time>
            <span aria-hidden="true">·</span>
            <time
              datetime=${new Date(memo.created).toISOString()}
              title=${longDate(new Date(memo.created))}
              .textContent=${ago(memo.created, Date.now())}
            ></time>
            <span class="badge ${label.toLowerCase()}" .textContent=${label}></span>
          </p>
        </div>
      </li>
    `
  }
}

customElements.define('memos-list', List)
