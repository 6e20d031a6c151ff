import { html, nothing, type PropertyValues, type TemplateResult } from 'lit'
import { PageElement } from './element.ts'
import { icons } from './icons.ts'

/** A dialog: from below on a phone, in the middle elsewhere. Subclasses say what is on it. */
export abstract class Sheet extends PageElement {
  static override properties = { shown: { state: true } }
  declare shown: boolean
  /** Where the pointer went down. */
  #pressed: EventTarget | null = null

  constructor() {
    super()
    this.shown = false
  }

  override connectedCallback(): void {
    super.connectedCallback()
    // What it was opened on is left with Back.
    const close = () => this.close()
    addEventListener('popstate', close)
    this.onLeave(() => removeEventListener('popstate', close))
  }

  async show(): Promise<void> {
    this.shown = true
    await this.updateComplete
    this.#dialog?.showModal()
  }

  close(): void {
    this.#dialog?.close()
  }

  get #dialog(): HTMLDialogElement | null {
    return this.querySelector('dialog')
  }

  protected abstract heading(): string
  protected abstract content(): TemplateResult
  protected closed(): void {}

  readonly #closed = (): void => {
    this.shown = false
    this.closed()
  }

  readonly #down = ({ target }: Event): void => {
    this.#pressed = target
  }

  /** Outside of what is on it: but whoever selects words, or thinks better of pressing a button, may let go of the mouse out there. */
  readonly #click = (event: MouseEvent): void => {
    if (event.target === this.#dialog && this.#pressed === this.#dialog) this.close()
  }

  protected override update(changed: PropertyValues): void {
    const open = this.#dialog?.open
    super.update(changed)
    // It was drawn anew.
    if (open && this.#dialog && !this.#dialog.open) this.#dialog.showModal()
  }

  protected override render() {
    if (!this.shown) return nothing
    return html`
      <dialog
        class="sheet"
        aria-labelledby="sheet-heading"
        @close=${this.#closed}
        @pointerdown=${this.#down}
        @click=${this.#click}
      >
        <div class="sheet-body">
          <div class="sheet-head">
            <h2 id="sheet-heading" tabindex="-1" autofocus>${this.heading()}</h2>
            <button class="button icon-only quiet" aria-label="Close" @click=${() => this.close()}>
              ${icons.close}
            </button>
          </div>
          ${this.content()}
        </div>
      </dialog>
    `
  }
}
