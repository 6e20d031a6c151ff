/** Icons, 24 by 24, in lines of the text's colour. They mean nothing to screen readers: the control has the name. */
import { html, svg, type SVGTemplateResult, type TemplateResult } from 'lit'

const icon = (paths: SVGTemplateResult): TemplateResult =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${paths}</svg>`

const line = (d: string): TemplateResult => icon(svg`<path d=${d} />`)
const solid = (d: string): TemplateResult => icon(svg`<path class="solid" d=${d} />`)

export const icons = {
  play: solid('M8 5.3c0-1 1.1-1.6 1.9-1l9.6 6.6c.7.5.7 1.6 0 2.1l-9.6 6.6c-.8.6-1.9 0-1.9-1z'),
  pause: solid(
    `M7.5 4.5h2.6c.5 0 .9.4.9.9v13.2c0 .5-.4.9-.9.9H7.5a.9.9 0 0 1-.9-.9V5.4c0-.5.4-.9.9-.9zm6.4 0
      h2.6c.5 0 .9.4.9.9v13.2c0 .5-.4.9-.9.9h-2.6a.9.9 0 0 1-.9-.9V5.4c0-.5.4-.9.9-.9z`,
  ),
  share: line(
    `M12 14.5V3.8m0 0L8.3 7.5M12 3.8l3.7 3.7M6.5 11H6a2 2 0 0 0-2 2v5.2a2 2 0 0 0 2 2h12
      a2 2 0 0 0 2-2V13a2 2 0 0 0-2-2h-.5`,
  ),
  download: line('M12 4v11m0 0 4-4m-4 4-4-4M4.5 19.8h15'),
  trash: line(
    `M4.5 6.8h15M9.6 6.6V5.2c0-.7.5-1.2 1.2-1.2h2.4c.7 0 1.2.5 1.2 1.2v1.4M6.3 7l.8 11.3
      c.1 1 .9 1.7 1.9 1.7h6c1 0 1.8-.7 1.9-1.7L17.7 7M10.2 10.8v5.2m3.6-5.2v5.2`,
  ),
  back: line('M14.5 5.5 8 12l6.5 6.5'),
  close: line('m6.5 6.5 11 11m0-11-11 11'),
  check: line('m5 12.8 4.6 4.6L19.2 7'),
  info: icon(
    svg`<circle cx="12" cy="12" r="8.5" /><path d="M12 11.2v5" /><circle class="solid" cx="12" cy="8" r="1.1" />`,
  ),
  mic: line('M12 3.5a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0v-5a3 3 0 0 0-3-3zM5.8 11.2a6.2 6.2 0 0 0 12.4 0M12 17.5v3.2'),
  wave: line('M4 10.5v3M8 7.5v9M12 4.5v15M16 8v8M20 10.5v3'),
  back15: icon(svg`<path d="M4.6 8.6A8.3 8.3 0 1 1 3.7 12.5M4.3 4.5v4.3h4.3" /><text x="12.3" y="15.2">15</text>`),
  forward15: icon(svg`<path d="M19.4 8.6a8.3 8.3 0 1 0 .9 3.9M19.7 4.5v4.3h-4.3" /><text x="11.7" y="15.2">15</text>`),
  link: line(
    'M10 14a4 4 0 0 0 5.9.3l3-3a4 4 0 0 0-5.7-5.7l-1.5 1.5M14 10a4 4 0 0 0-5.9-.3l-3 3a4 4 0 0 0 5.7 5.7l1.5-1.5',
  ),
  lock: icon(svg`<rect x="5" y="10.5" width="14" height="9.5" rx="2.2" /><path d="M8 10.3V8a4 4 0 0 1 8 0v2.3" />`),
  file: line('M7 3.5h6.5L18.5 8.5V19a1.5 1.5 0 0 1-1.5 1.5H7A1.5 1.5 0 0 1 5.5 19V5A1.5 1.5 0 0 1 7 3.5zM13.3 3.7v5h5'),
  globe: icon(
    svg`<circle cx="12" cy="12" r="8.5" />
      <path d="M3.7 12h16.6
        M12 3.5c2.3 2.4 3.5 5.2 3.5 8.5s-1.2 6.1-3.5 8.5c-2.3-2.4-3.5-5.2-3.5-8.5s1.2-6.1 3.5-8.5z" />`,
  ),
}
