import { html, nothing } from 'lit'
import { bar } from '../../ui/parts.ts'
import type { Download } from '../downloads.ts'

/** What is on its way to the browser's downloads. */
export const downloads = (all: readonly Download[]) =>
  all.length
    ? html`
        <ul class="downloads" role="list">
          ${all.map(({ name, size, taken }) => {
            const share = size ? Math.max(0, taken) / size : 0
            return html`
              <li>
                <p>
                  <span class="downloads-name" dir="auto" translate="no">${name}</span>
                  <span .textContent=${`${Math.floor(share * 100)} % downloaded`}></span>
                </p>
                ${bar(`Downloading ${name}`, share)}
              </li>
            `
          })}
        </ul>
        <p class="parcel-from">Keep this page open until it is downloaded.</p>
      `
    : nothing
