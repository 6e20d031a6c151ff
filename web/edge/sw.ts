/**
 * The edge's service worker. It holds nothing: for each request for an asset it asks the page that made it, which has the
 * peers (media.ts), and where that says no, or nothing soon, the request goes to the site as if nobody had looked at it.
 * Never taken: other sites, navigations, scripts, anything but GET, anything with a query or with credentials of its own.
 */
import { looking, release, type Found } from '../engine/stream/protocol.ts'
import { parseRange } from '../sw/range.ts'
import { scope, type FetchEvent } from '../sw/scope.ts'
import { Supplier, type File } from '../sw/tabs.ts'

/** Milliseconds in which a page must show that it is there. */
const signTime = 300
/** Most bytes of an answer to "from here to the end": a player asks again when it has played them. */
const most = 4 << 20

/** Pages that take more than audio and video. What is lost with this worker is their images' way by peers, until they tell again. */
const here = new Set<string>()

scope.addEventListener('install', (event) => event.waitUntil(scope.skipWaiting()))
scope.addEventListener('activate', (event) => event.waitUntil(scope.clients.claim()))
scope.addEventListener('message', (event) => {
  const { data, source } = event as typeof event & { source?: { id: string } }
  if ((data as { type?: string } | null)?.type !== 'starling:here' || !source) return
  if (here.size > 256) here.clear()
  here.add(source.id)
})

scope.addEventListener('fetch', (event) => {
  const { request, clientId } = event
  const { destination, method, headers } = request
  const { origin, search, pathname } = new URL(request.url)
  const media = /^(audio|video)$/.test(destination)
  if (!media && !(/^(image|font)$/.test(destination) && here.has(clientId))) return
  if (origin !== scope.location.origin || search || method !== 'GET' || !clientId || headers.has('Authorization')) return
  if (pathname.startsWith('/.starling/')) return
  event.respondWith(answer(event, pathname))
})

async function answer({ request, clientId }: FetchEvent, path: string): Promise<Response> {
  const supplier = await ask(clientId, { type: 'starling:asset', path, destination: request.destination }).catch(() => undefined)
  if (!supplier) return fetch(request)
  const { size, type } = supplier.file
  const range = parseRange(request.headers.get('Range'), size)
  if (range === 'unsatisfiable') {
    supplier.close()
    return new Response(null, { status: 416, headers: { 'Content-Range': `bytes */${size}` } })
  }
  const start = range?.start ?? 0
  const end = range?.open ? Math.min(range.end, start + most) : (range?.end ?? size)
  const headers = new Headers({
    'Content-Type': type, 'Content-Length': String(end - start), 'Accept-Ranges': 'bytes', 'X-Content-Type-Options': 'nosniff',
  })
  if (range) headers.set('Content-Range', `bytes ${start}-${end - 1}/${size}`)
  return new Response(body(supplier, start, end), { status: range ? 206 : 200, headers })
}

async function ask(clientId: string, question: object): Promise<Supplier | undefined> {
  const client = await scope.clients.get(clientId)
  if (!client) return undefined
  const { port1, port2 } = new MessageChannel()
  return new Promise((resolve) => {
    const refuse = () => {
      port1.postMessage(release)
      resolve(undefined)
    }
    const timer = setTimeout(refuse, signTime)
    port1.onmessage = ({ data }: MessageEvent<Found | typeof looking>) => {
      clearTimeout(timer)
      if (data === looking) return
      if (data) resolve(new Supplier(scope.clients, client, port1, data as File))
      else refuse()
    }
    client.postMessage(question, [port2])
  })
}

function body(supplier: Supplier, start: number, end: number): ReadableStream<Uint8Array> {
  let at = start
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const bytes = await supplier.read(at, end)
          at += bytes.length
          controller.enqueue(bytes)
          if (at < end) return
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        supplier.close()
      },
      cancel: () => supplier.close(),
    },
    { highWaterMark: 0 },
  )
}
