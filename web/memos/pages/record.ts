import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { icons } from '../../ui/icons.ts'
import { clock } from '../../ui/words.ts'
import { paths, type Memos } from '../memos.ts'
import type { Trouble } from '../microphone.ts'
import { isoDuration } from '../words.ts'
import './live.ts'
import './microphones.ts'

/** What is said to whoever speaks into nothing, by why that is so. */
const unheard = {
  muted: 'Nothing is heard. Is the microphone muted?',
  nothing: 'Nothing comes from the microphone. Another program may be using it.',
}

/** What stands above it, by what the recorder does. */
const words = {
  idle: 'New memo',
  asking: 'Waiting for the microphone',
  recording: 'Recording',
  paused: 'Paused',
  saving: 'Saving',
}

/** The recording under way; or why there is none. */
class Record extends PageElement {
  static override properties = { memos: { attribute: false } }
  declare memos: Memos

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.memos.recorder, 'change')
  }

  readonly #record = (): void => void this.memos.record()

  readonly #stop = async (): Promise<void> => {
    const { memos } = this
    const memo = await memos.recorder.stop()
    if (!memo) return
    if (!this.isConnected) return memos.saved(memo)
    memos.fresh = memo.id
    memos.host.navigate(paths.memo(memo.id), { replace: true })
  }

  readonly #cancel = (): void => {
    void this.memos.recorder.cancel()
    this.memos.trouble = undefined
    this.memos.host.back(paths.list)
  }

  readonly #pause = (): void => {
    const { recorder } = this.memos
    if (recorder.state === 'paused') recorder.resume()
    else recorder.pause()
  }

  protected override updated(): void {
    const { recorder } = this.memos
    const state = {
      idle: 'New memo',
      asking: 'New memo',
      recording: `● ${clock(recorder.saved)}`,
      paused: `Paused at ${clock(recorder.saved)}`,
      saving: 'Saving',
    }
    this.memos.host.title(state[recorder.state])
  }

  protected override render() {
    const { recorder, trouble } = this.memos
    const { state } = recorder
    return html`
      <section class="recording is-${trouble ? 'trouble' : state}">
        <h1 class="recording-state" tabindex="-1" data-focus aria-live="polite">${trouble ? trouble.title : words[state]}</h1>
        ${trouble ? this.#trouble(trouble) : this.#progress()}
        <div class="controls">
          ${state === 'idle' ? this.#first() : this.#controls()}
        </div>
        ${
          state === 'idle'
            ? html`
                <memos-microphones .memos=${this.memos}></memos-microphones>
                <a class="button quiet" href=${paths.list}>${icons.back}All memos</a>
              `
            : nothing
        }
      </section>
    `
  }

  #trouble({ steps }: Trouble) {
    return html`
      <div class="trouble" role="alert">
        <ol>
          ${steps.map(
            (step) => html`
              <li>${step}</li>
            `,
          )}
        </ol>
      </div>
    `
  }

  #progress() {
    const { recorder } = this.memos
    const { state, saved } = recorder
    return html`
      <time class="timer" translate="no" role="timer" aria-label="Recorded" datetime=${isoDuration(saved)}>${clock(saved)}</time>
      ${
        state === 'idle' || state === 'asking'
          ? html`
              <p class="recording-note reason">
                ${
                  state === 'asking'
                    ? 'The browser asks whether this page may use the microphone. It listens only while you record.'
                    : 'The microphone is asked for when you press Record.'
                }
                Nothing leaves this device until you share it.
              </p>
            `
          : html`
              <p class="recording-unheard" role="status">${recorder.unheard && unheard[recorder.unheard]}</p>
              <memos-live .recorder=${recorder}></memos-live>
              <p class="recording-note">${recorder.microphone}</p>
            `
      }
    `
  }

  #first() {
    return html`
      <span></span>
      <button class="record" aria-label="Record" @click=${this.#record}><span title="Record"></span></button>
      <span></span>
    `
  }

  #controls() {
    const { state } = this.memos.recorder
    return html`
      <button class="button quiet" ?disabled=${state === 'saving'} @click=${this.#cancel}>Cancel</button>
      <button class="record stop" aria-label="Stop" ?disabled=${state === 'saving'} @click=${this.#stop}>
        <span title="Stop"></span>
      </button>
      <button class="button quiet" ?disabled=${state !== 'recording' && state !== 'paused'} @click=${this.#pause}>
        ${state === 'paused' ? 'Resume' : 'Pause'}
      </button>
    `
  }
}

customElements.define('memos-record', Record)
