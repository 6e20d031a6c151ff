import { html, nothing } from 'lit'
import { guard } from 'lit/directives/guard.js'
import { PageElement } from '../../ui/element.ts'
import { infoHashOf } from '../../ui/fetching.ts'
import { icons } from '../../ui/icons.ts'
import { keptHere } from '../../ui/lasting.ts'
import { bar, failedLink, numbers, phase, said } from '../../ui/parts.ts'
import { reach } from '../../ui/reach.ts'
import { failure, quarters, receiving, spoken, titled, type Standing } from '../../ui/standing.ts'
import { bytes, clock } from '../../ui/words.ts'
import { partOf } from '../bundle.ts'
import { readCard, type MemoCard } from '../card.ts'
import type { Memo } from '../memo.ts'
import { paths, type Memos } from '../memos.ts'
import './empty.ts'
import './player.ts'
import type { Arrival } from '../receiving.ts'

const none = new Uint8Array(0)
const unnamed = 'A memo for you'
const cutOff = 'This link is not complete'

/** What others have shared: where it stands at every moment, and its sound while it still arrives. */
class Receive extends PageElement {
  static override properties = { memos: { attribute: false }, links: { attribute: false } }
  declare memos: Memos
  /** Links, magnets or infohashes. */
  declare links: readonly string[]
  #opened: readonly string[] | undefined
  #arrivals: Arrival[] = []
  #offs: (() => void)[] = []

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.memos.player, 'change')
    this.watch(this.memos.library, 'change')
    const tick = setInterval(() => this.requestUpdate(), 1000)
    this.onLeave(() => clearInterval(tick))
    this.onLeave(() => this.#unwatch())
  }

  protected override willUpdate(): void {
    if (String(this.#opened) === String(this.links)) return
    this.#opened = this.links
    this.#unwatch()
    void this.#open(this.links)
  }

  protected override updated(): void {
    this.memos.host.title(this.#windowTitle())
  }

  #windowTitle(): string {
    if (!this.links.length) return cutOff
    const [only] = this.#arrivals
    const many = this.#arrivals.length > 1 ? this.#arrivals : only?.bundle
    if (many) {
      const saved = many.filter((arrival) => arrival.saved).length
      return saved < many.length ? `${saved} of ${many.length} memos` : `${saved} memos`
    }
    if (!only) return unnamed
    if (only.error && !this.#usable(only)) return failure(only.error).title
    return titled(this.#title(only) ?? unnamed, this.#standing(only).share)
  }

  #unwatch(): void {
    for (const off of this.#offs.splice(0)) off()
  }

  async #open(links: readonly string[]): Promise<void> {
    this.#arrivals = []
    const known = links.length === 1 ? await this.memos.receiving.find(links[0]!).catch(() => undefined) : undefined
    if (links !== this.#opened || !this.isConnected) return
    if (known) return this.memos.host.navigate(paths.memo(known.id), { replace: true })
    this.#watchAll(links.map((link) => this.memos.receiving.open(link)))
  }

  #watchAll(arrivals: Arrival[]): void {
    this.#unwatch()
    this.#arrivals = arrivals
    const look = () => {
      const [only, ...others] = arrivals
      this.requestUpdate()
      if (!only?.elsewhere || others.length) return
      this.#unwatch()
      this.memos.host.navigate(files(only), { replace: true })
    }
    this.#offs = arrivals.map((arrival) => arrival.on('change', look))
    look()
  }

  #title(arrival: Arrival): string | undefined {
    const memo = this.#memo(arrival)
    return memo?.title ?? readCard(arrival.torrent?.card).title
  }

  #memo(arrival: Arrival): Memo | undefined {
    return arrival.memos[0] === undefined ? undefined : this.memos.library.get(arrival.memos[0])
  }

  /** There is no room for the rest, or not for a row: what is here can be heard, where it has one. */
  #usable(arrival: Arrival): boolean {
    return arrival.full && !!this.#memo(arrival)
  }

  #standing(arrival: Arrival): Standing {
    const state = arrival.torrent?.state
    const standing = receiving(state, performance.now() - arrival.moved, reach(), arrival.full, arrival.remaining)
    // The engine has it all; the row says so a moment later.
    return state?.done && !arrival.saved ? { ...standing, phase: '100 %', text: 'Saving' } : standing
  }

  protected override render() {
    if (!this.links.length) return this.#nothing()
    const [arrival] = this.#arrivals
    if (!arrival)
      return html`
        <section class="receive">
          <p class="receive-for">${unnamed}</p>
          <h1 tabindex="-1" data-focus>On its way</h1>
        </section>
      `
    const many = this.#arrivals.length > 1 ? this.#arrivals : arrival.bundle
    return many ? this.#many(many) : this.#one(arrival)
  }

  #nothing() {
    return html`
      <section class="blank">
        <h1 tabindex="-1" data-focus>${cutOff}</h1>
        <p>
          What comes after the # is missing, and that is the memo’s address. Ask for the link again, and copy all of
          it.
        </p>
        <a class="button primary" href=${paths.list}>Go to your memos</a>
      </section>
    `
  }

  #one(arrival: Arrival) {
    if (arrival.error && !this.#usable(arrival)) return this.#failed(arrival)
    const standing = this.#standing(arrival)
    const memo = this.#memo(arrival)
    const card = readCard(arrival.torrent?.card)
    return html`
      <article class="receive">
        <p class="receive-for">${unnamed}</p>
        <h1 dir="auto" tabindex="-1" data-focus>${this.#title(arrival) ?? (standing.cause ? 'Not here yet' : 'On its way')}</h1>
        ${
          memo?.description
            ? html`
                <p class="receive-words" dir="auto">${memo.description}</p>
              `
            : nothing
        }
        ${
          memo || card.peaks
            ? this.#player(memo, card, standing)
            : html`
                <memos-skein></memos-skein>
              `
        }
        ${this.#progress(arrival, standing)}
      </article>
    `
  }

  #player(memo: Memo | undefined, { peaks = none, duration = 0 }: MemoCard, { share = 0 }: Standing) {
    return html`
      <memos-player
        .memos=${this.memos}
        .memo=${memo && { ...memo, duration: memo.duration || duration }}
        .peaks=${peaks}
        .loaded=${share}
      ></memos-player>
    `
  }

  #progress(arrival: Arrival, standing: Standing) {
    const memo = this.#memo(arrival)
    const saved = arrival.saved
    return html`
      <div class="standing ${saved ? 'is-saved' : ''}">
        ${phase(standing, saved)} ${said(spoken(standing))} ${saved ? nothing : bar('Received', standing.share)}
        ${
          saved && memo
            ? html`
                <a class="button primary" href=${paths.memo(memo.id)}>Open in your memos</a>
              `
            : nothing
        }
        ${
          standing.cause
            ? html`
                <div class="cause" role="alert">
                  <strong>${standing.cause.title}</strong>
                  <p>${standing.cause.text}</p>
                  ${
                    standing.cause.idle
                      ? nothing
                      : html`
                          <button class="button" @click=${() => this.memos.receiving.retry(arrival)}>Retry</button>
                        `
                  }
                </div>
              `
            : nothing
        }
        ${arrival.torrent ? numbers(arrival.torrent.state) : nothing}
      </div>
    `
  }

  #many(arrivals: readonly Arrival[]) {
    const saved = arrivals.filter((arrival) => arrival.saved).length
    return html`
      <section class="receive">
        <p class="receive-for">For you</p>
        <h1 tabindex="-1" data-focus>${arrivals.length} memos</h1>
        ${said(saved === arrivals.length ? 'All of them are saved.' : quarters(saved / arrivals.length))}
        <p class="standing-phase">
          ${
            saved === arrivals.length
              ? html`
                  ${icons.check}
                  <strong>Saved</strong>
                  <span>${keptHere('They are')}</span>
                `
              : html`
                  <strong>${saved} of ${arrivals.length}</strong>
                  <span>saved</span>
                `
          }
        </p>
        <ul class="rows" role="list">
          ${arrivals.map((arrival) => this.#row(arrival))}
        </ul>
        ${
          saved === arrivals.length
            ? html`
                <a class="button primary" href=${paths.list}>Open your memos</a>
              `
            : nothing
        }
      </section>
    `
  }

  #row(arrival: Arrival) {
    const memo = this.#memo(arrival)
    const { player } = this.memos
    const playing = memo !== undefined && player.id === memo.id && player.playing
    const standing = this.#standing(arrival)
    const title = this.#title(arrival)
    const { saved, elsewhere, error } = arrival
    // Hundreds may come at once, and each that moves has all looked at again.
    const shows = [arrival, memo, title, playing, standing.phase, standing.text, standing.cause?.title, saved, elsewhere, error]
    return guard(shows, () => this.#line(arrival, memo, playing, standing))
  }

  #line(arrival: Arrival, memo: Memo | undefined, playing: boolean, standing: Standing) {
    const about = aboutOf(arrival)
    return html`
      <li class="row">
        <button
          class="play"
          aria-label=${playing ? 'Pause' : 'Play'}
          aria-describedby=${about}
          ?disabled=${!memo}
          @click=${() => memo && this.memos.toggle(memo)}
        >
          ${playing ? icons.pause : icons.play}
        </button>
        <div class="row-text">
          ${
            memo || arrival.elsewhere
              ? html`
                  <a
                    id=${about}
                    class="row-title"
                    dir="auto"
                    translate="no"
                    href=${memo ? paths.memo(memo.id) : files(arrival)}
                  >
                    ${memo?.title ?? arrival.torrent!.name}
                  </a>
                `
              : html`
                  <span id=${about} class="row-title" dir="auto" translate="no">
                    ${this.#title(arrival) ?? 'A memo'}
                  </span>
                `
          }
          <p class="row-facts">${this.#facts(arrival, memo, standing)}</p>
        </div>
        ${this.#end(arrival, standing)}
      </li>
    `
  }

  #facts(arrival: Arrival, memo: Memo | undefined, { cause, text }: Standing): string {
    if (arrival.elsewhere) return bytes(arrival.torrent!.length)
    if (arrival.error) return failure(arrival.error).title
    return arrival.saved && memo ? clock(memo.duration) : (cause?.title ?? text)
  }

  #end(arrival: Arrival, { cause, phase }: Standing) {
    if (arrival.elsewhere) return nothing
    if (arrival.error || (cause && !cause.idle))
      return html`
        <button class="button" aria-describedby=${aboutOf(arrival)} @click=${() => this.memos.receiving.retry(arrival)}>
          Retry
        </button>
      `
    return html`
      <span class="badge ${arrival.saved ? 'received' : 'receiving'}">${arrival.saved ? 'Saved' : phase}</span>
    `
  }

  #failed(arrival: Arrival) {
    const retry = () => this.memos.receiving.retry(arrival)
    return failedLink(failure(arrival.error), retry, { href: paths.list, text: 'Go to your memos' })
  }
}

/** The id of its row's title: there are as many buttons of one name as rows. */
const aboutOf = ({ link }: Arrival): string => `about-${infoHashOf(link) ?? link}`

/** Where the section Files shows it. */
const files = (arrival: Arrival): string => `/f#${partOf(arrival.torrent!.link)}`

customElements.define('memos-receive', Receive)
