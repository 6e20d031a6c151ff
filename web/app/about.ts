import { html } from 'lit'
import { asApp, fleeting } from '../ui/lasting.ts'
import { mark } from '../ui/mark.ts'
import './address.ts'
import type { NodeHost } from './node.ts'
import { readyWords } from './updates.ts'

export const version = __VERSION__

/** What people ask before they trust a page with their voice. */
export const about = (nodes: NodeHost) => html`
  <article class="prose">
    ${mark()}
    <h1 tabindex="-1" data-focus>What leaves this device</h1>
    <p class="lead">Nothing, until you share. Then it goes straight to those who have the link.</p>
    <dl>
      <dt>While you record</dt>
      <dd>Nothing. The sound is written to this browser’s own storage, twice a second.</dd>
      <dt>When you share</dt>
      <dd>
        Your browser tells this server that it has something with a certain number, the infohash, so that others can
        find it. The sound or the files themselves go from your browser to theirs, encrypted with a key that is only in the link, in
        the part behind the #. Browsers send that part to no server.
      </dd>
      <dt>What the server sees</dt>
      <dd>
        Network addresses and infohashes, for as long as a page is open; where two networks let nothing through directly,
        also the encrypted bytes, which it passes on. It stores no memo, no file, no title, no name and no link.
      </dd>
      <dt>What those with your link see</dt>
      <dd>
        The memo, its title, description and date, or the files and their names; and your network address, since they
        come from you. They keep them and pass them on to others with the link.
        <app-address .nodes=${nodes}></app-address>
      </dd>
      <dt>A public link</dt>
      <dd>is not encrypted. Anyone who learns its infohash can fetch what it leads to.</dd>
      <dt>A private window</dt>
      <dd>
        keeps memos and files until the last of its kind is closed; then the browser forgets them. Download what should
        stay.
      </dd>
      <dt>How long it is kept</dt>
      <dd>
        Until you delete it. A browser that runs out of space may delete it too; this page asks it not to.
        ${fleeting() ? `This one forgets what you stay away from for seven days; not so Starling ${asApp()}.` : ''}
      </dd>
      <dt>Deleting</dt>
      <dd>removes a memo or files from this device. What others have fetched is theirs.</dd>
      <dt>Everybody else</dt>
      <dd>This page asks no other server for anything: no fonts, no statistics, no advertising.</dd>
    </dl>
    <p class="version">Starling ${version}${navigator.serviceWorker?.controller ? ` · ${readyWords}` : ''}</p>
  </article>
`
