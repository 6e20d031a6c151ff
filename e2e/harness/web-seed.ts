import { Http } from './http.ts'

/** What was asked of a web seed. */
export interface Asked {
  path: string
  start: number
  /** Last byte, included. */
  end: number
}

/** An HTTP server of another origin that answers ranges (BEP 19, RFC 9110), as a site's own server would. */
export class WebSeed {
  readonly asked: Asked[] = []
  readonly #http: Http

  private constructor(http: Http) {
    this.#http = http
  }

  /** files: what lies at each path, '/a/b.bin'. */
  static async start(files: ReadonlyMap<string, Uint8Array>): Promise<WebSeed> {
    const http = await Http.start((request, response) => {
      response.setHeader('Access-Control-Allow-Origin', '*')
      response.setHeader('Access-Control-Allow-Headers', 'Range')
      response.setHeader('Access-Control-Expose-Headers', 'Content-Range, Content-Length')
      if (request.method === 'OPTIONS') return response.writeHead(204).end()
      const path = decodeURI(new URL(request.url ?? '/', 'http://seed').pathname)
      const file = files.get(path)
      if (!file) return response.writeHead(404).end()
      const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
      const start = Number(from ?? 0)
      const end = Math.min(to ? Number(to) : Infinity, file.length - 1)
      seed.asked.push({ path, start, end })
      if (from !== undefined) response.writeHead(206, { 'Content-Range': `bytes ${start}-${end}/${file.length}` })
      response.end(file.subarray(start, end + 1))
    })
    const seed = new WebSeed(http)
    return seed
  }

  get origin(): string {
    return this.#http.origin
  }

  close(): Promise<void> {
    return this.#http.close()
  }
}
