import { html, nothing, type TemplateResult } from 'lit'
import { firstClickOnly } from '../ui/doubled.ts'
import { PageElement } from '../ui/element.ts'
import { icons } from '../ui/icons.ts'
import { mark } from '../ui/mark.ts'
import { notFound, tip } from '../ui/parts.ts'
import { scrollBack } from '../ui/scroll.ts'
import type { Host, Section } from '../ui/section.ts'
import type { Toasts } from '../ui/toasts.ts'
import '../ui/toasts.ts'
import { about } from './about.ts'
import { NodeHost } from './node.ts'
import { Router, type Visit } from './router.ts'
import { sections } from './sections.ts'
import { register } from './updates.ts'

/** Milliseconds after which a page that was opened is at rest. */
const restful = 1000

/** The shell: navigation, the section whose address it is, and toasts. */
class App extends PageElement {
  readonly #router = new Router((visit) => void this.#visit(visit))
  readonly #nodes = new NodeHost()
  #section: Section | undefined
  #view: TemplateResult | undefined
  #path = ''
  /** Until the section can draw, where it loads late. */
  #starting: Promise<void> | undefined
  /** Ends the way back to where the page was before it was loaded anew. */
  #settle: (() => void) | undefined

  readonly #host: Host = {
    node: () => this.#nodes.get(),
    navigate: (path, options) => this.#router.navigate(path, options),
    back: (path) => this.#router.back(path),
    toast: (toast) => void this.updateComplete.then(() => this.querySelector<Toasts>('ui-toasts')!.show(toast)),
    title: (text) => {
      const title = `${text} · Starling`
      if (document.title !== title) document.title = title
    },
  }

  override connectedCallback(): void {
    super.connectedCallback()
    this.#router.start()
    firstClickOnly()
    for (const type of ['dragover', 'drop'] as const) addEventListener(type, refuse)
    const loaded = () => {
      void register(this.#host.toast).catch(reportError)
      setTimeout(() => sections.forEach((section) => section.wake?.(this.#host)), restful)
    }
    if (document.readyState === 'complete') loaded()
    else addEventListener('load', loaded, { once: true })
  }

  async #visit({ url, first, scroll, left }: Visit): Promise<void> {
    this.#settle?.()
    if (url.pathname === '/') return this.#router.navigate(sections[0]!.path, { replace: true })
    this.#path = url.pathname
    const section = sections.find((section) => section.owns(url))
    if (this.#section && this.#section !== section) this.#section.leave()
    this.#section = section
    const starting = (this.#starting = section?.start(this.#host) ?? undefined)
    this.#view = section?.view(url) ?? this.#own(url)
    this.requestUpdate()
    if (first) this.#settle = scrollBack(document.documentElement, scroll)
    await starting
    if (starting === this.#starting) this.#starting = undefined
    this.requestUpdate()
    if (first) return
    await this.updateComplete
    if (section !== this.#section) return
    // The views' own parts are drawn in turns of their own.
    await new Promise(requestAnimationFrame)
    if (!this.contains(document.activeElement) || !isField(document.activeElement)) {
      // Whoever comes back goes on where they were.
      const was = left && this.querySelector<HTMLElement>(`main a[href="${CSS.escape(left)}"]`)
      const place = was && was.offsetParent ? was : this.querySelector<HTMLElement>('[data-focus]')
      place?.focus({ preventScroll: true })
    }
    scrollTo(0, scroll)
  }

  #own({ pathname }: URL): TemplateResult {
    if (pathname === '/about') {
      this.#host.title('What leaves this device')
      return about(this.#nodes)
    }
    this.#host.title('Nothing is here')
    return notFound('This address leads nowhere. It may be mistyped, or cut short.')
  }

  /** Messages come before the page: what was deleted leaves the focus on its heading, and Undo is a step or two back. */
  protected override render() {
    return html`
      <a class="skip" href="#main">Skip to content</a>
      <header class="shell-bar ${sections.length > 1 ? 'many' : ''}">
        <a class="brand" href="/" aria-label="Starling">
          ${mark()}
          <span class="brand-name">Starling</span>
        </a>
        <nav aria-label="Sections">
          ${sections.map(
            (section) => html`
              <a href=${section.path} aria-current=${section === this.#section ? 'true' : nothing}>
                ${section.icon}
                <span>${section.title}</span>
              </a>
            `,
          )}
        </nav>
        <a
          class="button icon-only quiet about-link"
          href="/about"
          aria-label="What leaves this device"
          aria-current=${this.#path === '/about' ? 'page' : nothing}
        >
          ${tip('What leaves this device', icons.info)}
        </a>
      </header>
      <ui-toasts></ui-toasts>
      <main id="main" tabindex="-1" aria-busy=${this.#starting ? 'true' : nothing}>${this.#view}</main>
    `
  }
}

/** Files that are let go of where nothing takes them: browsers would show one of them in place of the app. */
function refuse(event: DragEvent): void {
  if (event.defaultPrevented || !event.dataTransfer?.types.includes('Files')) return
  event.preventDefault()
  event.dataTransfer.dropEffect = 'none'
}

const isField = (element: Element | null): boolean => !!element?.matches('input, textarea, select')

customElements.define('starling-app', App)
