import { LitElement } from 'lit'
import type { Emitter } from '../engine/emitter.ts'

/** A component that draws into the page itself and is drawn again when what it watches changes. */
export abstract class PageElement extends LitElement {
  readonly #offs: (() => void)[] = []

  protected override createRenderRoot(): HTMLElement {
    return this
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
