import { html, nothing } from 'lit'
import { bar } from '../../ui/parts.ts'
import type { Saving } from '../saving.ts'

/** What is on its way to the browser's downloads. */
export const savings = (all: readonly Saving[]) =>
  all.length
    ? html`
        <ul class="savings">
          ${all.map(({ name, size, saved }) => {
            const share = size ? Math.max(0, saved) / size : 0
            return html`
              <li>
                <p>
                  <span class="savings-name" dir="auto" translate="no">${name}</span>
                  <span .textContent=${`${Math.floor(share * 100)} % saved`}></span>
                </p>
                ${bar(`Saving ${name}`, share)}
              </li>
            `
          })}
        </ul>
        <p class="parcel-from">Keep this page open until it is saved.</p>
      `
    : nothing
