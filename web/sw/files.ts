import { encodeName, parseDownloadPath, parseFilePath, shownType } from '../engine/stream/protocol.ts'
import { limit, parseRange, type Range } from './range.ts'
import type { Clients, FetchEvent } from './scope.ts'
import { findMaker, findSupplier, type File } from './tabs.ts'

/** Whoever fetches a file; not scripts, workers, styles, frames or plug-ins, as its bytes are a stranger's. */
const destinations = /^(|audio|video|image|track|document)$/

/** Of a file that is opened as a page: it may show itself, and the browser's own player. */
const policy = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"

/** Answers a request for a file of a torrent. */
export async function answerFile(clients: Clients, event: FetchEvent): Promise<Response> {
  const { request, clientId } = event
  const { pathname } = new URL(request.url)
  const download = parseDownloadPath(pathname)
  if (download) return answerDownload(clients, event, download)
  const path = parseFilePath(pathname)
  if (!path) return refuse(404, 'There is no such file.')
  if (!/^(GET|HEAD)$/.test(request.method)) return refuse(405, 'Files can only be read.', { Allow: 'GET, HEAD' })
  if (!destinations.test(request.destination)) return refuse(403, 'Files of torrents are not run.')
  const supplier = await findSupplier(clients, clientId, path.infoHash, path.file)
  if (!supplier) return refuse(404, 'No open tab has this file.')

  const { file } = supplier
  const tag = `"${path.infoHash}-${path.file}"`
  const condition = request.headers.get('If-Range')
  const range = condition && condition !== tag ? undefined : parseRange(request.headers.get('Range'), file.size)
  if (range === 'unsatisfiable') {
    supplier.close()
    return refuse(416, 'The file is shorter.', { 'Content-Range': `bytes */${file.size}` })
  }
  const { start, end } = limit(range) ?? { start: 0, end: file.size }
  const headers = describe(file, { start, end })
  headers.set('ETag', tag)
  if (range) headers.set('Content-Range', `bytes ${start}-${end - 1}/${file.size}`)
  const empty = request.method === 'HEAD' || !file.size
  if (empty) supplier.close()
  return new Response(empty ? null : supplier.stream(start, end), { status: range ? 206 : 200, headers })
}

let held: Promise<string | undefined> | undefined
/** The name of the lock that tells pages whether this service worker still runs (AskDownload). */
const life = (): Promise<string | undefined> =>
  (held ??= new Promise((resolve) => {
    const { locks } = globalThis.navigator ?? {}
    if (!locks) return resolve(undefined)
    const name = `service worker ${crypto.randomUUID()}`
    const forEver = () => new Promise(() => resolve(name))
    locks.request(name, forEver).catch(() => resolve(undefined))
  }))

/** Answers a page that goes to a download of its own: it stays where it is, whatever comes. */
async function answerDownload(clients: Clients, { request }: FetchEvent, id: string): Promise<Response> {
  const maker = /^(|document)$/.test(request.destination) ? await findMaker(clients, id, await life()) : undefined
  if (!maker) return new Response(null, { status: 204 })
  const { size } = maker.file
  const headers = describe({ ...maker.file, type: '' }, { start: 0, end: size })
  headers.delete('Accept-Ranges')
  if (!size) maker.close()
  return new Response(size ? maker.stream(0, size) : null, { headers })
}

/** application/octet-stream by itself is HTML to Safari before 26, where a page is opened: an iPhone saves photo.jpg.html. */
const anything = 'binary/octet-stream'

/** Nothing that a stranger says about a file, or puts into it, runs as a page of ours. */
function describe({ name, type }: File, { start, end }: Range): Headers {
  const shown = shownType(type)
  return new Headers({
    'Content-Type': shown ?? anything,
    'Content-Disposition': `${shown ? 'inline' : 'attachment'}; filename*=UTF-8''${encodeName(name)}`,
    'Content-Length': String(end - start),
    'Content-Security-Policy': policy,
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
    'Accept-Ranges': 'bytes',
  })
}

function refuse(status: number, words: string, headers: Record<string, string> = {}): Response {
  const all = { 'Content-Type': 'text/plain', 'X-Content-Type-Options': 'nosniff', ...headers }
  return new Response(words, { status, headers: all })
}
