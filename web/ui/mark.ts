import { html, svg, type TemplateResult } from 'lit'

/** A starling from above, wings swept: the four-pointed star that gave the bird its name. */
export const bird = 'M32 4c2.5 5 4 8.600 5.200 12.800C47 18 56.5 24 62 33.500 54 31 46.5 31.200 40 33.600c-1.600 6.600-2.300 13-1.800 20.400L32 50.600 25.800 54c.5-7.400-.2-13.800-1.800-20.400-6.500-2.400-14-2.600-22-.1C7.500 24 17 18 26.800 16.800 28 12.600 29.500 9 32 4z'

export const mark = (): TemplateResult =>
  html`<svg class="mark" viewBox="6 6 51 51" aria-hidden="true" focusable="false">${svg`<path transform="rotate(38 32 32)" d=${bird} />`}</svg>`
