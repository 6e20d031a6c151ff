/**
 * The edge's service worker. It holds nothing: for each request for an asset it asks the page that made it, which has the
 * peers (media.ts), and where that says no, or nothing soon, the request goes to the site as if nobody had looked at it.
 * Never taken: other sites, navigations, scripts, anything but GET, anything with a query or with credentials of its own.
 */
import { limit, parseRange } from '../sw/range.ts'
import { scope, type FetchEvent } from '../sw/scope.ts'
import { ask } from '../sw/tabs.ts'

/** Milliseconds in which a page that has not told of itself must show that it is there. */
const signTime = 300
/** Before the path of what plays by itself: the first seconds come from the site, and are not kept waiting (edge/play.go). */
const play = '/.starling/play'
/** Pages that take more than audio and video. What is lost with this worker is their images' way by peers, until they tell again. */
const here = new Set<string>()
/** Pages that give audio and video: they are there, however busy. */
const players = new Set<string>()
/** What may be taken, by its destination. */
const kinds = ['audio', 'video', 'image', 'font']

scope.addEventListener('install', (event) => {
  event.waitUntil(scope.skipWaiting())
  // Where the browser knows of routes, nothing else waits until this worker has started.
  const taken = kinds.map((requestDestination) => ({ requestDestination }))
  event.addRoutes?.({ condition: { not: { or: taken } }, source: 'network' }).catch(() => {})
})
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
scope.addEventListener('message', (event) => {
  const { data, source } = event as typeof event & { source?: { id: string } }
  const { type } = (data ?? {}) as { type?: string }
  const pages = type === 'starling:here' ? here : type === 'starling:players' ? players : undefined
  if (!pages || !source) return
  if (pages.size > 256) pages.clear()
  pages.add(source.id)
})

scope.addEventListener('fetch', (event) => {
  const { request, clientId } = event
  const { destination, method, mode, headers } = request
  const { origin, search, pathname } = new URL(request.url)
  const opening = pathname.startsWith(`${play}/`)
  const media = /^(audio|video)$/.test(destination)
  if (!kinds.includes(destination) || (!media && !here.has(clientId))) return
  if (origin !== scope.location.origin || search || method !== 'GET' || !clientId || headers.has('Authorization')) return
  if (opening ? mode !== 'cors' || /^bytes=0-/.test(headers.get('Range') ?? '') : pathname.startsWith('/.starling/')) return
  event.respondWith(answer(event, opening ? pathname.slice(play.length) : pathname))
})

async function answer(event: FetchEvent, path: string): Promise<Response> {
  const { request, clientId } = event
  const { clients } = scope
  const { destination, mode, headers: asked } = request
  const goesOn = mode !== 'cors' && !/^bytes=0-/.test(asked.get('Range') ?? 'bytes=0-')
  const question = { type: 'starling:asset', path, destination, goesOn }
  const page = await clients.get(clientId).catch(() => undefined)
  const patience = /^(audio|video)$/.test(destination) && players.has(clientId) ? undefined : signTime
  const supplier = page && (await ask(clients, page, question, patience).catch(() => undefined))
  if (!supplier) {
    if (!players.has(clientId)) event.waitUntil(look())
    return fetch(request)
  }
  const { size, type } = supplier.file
  const range = parseRange(asked.get('Range'), size)
  if (range === 'unsatisfiable') {
    supplier.close()
    return new Response(null, { status: 416, headers: { 'Content-Range': `bytes */${size}` } })
  }
  const { start, end } = limit(range) ?? { start: 0, end: size }
  const headers = new Headers({
    'Content-Type': type, 'Content-Length': String(end - start), 'Accept-Ranges': 'bytes', 'X-Content-Type-Options': 'nosniff',
  })
  if (range) headers.set('Content-Range', `bytes ${start}-${end - 1}/${size}`)
  return new Response(supplier.stream(start, end), { status: range ? 206 : 200, headers })
}

let looked = false

/** The page may have no Starling: where the site has none any more, nobody is to wait for it. */
async function look(): Promise<void> {
  if (looked) return
  looked = true
  const answer = await fetch(scope.location.href, { method: 'HEAD', cache: 'no-store' }).catch(() => undefined)
  // Some sites have a page for whatever they have not.
  const other = answer?.ok && !/javascript/.test(answer.headers.get('Content-Type') ?? '')
  if (other || answer?.status === 404 || answer?.status === 410) await scope.registration.unregister()
}
