/** The app as it is served over time: what was built, and the same as a later version would be, with other names. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { buildPages, root } from './harness/build.ts'
import { Http } from './harness/index.ts'

type Files = Map<string, Buffer>

const types: Record<string, string> = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
}

export class Versions {
  readonly #http: Http
  #files: Files
  /** Of the versions before, the last one last. */
  readonly #before: Files[] = []
  /** Of the next version, while only some servers have that. */
  #page: Buffer | undefined

  private constructor(http: Http, files: Files) {
    this.#http = http
    this.#files = files
  }

  static async start(): Promise<Versions> {
    await buildPages()
    const files = await built()
    const http = await Http.start((request, response) => {
      const { pathname } = new URL(request.url ?? '/', 'http://versions')
      if (pathname === '/api/ice') return response.setHeader('Content-Type', 'application/json').end('{"iceServers":[]}')
      // As the user does in the browser's settings.
      if (pathname === '/clear') return response.setHeader('Clear-Site-Data', '"storage"').end()
      const path = extname(pathname) ? pathname : '/index.html'
      const body = (path === '/index.html' && versions.#page) || versions.#files.get(path)
      if (!body) return response.writeHead(404).end()
      // The browser's own cache may lose anything at any time.
      response.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'text/plain', 'Cache-Control': 'no-store' }).end(body)
    })
    const versions = new Versions(http, files)
    return versions
  }

  get origin(): string {
    return `http://localhost:${this.#http.port}`
  }

  /** Servers behind one name are updated one by one: the page is of one that is, and its script is asked of another one. */
  roll(): void {
    const page = this.#files.get('/index.html')!.toString()
    this.#page = Buffer.from(page.replace(/(?<= src="[^"]+)(?=\.js")/, 'x'))
  }

  /** From now on the next version is served, and nothing of this one. */
  release(): void {
    this.#before.push(this.#files)
    this.#files = next(this.#files)
    this.#page = undefined
  }

  /** The version before is served again, as by an operator who goes back to it. */
  goBack(): void {
    this.#files = this.#before.pop()!
  }

  close(): Promise<void> {
    return this.#http.close()
  }
}

async function built(): Promise<Files> {
  const folder = join(root, 'web/built')
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const plain = paths.filter((path) => !/\.(br|gz|keep)$|\/(edge|stats)\//.test(path))
  return new Map(await Promise.all(plain.map(async (path) => [`/${relative(folder, path)}`, await readFile(path)] as const)))
}

const revision = (file: Buffer): string => createHash('sha256').update(file).digest('hex').slice(0, 16)

/** Each script and style of assets gets another hash in its name; the rest follows from that. */
function next(files: Files): Files {
  const names = [...files.keys()].filter((path) => path.startsWith('/assets/')).map((path) => path.slice('/assets/'.length))
  const later = (name: string) => name.replace(/(\w)(\.\w+)$/, (_, last: string, end: string) => (last === 'x' ? 'y' : 'x') + end)
  const renamed = (text: string) => names.reduce((all, name) => all.replaceAll(name, later(name)), text)
  const all: Files = new Map()
  for (const [path, body] of files) {
    const text = /\.(js|css|html)$/.test(path) && path !== '/sw.js'
    all.set(renamed(path), text ? Buffer.from(renamed(body.toString())) : body)
  }
  // The service worker knows each file by its hash, and its version by all of them.
  let worker = renamed(files.get('/sw.js')!.toString())
  for (const [path, body] of files) {
    const now = all.get(path === '/index.html' ? path : renamed(path))!
    worker = worker.replaceAll(revision(body), revision(now))
  }
  const version = /`([0-9a-f]{12})`/.exec(worker)![1]!
  all.set('/sw.js', Buffer.from(worker.replaceAll(version, createHash('sha256').update(worker).digest('hex').slice(0, 12))))
  return all
}
