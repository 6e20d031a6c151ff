import { html, nothing } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { shut } from '../../ui/full.ts'
import { icons } from '../../ui/icons.ts'
import { tip } from '../../ui/parts.ts'
import { titled } from '../../ui/standing.ts'
import { ago, bytes } from '../../ui/words.ts'
import { waiting, type Shared } from '../../sw/shared.ts'
import type { Files } from '../files.ts'
import { paths, type Parcel } from '../parcel.ts'
import { filesOf, sizeOfAll } from '../shared.ts'
import { nameOf } from '../words.ts'
import { beingMade } from './making.ts'

/** What became of something that was shared, by what is behind the # (sw/share-target.ts, internal/httpd/shared.go). */
const outcomes = new Map([
  [
    'nothing-shared',
    {
      title: 'Nothing was shared',
      text: 'Another app or site led here, but with nothing that you shared. Nothing was taken, and nothing was sent.',
    },
  ],
  [
    'not-ready',
    {
      title: 'What you shared did not get here',
      text: 'Starling was not ready to take it on this device. Nothing was sent. Reload this page, then share it once more.',
    },
  ],
  [
    'no-room',
    {
      title: 'There is no room for what you shared',
      text: `It is too large to be kept here until you send it, or too much waits here already. Choose the files below
      instead: then they are read from where they lie.`,
    },
  ],
])

/** Phones' browsers have learnt to choose folders late, Firefox for Android not yet. */
const folders = 'webkitdirectory' in HTMLInputElement.prototype

/** Where files are sent from, and what is on this device. */
class Home extends PageElement {
  static override properties = {
    files: { attribute: false },
    word: { attribute: false },
    over: { state: true },
    waiting: { state: true },
  }
  declare files: Files
  /** Files are held over the page. */
  declare over: boolean
  /** See outcomes; '' as a rule. */
  declare word: string
  /** What other apps shared and nobody sent yet. */
  declare waiting: readonly Shared[]

  constructor() {
    super()
    this.waiting = []
  }

  override connectedCallback(): void {
    super.connectedCallback()
    const { parcels, sending } = this.files
    // Where the engine cannot be had, whoever goes on with what is here has said so.
    const look = () => void sending.look().catch(() => undefined)
    look()
    this.watch(parcels, 'change', () => {
      look()
      this.requestUpdate()
    })
    this.watch(sending, 'change')
    this.watch(this.files.receiving, 'change')
    for (const type of ['dragover', 'dragleave', 'drop'] as const) {
      addEventListener(type, this.#drag)
      this.onLeave(() => removeEventListener(type, this.#drag))
    }
    addEventListener('paste', this.#paste)
    this.onLeave(() => removeEventListener('paste', this.#paste))
    // “Just now” is not so for ever.
    const tick = setInterval(() => this.requestUpdate(), 30_000)
    this.onLeave(() => clearInterval(tick))
    void waiting().then(
      (all) => (this.waiting = all.filter(({ id }) => !this.files.handed.has(id))),
      () => undefined,
    )
  }

  protected override updated(): void {
    const { making } = this.files.sending
    const share = making?.size ? making.hashed / making.size : undefined
    this.files.host.title(making ? titled(making.name, share) : 'Send files')
  }

  readonly #drag = (event: DragEvent): void => {
    const { dataTransfer: data } = event
    const files = data?.types.includes('Files')
    if (!data || !(files || data.types.includes('text/uri-list') || data.types.includes('text/plain'))) return
    event.preventDefault()
    if (files) data.dropEffect = 'copy'
    this.over = event.type === 'dragover'
    if (event.type !== 'drop' || this.files.sending.making) return
    if (files) return void this.files.send(data)
    if (this.files.open(`${data.getData('text/uri-list')}\n${data.getData('text/plain')}`)) return
    this.files.host.toast({ text: 'This is neither a file, nor a Starling link or magnet link.' })
  }

  readonly #paste = (event: ClipboardEvent): void => {
    const { clipboardData: data } = event
    if (!data || this.files.sending.making) return
    // A link first: Word and Excel put a picture of what was copied beside it.
    if (!this.files.open(data.getData('text/plain'))) {
      if (!data.files.length) return
      void this.files.send(data)
    }
    event.preventDefault()
  }

  readonly #choose = ({ target }: Event): void => {
    const input = target as HTMLInputElement
    if (input.files?.length) void this.files.send(input.files).finally(() => (input.value = ''))
  }

  #pick(name: string): void {
    this.querySelector<HTMLInputElement>(`input[name=${name}]`)!.click()
  }

  protected override render() {
    const { parcels, homeless } = this.files
    return html`
      <section class="parcels">
        ${this.#outcome()} ${this.#send()}
        ${homeless ? this.#homeless(homeless) : nothing}
        ${
          parcels.all.length || this.waiting.length
            ? html`
                <div class="parcels-head">
                  <h2>On this device</h2>
                  <span>${bytes(this.#total())}</span>
                </div>
                <ul class="rows" role="list">
                  ${this.waiting.map((shared) => this.#asked(shared))} ${parcels.all.map((parcel) => this.#row(parcel))}
                </ul>
              `
            : nothing
        }
      </section>
    `
  }

  #homeless(error: unknown) {
    const { title, text } = shut(error) ?? {
      title: 'This browser keeps nothing for this page',
      text: 'Files cannot be sent without its storage. Private windows and some privacy settings switch it off: open the page in an ordinary window.',
    }
    return html`
      <div class="cause" role="alert">
        <strong>${title}</strong>
        <p>${text}</p>
      </div>
    `
  }

  #outcome() {
    const outcome = outcomes.get(this.word)
    return outcome
      ? html`
          <div class="notice" role="status">
            <strong>${outcome.title}</strong>
            <p>${outcome.text}</p>
          </div>
        `
      : nothing
  }

  #send() {
    const { making } = this.files.sending
    return html`
      <div class="drop ${this.over ? 'is-over' : ''}">
        <h1 tabindex="-1" data-focus>Send files</h1>
        ${
          making
            ? beingMade(making, this)
            : html`
                <p>
                  <span class="drop-how">Drop or paste them here, or choose them.</span>
                  You get a private link; the files go straight from this browser to whoever opens it.
                </p>
                <div class="drop-actions">
                  <button class="button primary" @click=${() => this.#pick('files')}>Choose files</button>
                  ${
                    folders
                      ? html`
                          <button class="button quiet" @click=${() => this.#pick('folder')}>Choose a folder</button>
                        `
                      : nothing
                  }
                </div>
              `
        }
        <input type="file" name="files" multiple hidden aria-label="Files" @change=${this.#choose} />
        <input type="file" name="folder" webkitdirectory hidden aria-label="Folder" @change=${this.#choose} />
      </div>
    `
  }

  #total(): number {
    const asked = this.waiting.reduce((sum, shared) => sum + sizeOfAll(filesOf(shared)), 0)
    return this.files.parcels.all.reduce((sum, parcel) => sum + this.#here(parcel), asked)
  }

  /** Bytes of it that this browser keeps. */
  #here({ size, sent, from }: Parcel): number {
    if (sent) return sent.kept ? size : 0
    if (from?.done) return size
    return Math.min(size, from ? (this.files.receiving.follow(from.link).torrent?.downloaded ?? 0) : 0)
  }

  #badge({ size, sent, from }: Parcel, here: number, atHand: boolean | undefined): [text: string, look: string] {
    if (sent && !atHand) return ['', '']
    if (sent) return sent.public ? ['Public', 'public'] : ['Shared', 'shared']
    if (from && this.files.receiving.follow(from.link).torrent?.status === 'paused') return ['Paused', 'receiving']
    if (from?.done) return ['Received', 'received']
    return from?.whole ? [`${size ? Math.floor((here / size) * 100) : 0} %`, 'receiving'] : ['In part', 'receiving']
  }

  #asked(shared: Shared) {
    const all = filesOf(shared)
    return html`
      <li class="row">
        <span class="row-mark">${icons.file}</span>
        <div class="row-text">
          <a class="row-title" dir="auto" translate="no" href=${paths.shared(shared.id)}>
            ${nameOf(all.map(({ name }) => name))}
          </a>
          <p class="row-facts">
            ${bytes(sizeOfAll(all))}
            <span aria-hidden="true">·</span>
            <time datetime=${new Date(shared.at).toISOString()}>${ago(shared.at, Date.now())}</time>
            <span class="badge">Not sent yet</span>
          </p>
        </div>
      </li>
    `
  }

  #row(parcel: Parcel) {
    const { id, name, size, count, added, sent, from } = parcel
    const here = this.#here(parcel)
    const atHand = sent && this.files.sending.atHand(parcel)
    const [text, look] = this.#badge(parcel, here, atHand)
    return html`
      <li class="row">
        <span class="row-mark">${sent ? icons.share : icons.download}</span>
        <div class="row-text">
          <a class="row-title" dir="auto" translate="no" href=${sent ? paths.sent(id) : paths.receive(from!.link)}>
            ${name}
          </a>
          <p class="row-facts">
            ${bytes(size)}
            <span aria-hidden="true">·</span>
            <time datetime=${new Date(added).toISOString()}>${ago(added, Date.now())}</time>
            <span class="badge ${look}" .textContent=${text}></span>
          </p>
          ${
            atHand === false
              ? html`
                  <p class="row-words">
                    <strong>Not at hand.</strong>
                    Choose the same ${count === 1 ? 'file' : 'files'} again, and the link works as before.
                  </p>
                `
              : nothing
          }
        </div>
        <button
          class="button icon-only quiet"
          aria-label="Delete ${name}"
          @click=${() => this.files.delete(parcel)}
        >
          ${tip('Delete', icons.trash)}
        </button>
      </li>
    `
  }
}

customElements.define('files-home', Home)
