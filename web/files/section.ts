/** What index.ts loads: the section's one Files, and its screens. */
import { html } from 'lit'
import { PageElement } from '../ui/element.ts'
import type { Host } from '../ui/section.ts'
import { Files } from './files.ts'
import './files.css'
import { linkIn } from './links.ts'
import { paths } from './parcel.ts'
import './pages/home.ts'
import './pages/receive.ts'
import './pages/sent.ts'
import './pages/shared.ts'

let files: Files | undefined

/** Goes on with what was under way. */
export const begin = (host: Host): Files => (files ??= new Files(host))

class FilesSection extends PageElement {
  static override properties = { host: { attribute: false }, url: { attribute: false } }
  declare host: Host
  declare url: URL

  protected override render() {
    const files = begin(this.host)
    const { pathname, hash, search } = this.url
    if (pathname === '/f')
      return html`
        <files-receive .files=${files} .link=${linkIn(this.url)}></files-receive>
      `
    if (pathname === paths.home)
      return html`
        <files-home .files=${files} .word=${hash.slice(1)}></files-home>
      `
    if (pathname === `${paths.home}/shared`)
      return html`
        <files-shared .files=${files} .share=${search.slice(1)}></files-shared>
      `
    return html`
      <files-sent .files=${files} .parcel=${pathname.slice(paths.home.length + 1)}></files-sent>
    `
  }
}

customElements.define('files-section', FilesSection)
