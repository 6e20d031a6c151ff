import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import type { Memos } from '../memos.ts'
import { empty, unchosen } from './empty.ts'
import './list.ts'
import './memo.ts'
import './receive.ts'
import './record.ts'

export type Route =
  { page: 'list' } | { page: 'record' } | { page: 'memo'; id: string } | { page: 'receive'; links: string[] }

/** The list and one page beside it; where there is no room for both, the page alone. */
class Screens extends PageElement {
  static override properties = { memos: { attribute: false }, route: { attribute: false } }
  declare memos: Memos
  declare route: Route

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.memos.library, 'change')
  }

  protected override render() {
    const { memos, route } = this
    return html`
      <div class="screens" data-page=${route.page}>
        <memos-list
          .memos=${memos}
          .current=${route.page === 'memo' ? route.id : undefined}
          .alone=${route.page === 'list'}
          .recording=${route.page === 'record'}
        ></memos-list>
        <div class="page">${this.#page()}</div>
      </div>
    `
  }

  #page() {
    const { memos, route } = this
    if (route.page === 'record')
      return html`
        <memos-record .memos=${memos}></memos-record>
      `
    if (route.page === 'memo')
      return html`
        <memos-memo .memos=${memos} .memo=${route.id}></memos-memo>
      `
    if (route.page === 'receive')
      return html`
        <memos-receive .memos=${memos} .links=${route.links}></memos-receive>
      `
    const { loaded, memos: all } = memos.library
    return !loaded ? nothing : all.length ? unchosen() : empty()
  }
}

customElements.define('memos-screens', Screens)
