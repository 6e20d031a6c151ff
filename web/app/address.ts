import { html, nothing } from 'lit'
import { live } from 'lit/directives/live.js'
import { PageElement } from '../ui/element.ts'
import { hidden, hiddenHere, onhidden } from '../ui/hiding.ts'
import type { NodeHost } from './node.ts'

const onlyHere = 'This browser could not note that down: it holds in this tab only, until it is closed.'

/** A box: whether those with whom something is shared learn this device's network address. */
class Address extends PageElement {
  static override properties = {
    nodes: { attribute: false },
    busy: { state: true },
    trouble: { state: true },
  }
  declare nodes: NodeHost
  declare busy: boolean
  declare trouble: string

  readonly #change = async ({ target }: Event): Promise<void> => {
    this.busy = true
    this.trouble = ''
    try {
      await this.nodes.hide((target as HTMLInputElement).checked)
    } catch (error) {
      this.trouble = (error as Error).message
    }
    this.busy = false
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.onLeave(onhidden(() => this.requestUpdate()))
  }

  protected override render() {
    return html`
      <label class="wish">
        <input type="checkbox" .checked=${live(hidden())} ?disabled=${this.busy} @change=${this.#change} />
        Hide this device’s network address
      </label>
      <p>
        All you send and fetch then goes through this server, encrypted as before: it is slower, and the server sees how
        much goes to whom.
      </p>
      <p class="wish-trouble" role="status">${this.trouble || (hiddenHere() ? onlyHere : nothing)}</p>
    `
  }
}

customElements.define('app-address', Address)
