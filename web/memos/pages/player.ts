import { html } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { icons } from '../../ui/icons.ts'
import { tip } from '../../ui/parts.ts'
import { clock } from '../../ui/words.ts'
import '../../ui/wave.ts'
import type { Memo } from '../memo.ts'
import type { Memos } from '../memos.ts'
import { rates } from '../player.ts'
import { isoDuration } from '../words.ts'

/** The wave of one memo, and what moves through it. */
class PlayerPart extends PageElement {
  static override properties = {
    memos: { attribute: false },
    memo: { attribute: false },
    peaks: { attribute: false },
    loaded: { attribute: false },
  }
  declare memos: Memos
  /** undefined as long as there is nothing to play yet. */
  declare memo: Memo | undefined
  /** What is drawn before the memo is there. */
  declare peaks: Uint8Array
  /** The share of its sound that is here, 0 to 1. */
  declare loaded: number
  /** Where the user put the position before it was played, seconds. */
  #start = 0
  /** Where it would go if the user let go of it now, seconds. */
  #scrub: number | undefined
  #of: string | undefined

  constructor() {
    super()
    this.peaks = new Uint8Array(0)
    this.loaded = 1
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.memos.player, 'change')
    this.watch(this.memos.player, 'time', () => {
      if (this.memos.player.id === this.memo?.id) this.requestUpdate()
    })
  }

  protected override willUpdate(): void {
    if (this.#of !== this.memo?.id) [this.#start, this.#scrub, this.#of] = [0, undefined, this.memo?.id]
  }

  readonly #play = (): void => {
    const { memo, memos } = this
    if (!memo) return
    if (memos.player.id === memo.id) memos.toggle(memo)
    else void memos.player.play(memos.track(memo), this.#start || undefined)
  }

  #seek(seconds: number): void {
    const { memo, memos } = this
    if (memos.player.id === memo?.id) return memos.player.seek(seconds)
    this.#start = Math.min(Math.max(0, seconds), memo?.duration ?? 0)
    this.requestUpdate()
  }

  readonly #hold = ({ detail }: CustomEvent<number | undefined>): void => {
    this.#scrub = detail
    this.requestUpdate()
  }

  readonly #rate = (event: Event): void => {
    this.memos.player.rate = Number((event.target as HTMLSelectElement).value)
  }

  protected override render() {
    const {
      memo,
      memos: { player },
    } = this
    const on = memo !== undefined && player.id === memo.id
    const playing = on && player.playing
    const [time, duration] = on ? [player.time, player.duration] : [this.#start, memo?.duration ?? 0]
    const shown = this.#scrub ?? time
    return html`
      <ui-wave
        .peaks=${memo?.peaks.length ? memo.peaks : this.peaks}
        .duration=${duration}
        .time=${time}
        .playing=${playing}
        .loaded=${this.loaded}
        @seek=${(event: CustomEvent<number>) => this.#seek(event.detail)}
        @scrub=${this.#hold}
      ></ui-wave>
      <div class="times" translate="no">
        <time datetime=${isoDuration(shown)}>${clock(shown)}</time>
        <time datetime=${isoDuration(duration)}>${clock(duration)}</time>
      </div>
      <div class="transport">
        <span class="transport-side"></span>
        <button
          class="button icon-only quiet big"
          aria-label="Back 15 seconds"
          ?disabled=${!memo}
          @click=${() => this.#seek(time - 15)}
        >
          ${tip('Back 15 seconds', icons.back15)}
        </button>
        <button
          class="play large ${on && player.waiting ? 'is-waiting' : ''}"
          aria-label=${playing ? 'Pause' : 'Play'}
          ?disabled=${!memo}
          @click=${this.#play}
        >
          ${playing ? icons.pause : icons.play}
        </button>
        <button
          class="button icon-only quiet big"
          aria-label="Forward 15 seconds"
          ?disabled=${!memo}
          @click=${() => this.#seek(time + 15)}
        >
          ${tip('Forward 15 seconds', icons.forward15)}
        </button>
        <span class="transport-side">
          <select class="rate" aria-label="Speed" @change=${this.#rate}>
            ${rates.map(
              (rate) => html`
                <option value=${rate} ?selected=${rate === player.rate}>${rate}×</option>
              `,
            )}
          </select>
        </span>
      </div>
    `
  }
}

customElements.define('memos-player', PlayerPart)
