import type { Browser } from 'puppeteer-core'
import type { RequestListener } from 'node:http'
import { launch, Person, type Kind, type PersonOptions } from './browser.ts'
import { Http } from './http.ts'
import { Lab, type LabOptions } from './lab.ts'
import { Folder, Program } from './program.ts'
import { Server, type ServeOptions } from './server.ts'
import { WebSeed } from './web-seed.ts'

/** Makes browsers, people, servers and labs, and closes them in reverse order. Browsers are shared between people. */
export class Kit {
  readonly #browsers = new Map<Kind, Promise<Browser>>()
  readonly #open: (() => Promise<void>)[] = []

  /** Runs when what was made up to now is closed. */
  defer(close: () => Promise<void>): void {
    this.#open.push(close)
  }

  /** Somebody new, with an empty tab. Closing fails when a page of theirs reported an error that was not allowed. */
  async person(kind: Kind, { allow = [], own = false, ...options }: PersonOptions = {}): Promise<Person> {
    // In Firefox what any person keeps is kept as in an ordinary profile, and to start it takes seconds.
    const alone = (own && kind === 'chromium') || options.args || options.prefs
    const browser = await (alone ? launch(kind, options) : this.#browser(kind))
    const context = alone ? browser.defaultBrowserContext() : await browser.createBrowserContext()
    const person = await Person.in(kind, context, [...allow])
    this.defer(async () => {
      await (alone ? browser.close() : context.close().catch(() => undefined))
      const { errors } = person
      if (errors.length) throw new Error(`${kind} reported:\n  ${errors.join('\n  ')}`)
    })
    return person
  }

  async serve(options?: ServeOptions): Promise<Server> {
    const server = await Server.start(options)
    this.defer(() => server.close())
    return server
  }

  async lab(entry: URL, options?: LabOptions): Promise<Lab> {
    const lab = await Lab.start(entry, options)
    this.defer(() => lab.close())
    return lab
  }

  /** A site of somebody else's, on a port of its own. */
  async http(answer: RequestListener): Promise<Http> {
    const http = await Http.start(answer)
    this.defer(() => http.close())
    return http
  }

  /** A program that ends with the test. */
  program(command: string, ...args: string[]): Program {
    const program = new Program(command, args)
    this.defer(() => program.close())
    return program
  }

  /** The path of an empty folder, which is gone after the test. */
  async folder(): Promise<string> {
    const folder = await Folder.make()
    this.defer(() => folder.close())
    return folder.path
  }

  /** files: what lies at each path, '/a/b.bin'. */
  async webSeed(files: ReadonlyMap<string, Uint8Array>): Promise<WebSeed> {
    const seed = await WebSeed.start(files)
    this.defer(() => seed.close())
    return seed
  }

  /** How much is open now, for closeTo. */
  get mark(): number {
    return this.#open.length
  }

  /** Closes all that was made since mark; throws the first error when all is closed. */
  async closeTo(mark: number): Promise<void> {
    const errors: unknown[] = []
    while (this.#open.length > mark) await this.#open.pop()?.().catch((error: unknown) => errors.push(error))
    if (errors.length) throw errors[0]
  }

  async close(): Promise<void> {
    try {
      await this.closeTo(0)
    } finally {
      await Promise.all([...this.#browsers.values()].map(async (browser) => (await browser).close()))
      this.#browsers.clear()
    }
  }

  #browser(kind: Kind): Promise<Browser> {
    const browser = this.#browsers.get(kind) ?? launch(kind)
    this.#browsers.set(kind, browser)
    return browser
  }
}
