import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'puppeteer-core'
import { build, type Plugin } from 'vite'
import { buildPages, root } from './build.ts'
import { Http } from './http.ts'
import { until } from './until.ts'

export interface LabOptions {
  /** Sent with every answer: a Content-Security-Policy, say. Default: none. */
  headers?: Record<string, string>
  /** The engine as it is shipped, of web/built, and not of the sources in one piece. Default false. */
  built?: boolean
  /** Further paths, or replacements of the lab's own. */
  routes?: Record<string, (request: IncomingMessage, response: ServerResponse) => void | Promise<void>>
}

const engine = join(root, 'web/engine/index.ts')

/** 'starling' is what every other page imports too: /starling.js. Anything of web/engine named by its path is bundled. */
const engineIsExternal: Plugin = {
  name: 'engine-is-external',
  enforce: 'pre',
  resolveId: (id) => (id === 'starling' ? { id: '/starling.js', external: true } : null),
}

const bundles = new Map<string, Promise<string>>()

/** Once per process and entry, by the settings of web/build.mjs. */
function bundle(entry: string): Promise<string> {
  const made = bundles.get(entry) ?? make(entry)
  bundles.set(entry, made)
  return made
}

async function make(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    root,
    logLevel: 'error',
    publicDir: false,
    plugins: entry === engine ? [] : [engineIsExternal],
    define: { __PRECACHE__: '[]', __VERSION__: '"lab"' },
    build: {
      write: false,
      target: ['chrome111', 'firefox115', 'safari16.4'],
      minify: entry.startsWith(join(root, 'web/')),
      lib: { entry, formats: ['es'] },
      rolldownOptions: { output: { codeSplitting: false } },
    },
  })
  const [output] = Array.isArray(result) ? result : [result]
  if (!output || !('output' in output)) throw new Error(`nothing was built of ${entry}`)
  return output.output[0].code
}

/**
 * An origin of its own with one page, for what is driven from within:
 *   /                                      a page that imports the test's entry and puts its exports on globalThis.lab
 *   /starling.js /starling-store.js /sw.js from the sources, or as they are shipped
 *   /webtorrent.min.js                     stock webtorrent 3
 *   /api/ice                               no STUN servers
 */
export class Lab {
  readonly #http: Http

  private constructor(http: Http) {
    this.#http = http
  }

  /** entry: a TypeScript module, as new URL('./x.page.ts', import.meta.url). */
  static async start(entry: URL, { headers = {}, built = false, routes = {} }: LabOptions = {}): Promise<Lab> {
    // What cannot be built fails here, and not as a page that never runs.
    const code = await bundle(fileURLToPath(entry))
    if (built) await buildPages()
    else if (code.includes('/starling.js')) await bundle(engine)
    const shipped = (path: string) => readFile(join(root, 'web/built', path))
    const scripts: Record<string, () => Promise<string | Buffer>> = {
      '/lab.js': async () => `import * as lab from '/entry.js'\nglobalThis.lab = lab\n`,
      '/entry.js': async () => code,
      '/starling.js': () => (built ? shipped('starling.js') : bundle(engine)),
      '/starling-store.js': () => (built ? shipped('starling-store.js') : bundle(join(root, 'web/engine/store/worker.ts'))),
      '/sw.js': () => bundle(join(root, 'web/sw/index.ts')),
      '/webtorrent.min.js': () => readFile(join(root, 'node_modules/webtorrent/dist/webtorrent.min.js')),
    }
    const http = await Http.start((request, response) => {
      const path = new URL(request.url ?? '/', 'http://lab').pathname
      const answer = async () => {
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
        const route = routes[path]
        if (route) return route(request, response)
        const script = scripts[path] ?? (built && /^\/assets\/[\w-]+\.js$/.test(path) && (() => shipped(path)))
        if (script) return response.setHeader('Content-Type', 'text/javascript').end(await script())
        if (path === '/api/ice') return response.setHeader('Content-Type', 'application/json').end('{"iceServers":[]}')
        if (path !== '/') return response.writeHead(path === '/favicon.ico' ? 204 : 404).end()
        response.setHeader('Content-Type', 'text/html')
        response.end('<!doctype html><title>lab</title><script type="module" src="/lab.js"></script>')
      }
      answer().catch((error: unknown) => {
        console.error(error)
        response.writeHead(500).end()
      })
    })
    return new Lab(http)
  }

  /** http://127.0.0.1:port, without a slash at its end. */
  get origin(): string {
    return this.#http.origin
  }

  close(): Promise<void> {
    return this.#http.close()
  }
}

/** Opens a lab's page and waits until its entry has run. */
export async function enter(page: Page, lab: { origin: string }): Promise<void> {
  await page.goto(lab.origin)
  await until('the entry of the lab to run', () => page.evaluate(() => 'lab' in globalThis))
}
