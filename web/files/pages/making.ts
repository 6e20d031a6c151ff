/** A link is being made, or files are read again: how far that is, and a way to stop it. */
import { html, type TemplateResult } from 'lit'
import { bar } from '../../ui/parts.ts'
import type { Making } from '../sending.ts'

/** page: its heading has the focus once the button is gone. */
export function beingMade(making: Making, page: HTMLElement): TemplateResult {
  const cancel = () => {
    making.cancel()
    page.querySelector('h1')!.focus()
  }
  return html`
    <p role="status">Making a link to “<bdi>${making.name}</bdi>”…</p>
    ${bar('Read', making.size ? making.hashed / making.size : undefined)}
    <p class="making-time" .textContent=${making.time}></p>
    <div class="parcel-actions">
      <button class="button quiet" @click=${cancel}>Cancel</button>
    </div>
  `
}
