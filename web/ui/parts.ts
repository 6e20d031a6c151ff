/** Small pieces of screens, as functions. */
import { encode } from 'uqr'
import { html, nothing, svg, type TemplateResult } from 'lit'
import type { TorrentState } from '../engine/types.ts'
import { urlOf } from '../engine/url.ts'
import { icons } from './icons.ts'
import type { Failure, Sending, Standing } from './standing.ts'
import { bytes } from './words.ts'

/**
 * The picture on a button that has no words but its aria-label: the pointer tells these. As a title of the button itself
 * screen readers would read them twice.
 */
export const tip = (words: string, picture: TemplateResult): TemplateResult =>
  html`<span class="tip" title=${words}>${picture}</span>`

/** Around a round button: how far something is, 0 to 1. */
export const ring = (share: number): TemplateResult => html`
  <svg class="ring" viewBox="0 0 44 44" aria-hidden="true" focusable="false">
    ${svg`<circle cx="22" cy="22" r="20.5" pathLength="1" stroke-dasharray="${Math.min(1, Math.max(0, share))} 2" />`}
  </svg>
`

/** share: 0 to 1, or undefined while it is unknown. */
export const bar = (label: string, share: number | undefined): TemplateResult => {
  const percent = share === undefined ? undefined : Math.floor(share * 100)
  return html`
    <div
      class="bar ${percent === undefined ? 'unknown' : ''}"
      role="progressbar"
      aria-label=${label}
      aria-valuemin="0"
      aria-valuemax="100"
      aria-valuenow=${percent ?? nothing}
    >
      ${
        percent === undefined
          ? html`
              <i></i>
            `
          : html`
              <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true" focusable="false">
                ${svg`<rect width=${percent} height="1" />`}
              </svg>
            `
      }
    </div>
  `
}

/** Dark on light in both schemes, as cameras want it. */
export function qr(text: string, label: string): TemplateResult {
  const { data, size } = encode(text, { border: 3, ecc: 'L' })
  let path = ''
  for (const [y, row] of data.entries()) for (const [x, dark] of row.entries()) if (dark) path += `M${x} ${y}h1v1h-1z`
  return html`
    <svg class="qr" viewBox="0 0 ${size} ${size}" role="img" aria-label=${label} shape-rendering="crispEdges">
      ${svg`<rect width=${size} height=${size} fill="#fff" /><path d=${path} fill="#000" />`}
    </svg>
  `
}

/** The way out of where nothing is. */
interface Home {
  href: string
  text: string
}

/** Where an address leads nowhere. */
export const notFound = (text: string, home: Home = { href: '/', text: 'Go to your memos' }): TemplateResult => html`
  <section class="blank">
    <h1 data-focus tabindex="-1">Nothing is here</h1>
    <p>${text}</p>
    <a class="button primary" href=${home.href}>${home.text}</a>
  </section>
`

/** A link led to nothing. There is a button where trying once more may help. */
export const failedLink = (
  { title, text, again }: Failure,
  retry: () => void,
  home: Home,
): TemplateResult => html`
  <section class="blank" role="alert">
    <h1 tabindex="-1" data-focus>${title}</h1>
    <p>${text}</p>
    <div class="blank-actions">
      ${
        again
          ? html`
              <button class="button primary" @click=${retry}>Retry</button>
            `
          : nothing
      }
      <a class="button ${again ? '' : 'primary'}" href=${home.href}>${home.text}</a>
    </div>
  </section>
`

/** No link could be made. */
export const failedShare = ({ title, text, again }: Failure, retry: () => void): TemplateResult => html`
  <div class="cause" role="alert">
    <strong>${title}</strong>
    <p>${text}</p>
    ${
      again
        ? html`
            <button class="button" @click=${retry}>Retry</button>
          `
        : nothing
    }
  </div>
`

/** Whether a link has the key of what is sealed, or is for every WebTorrent program. */
type Kind = 'private' | 'public'

/**
 * Who can do what with a link: one of two. Buttons and no radios, of which arrow keys choose each that they come by: what is
 * public for a moment may be had by somebody for good.
 */
export function kinds(current: Kind, what: string, choose: (kind: Kind) => void): TemplateResult {
  const option = (kind: Kind, text: string, icon: TemplateResult) => html`
    <button aria-pressed=${current === kind} @click=${() => current === kind || choose(kind)}>${icon}${text}</button>
  `
  return html`
    <div class="choice-of-link" role="group" aria-label="Who can ${what}">
      ${option('private', 'Private link', icons.lock)} ${option('public', 'Public link', icons.globe)}
    </div>
  `
}

/** The same in words. */
export const whoCan = (kind: Kind, what: string): TemplateResult => html`
  <p class="sheet-words">
    ${
      kind === 'private'
        ? `Anyone with this link can ${what}. It is encrypted, and the key is only in the link.`
        : `Anyone at all can ${what}, with any WebTorrent program. It is not encrypted.`
    }
  </p>
`

/** Where a transfer stands. */
export const phase = ({ phase, text, time = '' }: Standing, whole: boolean): TemplateResult => html`
  <p class="standing-phase">
    ${whole ? icons.check : nothing}
    <strong .textContent=${phase}></strong>
    <span .textContent=${text}></span>
    <span class="standing-time" .textContent=${time}></span>
  </p>
`

/** For those who listen, beside what is seen to change several times a second. */
export const said = (words: string): TemplateResult => html`
  <span class="visually-hidden" role="status" .textContent=${words}></span>
`

/** What has become of something shared. */
export const delivery = ({ text, safe, time, spoken = text }: Sending): TemplateResult => html`
  <p class="delivery ${safe ? 'safe' : ''}">
    ${
      safe
        ? icons.check
        : html`
            <span class="pulse" aria-hidden="true"></span>
          `
    }
    <span>
      <span .textContent=${text}></span>
      ${
        time === undefined
          ? nothing
          : html`
              <span class="delivery-time" .textContent=${time}></span>
            `
      }
    </span>
  </p>
  ${said(spoken)}
`

/** For those who want to know. */
export function numbers(state: TorrentState): TemplateResult {
  const count = (kind: string) => state.peers.filter((peer) => peer.kind === kind).length
  const kinds = [count('direct') && `${count('direct')} direct`, count('relayed') && `${count('relayed')} relayed`]
    .filter(Boolean)
    .join(', ')
  const facts: [string, string][] = [
    ['Peers', state.peers.length ? `${state.peers.length}${kinds ? ` (${kinds})` : ''}` : state.done ? 'None now' : 'None yet'],
    ['Speed', `${bytes(state.downloadSpeed)} per second`],
    ['Received', state.length ? `${bytes(state.downloaded)} of ${bytes(state.length)}` : '0 bytes'],
    [
      'Introduced by',
      state.trackers
        .map(
          (tracker) =>
            `${hostOf(tracker.url)}: ${tracker.status === 'failed' ? tracker.error || 'failed' : tracker.status}`,
        )
        .join('\n') || 'Nobody',
    ],
    ['Connections tried', `${state.linksTried}, ${state.linksFailed} failed`],
    ['Encrypted', state.private ? 'Yes, the key is in the link' : 'On its way only: this is a public link'],
  ]
  return html`
    <details class="numbers">
      <summary>Details</summary>
      <dl>
        ${facts.map(
          ([name, value]) => html`
            <div>
              <dt>${name}</dt>
              <dd .textContent=${value}></dd>
            </div>
          `,
        )}
      </dl>
    </details>
  `
}

const hostOf = (url: string): string => urlOf(url)?.host ?? url
