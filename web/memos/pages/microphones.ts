import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { icons } from '../../ui/icons.ts'
import type { Memos } from '../memos.ts'
import { chooseMicrophone, chosenMicrophone, lastMicrophones, microphones, type Microphone } from '../microphone.ts'

/** Which microphone records: shown where there is a choice. */
class Microphones extends PageElement {
  static override properties = { memos: { attribute: false }, found: { state: true } }
  declare memos: Memos
  declare found: Microphone[]

  constructor() {
    super()
    this.found = lastMicrophones
  }

  override connectedCallback(): void {
    super.connectedCallback()
    const look = () => void microphones().then((found) => (this.found = found))
    look()
    // Their names are told only once a page may listen.
    this.watch(this.memos.recorder, 'ended', look)
    const { mediaDevices } = navigator
    mediaDevices?.addEventListener('devicechange', look)
    this.onLeave(() => mediaDevices?.removeEventListener('devicechange', look))
  }

  protected override render() {
    if (this.found.length < 2) return nothing
    const chosen = chosenMicrophone()
    const change = (event: Event) => chooseMicrophone((event.target as HTMLSelectElement).value)
    return html`
      <label class="microphones">
        ${icons.mic}
        <select aria-label="Microphone" @change=${change}>
          ${this.found.map(
            ({ id, label }) => html`
              <option value=${id} ?selected=${id === chosen}>${label}</option>
            `,
          )}
        </select>
      </label>
    `
  }
}

customElements.define('memos-microphones', Microphones)
