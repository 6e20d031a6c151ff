import { LitElement, type PropertyValues } from 'lit'
import type { Emitter } from '../engine/emitter.ts'

// Browsers translate pages by changing what lit has drawn. Chromium's wraps texts, and lit would write into the wrapping.
Object.defineProperty(HTMLFontElement.prototype, 'data', {
  set(this: HTMLFontElement, text: string) {
    this.textContent = text
  },
})

/** A component that draws into the page itself and is drawn again when what it watches changes. */
export abstract class PageElement extends LitElement {
  readonly #offs: (() => void)[] = []

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  /** What comes to a page that was left must not name the window, say. */
  protected override shouldUpdate(): boolean {
    return this.isConnected
  }

  /** What has the focus may go away with what is drawn now, and the next Tab would begin at the top of the page again. */
  protected override update(changed: PropertyValues): void {
    const focused = this.contains(document.activeElement) ? document.activeElement : undefined
    try {
      super.update(changed)
    } catch {
      // Firefox's takes lit's marks away, without which it finds nothing again: all is drawn anew. What changes often, or
      // must not have that happen around it, is set as .textContent, or has translate="no".
      this.replaceChildren((this.renderOptions.renderBefore = document.createComment('')))
      super.update(changed)
    }
    if (focused && !focused.isConnected && document.activeElement === document.body) {
      this.refuge()?.focus({ preventScroll: true })
    }
  }

  /** Where the focus goes then. */
  protected refuge(): HTMLElement | null {
    return document.querySelector('dialog[open] [autofocus]') ?? document.querySelector('main [data-focus]')
  }

  /** Draws again at that event, as long as this is on the page; call it from connectedCallback. */
  protected watch<Events, K extends keyof Events>(
    emitter: Emitter<Events>,
    event: K,
    then?: (value: Events[K]) => void,
  ): void {
    this.onLeave(emitter.on(event, (value) => (then ? then(value) : this.requestUpdate())))
  }

  /** Called when this leaves the page. */
  protected onLeave(off: () => void): void {
    this.#offs.push(off)
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    for (const off of this.#offs.splice(0)) off()
  }
}
