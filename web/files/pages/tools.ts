import { html, nothing, type TemplateResult } from 'lit'
import { icons } from '../../ui/icons.ts'
import { tip } from '../../ui/parts.ts'
import { paths } from '../parcel.ts'

/**
 * At the head of a page: the way back to the list, and Delete where there is something to delete. listed: it is found
 * again there, so that its address need not stay in the history.
 */
export const tools = (listed: boolean, remove?: () => void): TemplateResult => html`
  <div class="parcel-tools">
    <a class="button quiet parcel-back" href=${paths.home} ?data-back=${listed}>${icons.back}Files</a>
    ${
      remove
        ? html`
            <button class="button icon-only quiet" aria-label="Delete" @click=${remove}>${tip('Delete', icons.trash)}</button>
          `
        : nothing
    }
  </div>
`
