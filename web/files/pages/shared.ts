import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { offerUndo } from '../../ui/undo.ts'
import { long } from '../../ui/words.ts'
import { add, drop, find, type Shared } from '../../sw/shared.ts'
import type { Files } from '../files.ts'
import { leadsTo } from '../links.ts'
import { paths } from '../parcel.ts'
import { filesOf, sizeOfAll, wordsOf } from '../shared.ts'
import { nameOf, sizeOf } from '../words.ts'
import { beingMade } from './making.ts'
import './file-list.ts'
import { tools } from './tools.ts'

/** Characters of text that are shown. */
const shown = 2000

/** What another app handed over. Nothing of it is sent before the user says so here: any site could have made it up. */
class SharedPage extends PageElement {
  static override properties = {
    files: { attribute: false },
    share: { attribute: false },
    shared: { state: true },
    looked: { state: true },
  }
  declare files: Files
  /** Its id. */
  declare share: string
  declare shared: Shared | undefined
  declare looked: boolean
  #opened: string | undefined
  #all: File[] = []

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.files.sending, 'change')
  }

  protected override willUpdate(): void {
    if (this.#opened === this.share) return
    this.#opened = this.share
    this.shared = undefined
    this.looked = false
    void this.#open(this.share)
  }

  async #open(id: string): Promise<void> {
    const shared = await find(id).catch(() => undefined)
    if (id !== this.#opened || !this.isConnected) return
    const link = shared && !shared.files.length ? (leadsTo(shared.text) ?? leadsTo(shared.title)) : undefined
    if (link) {
      await drop(id)
      return this.files.host.navigate(link, { replace: true })
    }
    this.#all = shared ? filesOf(shared) : []
    this.shared = shared
    this.looked = true
  }

  get #name(): string {
    return nameOf(this.#all.map(({ name }) => name))
  }

  protected override updated(): void {
    if (this.looked) this.files.host.title(this.shared ? this.#name : 'Nothing is here')
  }

  readonly #send = (): void => void this.files.sendShared(this.shared!, this.#all)

  readonly #refuse = async (): Promise<void> => {
    const shared = this.shared!
    await drop(shared.id)
    const restore = async () => {
      await add(shared)
      this.files.host.navigate(paths.shared(shared.id))
    }
    const turned = { ids: [shared.id], restore, purge: async () => undefined }
    offerUndo(this.files.host.toast, turned, 'Not sent, and no longer kept here')
    this.files.host.navigate(paths.home, { replace: true })
  }

  protected override render() {
    if (!this.looked) return nothing
    if (!this.shared)
      return html`
        <section class="blank">
          <h1 tabindex="-1" data-focus>Nothing is here</h1>
          <p>What was shared is kept here for a day, until it is sent or turned down. Share it once more.</p>
          <a class="button primary" href=${paths.home}>Go to your files</a>
        </section>
      `
    const all = this.#all
    return html`
      <article class="parcel">
        ${tools(true)}
        <p class="parcel-for">Shared with Starling</p>
        <h1 class=${this.#name.length > long ? 'is-long' : ''} dir="auto" tabindex="-1" data-focus>${this.#name}</h1>
        <p class="parcel-facts"><span>${sizeOf({ size: sizeOfAll(all), count: all.length })}</span></p>
        ${this.#ask(all.length)}
        ${
          all.length > 1
            ? html`
                <files-list
                  .files=${all.map(({ name, size, type }) => ({ name, path: name, size, type, progress: 1 }))}
                  .local=${true}
                ></files-list>
              `
            : nothing
        }
        ${this.#text(this.shared)}
      </article>
    `
  }

  #ask(count: number) {
    const { making } = this.files.sending
    if (making)
      return beingMade(making, this)
    return html`
      <p class="parcel-from">
        Nothing has been sent yet. You get a private link; ${count === 1 ? 'it goes' : 'they go'} straight from this
        browser to whoever opens it.
      </p>
      <div class="parcel-actions">
        <button class="button primary" @click=${this.#send}>
          ${count === 1 ? 'Send this file' : 'Send these files'}
        </button>
        <button class="button quiet" @click=${this.#refuse}>Do not send</button>
      </div>
    `
  }

  /** What a file of text would say: it has no name of its own by which one would know it. */
  #text(shared: Shared) {
    const words = wordsOf(shared)
    if (!words) return nothing
    const start = words.length > shown ? `${words.slice(0, shown)}…` : words
    return html`
      <div class="viewer">
        <pre dir="auto" tabindex="0" role="region" aria-label="Text">${start}</pre>
      </div>
    `
  }
}

customElements.define('files-shared', SharedPage)
