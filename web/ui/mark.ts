import { html, svg, type TemplateResult } from 'lit'

/** A starling from above, wings swept: the four-pointed star that gave the bird its name. */
export const bird =
  `M32 4c2.5 5 4 8.6 5.2 12.8C47 18 56.5 24 62 33.5 54 31 46.5 31.2 40 33.6c-1.6 6.6-2.3 13-1.8 20.4
    L32 50.6 25.8 54c.5-7.4-.2-13.8-1.8-20.4-6.5-2.4-14-2.6-22-.1
    C7.5 24 17 18 26.8 16.8 28 12.6 29.5 9 32 4z`

export const mark = (): TemplateResult => html`
  <svg class="mark" viewBox="6 6 51 51" aria-hidden="true" focusable="false">
    ${svg`<path transform="rotate(38 32 32)" d=${bird} />`}
  </svg>
`
