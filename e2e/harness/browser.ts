import puppeteer, { type Browser, type BrowserContext, type Page } from 'puppeteer-core'
import { execFileSync } from 'node:child_process'

export type Kind = 'chromium' | 'firefox'

export interface LaunchOptions {
  /** Further command-line switches. */
  args?: string[]
  /** Further preferences of Firefox. */
  prefs?: Record<string, unknown>
}

function path(kind: Kind): string {
  const name = kind === 'chromium' ? (process.env.CHROMIUM ?? 'chromium') : (process.env.FIREFOX ?? 'firefox-esr')
  return name.includes('/') ? name : execFileSync('which', [name], { encoding: 'utf8' }).trim()
}

/**
 * A browser with a new profile that is gone when it closes. Both have a microphone that beeps: Firefox allows its use
 * to every page; in Chromium a page may use it after person.allowMicrophone, and is refused before.
 */
export function launch(kind: Kind, { args = [], prefs = {} }: LaunchOptions = {}): Promise<Browser> {
  const common = { executablePath: path(kind), protocolTimeout: 120_000 }
  if (kind === 'firefox') {
    return puppeteer.launch({
      ...common,
      browser: 'firefox',
      args,
      extraPrefsFirefox: {
        'media.navigator.streams.fake': true,
        'media.navigator.permission.disabled': true,
        'media.autoplay.default': 0,
        'media.peerconnection.ice.obfuscate_host_addresses': false,
        ...prefs,
      },
    })
  }
  return puppeteer.launch({
    ...common,
    args: [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      '--disable-gpu',
      '--disable-background-networking',
      // Chromium makes a page ready for the address bar of every window: more work than most pages under test.
      '--disable-features=WebRtcHideLocalIpsWithMdns,WebUIOmniboxPopup,WebUIOmniboxAimPopup',
      '--use-fake-device-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
      ...args,
    ],
  })
}

export interface PersonOptions extends LaunchOptions {
  /** Errors on the console, or thrown and uncaught, that this person is meant to meet. */
  allow?: RegExp[]
  /** An ordinary, not incognito, profile: in Chromium a process of one's own. Implied by args and prefs. */
  own?: boolean
}

/**
 * What Firefox says where a page was left while its service worker still answered for something: an icon, a script that was
 * loaded ahead. A worker that fails says otherwise ("passed a promise … that rejected").
 */
const leftLoad = /^uncaught: Failed to load ‘[^’]*’\. A ServiceWorker intercepted the request and encountered an unexpected error/

/** Somebody with a browser: storage apart from everybody else's, and an eye on every error that their pages report. */
export class Person {
  readonly context: BrowserContext
  readonly page: Page
  readonly kind: Kind
  readonly #allow: RegExp[]
  readonly #errors: string[] = []

  private constructor(kind: Kind, context: BrowserContext, page: Page, allow: RegExp[]) {
    this.kind = kind
    this.context = context
    this.page = page
    this.#allow = allow
    this.#watch(page)
  }

  static async in(kind: Kind, context: BrowserContext, allow: RegExp[] = []): Promise<Person> {
    return new Person(kind, context, await context.newPage(), allow)
  }

  /** One more tab of the same browser, watched like the first. */
  async tab(): Promise<Page> {
    const page = await this.context.newPage()
    this.#watch(page)
    return page
  }

  /** From here on, errors like this one are expected. */
  allow(error: RegExp): void {
    this.#allow.push(error)
  }

  /** Chromium: pages of this origin may use the microphone. Firefox allows it anyway. */
  async allowMicrophone(url: string): Promise<void> {
    if (this.kind === 'chromium') await this.context.overridePermissions(new URL(url).origin, ['microphone'])
  }

  get errors(): string[] {
    return this.#errors.filter((error) => ![...this.#allow, leftLoad].some((allowed) => allowed.test(error)))
  }

  #watch(page: Page): void {
    page.setDefaultTimeout(60_000)
    page.on('pageerror', (error) => this.#errors.push(`uncaught: ${error instanceof Error ? error.message : String(error)}`))
    page.on('error', (error) => this.#errors.push(`crashed: ${error.message}`))
    // As when a page is left that would lose something: until somebody answers, it stands still.
    page.on('dialog', (dialog) => {
      this.#errors.push(`asked: ${dialog.type()} ${dialog.message()}`)
      void dialog.accept().catch(() => {})
    })
    page.on('console', (message) => {
      if (message.type() !== 'error') return
      this.#errors.push(`console: ${message.text()} ${message.location().url ?? ''}`)
    })
  }
}
