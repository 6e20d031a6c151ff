/**
 * WebKit, which Safari is made of: Debian's WebKitGTK, by the W3C's WebDriver protocol. Its window (webkit.py) is on a
 * display that nobody sees; its microphone beeps; what its pages say is wrong is among its lines.
 */
import { fileURLToPath } from 'node:url'
import type { Kit } from './kit.ts'
import { find } from './named.ts'
import { freePort } from './port.ts'
import { Program } from './program.ts'
import { until } from './until.ts'

const browser = fileURLToPath(new URL('webkit.py', import.meta.url))
/** What WebDriver calls an element by. */
const element = 'element-6066-11e4-a52e-4f735466cecf'

/** It is built without manifests, which Safari has; and pages are left, whatever their sockets are about. */
const usual = /Unrecognized Content-Security-Policy directive 'manifest-src'|WebSocket is closed (due to|before)/

export interface WebKitOptions {
  /** Where it keeps what pages store. Default: nothing is kept, as in a private window. */
  folder?: string
  /** Runs in each page before anything of its own; sees nothing of what is around it here. */
  before?: () => void
  /** Errors that pages are meant to report. */
  allow?: RegExp[]
}

type Arguments = readonly (string | number | boolean | undefined)[]

export class WebKit {
  readonly #driver: Program
  readonly #session: string
  readonly #allow: RegExp[]
  /** The tab that is spoken to. */
  #current = ''
  #last: Promise<unknown> = Promise.resolve()

  private constructor(driver: Program, session: string, allow: RegExp[]) {
    this.#driver = driver
    this.#session = session
    this.#allow = allow
  }

  static async start(kit: Kit, { folder = '', before, allow = [] }: WebKitOptions = {}): Promise<WebKit> {
    const display = new Program('Xvfb', ['-displayfd', '1', '-screen', '0', '1600x1200x24', '-nolisten', 'tcp'])
    kit.defer(() => display.close())
    const [, number] = await display.prints(/^(\d+)$/)
    const home = await kit.folder()
    const port = await freePort()
    const env = { DISPLAY: `:${number}`, GDK_BACKEND: 'x11', HOME: home, XDG_RUNTIME_DIR: home, NO_AT_BRIDGE: '1', WEBKIT_DISABLE_DMABUF_RENDERER: '1' }
    const driver = new Program('WebKitWebDriver', [`--port=${port}`], { env })
    kit.defer(() => driver.close())
    const at = `http://127.0.0.1:${port}`
    await until('WebKitWebDriver', () => driver.running && fetch(`${at}/status`).then(({ ok }) => ok, () => false))
    const args = [folder, before ? `(${before.toString()})()` : '']
    const alwaysMatch = { 'webkitgtk:browserOptions': { binary: browser, args }, timeouts: { script: 120_000, pageLoad: 120_000 } }
    const { sessionId } = await ask<{ sessionId: string }>('POST', `${at}/session`, { capabilities: { alwaysMatch } })
    const webkit = new WebKit(driver, `${at}/session/${sessionId}`, allow)
    kit.defer(() => webkit.close())
    return webkit
  }

  /** What its pages said was wrong. */
  get errors(): string[] {
    const said = this.#driver.lines.filter((line) => /CONSOLE \w+ ERROR/.test(line))
    return said.filter((line) => ![...this.#allow, usual].some((allowed) => allowed.test(line)))
  }

  async tab(): Promise<Tab> {
    const { handle } = await ask<{ handle: string }>('POST', `${this.#session}/window/new`, { type: 'tab' })
    return new Tab(this, handle)
  }

  /** The tab that it began with. */
  async page(): Promise<Tab> {
    return new Tab(this, await ask<string>('GET', `${this.#session}/window`))
  }

  /** One command after another, each to its tab. */
  command<T>(tab: string, method: string, path: string, body?: object): Promise<T> {
    const done = this.#last.then(async () => {
      if (tab !== this.#current) await ask('POST', `${this.#session}/window`, { handle: tab })
      this.#current = tab
      return ask<T>(method, this.#session + path, body)
    })
    this.#last = done.catch(() => undefined)
    return done
  }

  async close(): Promise<void> {
    await this.#last
    await ask('DELETE', this.#session).catch(() => undefined)
    if (this.errors.length) throw new Error(`WebKit reported:\n  ${this.errors.join('\n  ')}`)
  }
}

export class Tab {
  readonly #webkit: WebKit
  readonly #handle: string

  constructor(webkit: WebKit, handle: string) {
    this.#webkit = webkit
    this.#handle = handle
  }

  async goto(url: string): Promise<void> {
    await this.#ask('POST', '/url', { url })
  }

  async back(): Promise<void> {
    await this.#ask('POST', '/back', {})
  }

  async reload(): Promise<void> {
    await this.#ask('POST', '/refresh', {})
  }

  /** Runs work in the page and waits for it; it sees nothing of what is around it here. */
  async evaluate<A extends Arguments, T>(work: (...args: A) => T | Promise<T>, ...args: A): Promise<T> {
    const script = `const done = arguments[arguments.length - 1]
      new Promise((resolve) => resolve((${work.toString()})(...[...arguments].slice(0, -1)))).then(
        (value) => done({ value }), (error) => done({ error: String(error) }))`
    const { value, error } = await this.#ask<{ value?: T; error?: string }>('POST', '/execute/async', { script, args })
    if (error) throw new Error(error)
    return value as T
  }

  /** Waits for what has that name and role, and presses it as a user does. */
  async press(name: string, role = 'button'): Promise<void> {
    await this.#ask('POST', `/element/${await this.#control(name, role)}/click`, {})
  }

  /** Waits for a field, and chooses files of this machine in it. */
  async choose(selector: string, paths: string[]): Promise<void> {
    const field = await this.#element(`field ${selector}`, 'return document.querySelector(arguments[0])', selector)
    await this.#ask('POST', `/element/${field}/value`, { text: paths.join('\n') })
  }

  /** What a field of that name holds, once it is there. */
  async field(name: string): Promise<string> {
    const field = await this.#control(name, 'textbox')
    return this.#ask('GET', `/element/${field}/property/value`)
  }

  async reads(words: string): Promise<void> {
    let shown = ''
    await until(`“${words}” on the page`, async () => {
      shown = await this.evaluate(() => document.body.innerText)
      return shown.includes(words)
    }).catch((error: Error) => {
      throw new Error(`${error.message}; it reads: ${shown}`, { cause: error })
    })
  }

  async close(): Promise<void> {
    await this.#ask('DELETE', '/window')
  }

  #control(name: string, role: string): Promise<string> {
    return this.#element(`${role} “${name}”`, `return (${find.toString()})(document, arguments[0])`, `${role}/${name}`)
  }

  #element(what: string, script: string, argument: string): Promise<string> {
    return until(what, async () => {
      const found = await this.#ask<Record<string, string> | null>('POST', '/execute/sync', { script, args: [argument] })
      return found?.[element]
    })
  }

  #ask<T>(method: string, path: string, body?: object): Promise<T> {
    return this.#webkit.command<T>(this.#handle, method, path, body)
  }
}

async function ask<T>(method: string, url: string, body?: object): Promise<T> {
  const response = await fetch(url, { method, body: body && JSON.stringify(body), signal: AbortSignal.timeout(60_000) })
  const { value } = (await response.json()) as { value: T & { error?: string; message?: string } }
  if (!response.ok) throw new Error(`${method} ${new URL(url).pathname}: ${value.error}: ${value.message}`)
  return value
}
