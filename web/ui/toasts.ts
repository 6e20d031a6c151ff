import { html, nothing } from 'lit'
import { PageElement } from './element.ts'
import { icons } from './icons.ts'
import { repeat } from './repeat.ts'

export interface Toast {
  text: string
  action?: { label: string; run: () => void }
  /** Milliseconds; Infinity stays until closed. Default 5,000. The clock stops under the pointer, the focus, or a sheet. */
  time?: number
  /** It is gone, and its action was not taken. */
  closed?: () => void
}

interface Shown extends Toast {
  key: number
  left: number
  timer?: ReturnType<typeof setTimeout>
  since?: number
  /** Its time came under a sheet, where it could not be reached. */
  covered?: boolean
}

/** Short messages, at the foot of most pages, at most three, newest below; read aloud as they come. */
export class Toasts extends PageElement {
  #shown: Shown[] = []
  #key = 0
  /** One is being read, so the others' clocks stand still, too. */
  #held = false
  /** What had the focus before a message got it. */
  #before: EventTarget | null = null

  show(toast: Toast): void {
    const shown: Shown = { ...toast, key: this.#key++, left: toast.time ?? 5000 }
    this.#shown = [...this.#shown, shown]
    if (this.#shown.length > 3) this.#close(this.#shown[0]!)
    this.#run(shown)
    this.requestUpdate()
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.addEventListener('pointerenter', this.#hold)
    this.addEventListener('focusin', this.#hold)
    this.addEventListener('focusin', ({ relatedTarget }) => {
      if (!this.contains(relatedTarget as Node | null)) this.#before = relatedTarget
    })
    this.addEventListener('pointerleave', this.#release)
    this.addEventListener('focusout', this.#release)
  }

  readonly #hold = (): void => {
    this.#held = true
    for (const toast of this.#shown) {
      if (toast.since === undefined) continue
      clearTimeout(toast.timer)
      toast.left -= performance.now() - toast.since
      toast.since = undefined
    }
  }

  readonly #release = (): void => {
    this.#held = false
    for (const toast of this.#shown) this.#run(toast)
  }

  #run(toast: Shown): void {
    if (this.#held || toast.since !== undefined || toast.left === Infinity) return
    toast.since = performance.now()
    toast.timer = setTimeout(() => this.#over(toast), Math.max(1000, toast.left))
  }

  #over(toast: Shown): void {
    const covered = !!document.querySelector('dialog[open]')
    if (!covered && !toast.covered) return this.#close(toast)
    Object.assign(toast, { covered, since: undefined, left: covered ? 0 : 4000 })
    this.#run(toast)
  }

  #close(toast: Shown, taken = false): void {
    if (!this.#shown.includes(toast)) return
    clearTimeout(toast.timer)
    this.#shown = this.#shown.filter((other) => other !== toast)
    if (taken) toast.action?.run()
    else toast.closed?.()
    this.requestUpdate()
  }

  protected override refuge(): HTMLElement | null {
    // Firefox tells of no focusout where what had the focus is taken away.
    this.#release()
    return this.#before instanceof HTMLElement && this.#before.isConnected ? this.#before : document.querySelector('main')
  }

  protected override render() {
    return html`
      <div class="toasts" role="status" aria-live="polite" aria-atomic="false">
        ${repeat(
          this.#shown,
          ({ key }) => key,
          (toast) => html`
            <div class="toast">
              <span>${toast.text}</span>
              ${
                toast.action
                  ? html`
                      <button class="toast-action" @click=${() => this.#close(toast, true)}>
                        ${toast.action.label}
                      </button>
                    `
                  : nothing
              }
              <button class="toast-close" aria-label="Close this message" @click=${() => this.#close(toast)}>
                ${icons.close}
              </button>
            </div>
          `,
        )}
      </div>
    `
  }
}

customElements.define('ui-toasts', Toasts)
