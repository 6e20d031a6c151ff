/**
 * The service worker, with three tasks that know nothing of each other:
 *
 *   the app offline                       precache.ts: what web/build.mjs listed, under one version
 *   files of torrents for <audio>, …      torrents.ts: GET /~/…
 *   what other apps share                 share-target.ts: POST /files/shared
 *
 * A new version waits until a page says 'starling:update' (the user agreed), then takes over and tells all pages. Those
 * of the version before go on with it: its files stay until a page is opened while no other is.
 * It keeps no state: browsers end it whenever they like.
 */
import type { Ready, Word } from '../engine/stream/protocol.ts'
import { Precache } from './precache.ts'
import { scope } from './scope.ts'
import { purge } from './shared.ts'
import { admit, sharedPath, take } from './share-target.ts'
import './torrents.ts'

declare const __PRECACHE__: [path: string, revision: string][]
declare const __VERSION__: string

const precache = new Precache(__VERSION__, __PRECACHE__)
/** Earlier versions kept for pages that are open; one may be what is left of an installation that broke off. */
const keep = 2
/** Paths of the one page. */
const pages = /^\/((memos|files)(\/[\w-]+)?|about|m|f|share)?$/

scope.addEventListener('install', (event) => event.waitUntil(precache.install()))

scope.addEventListener('activate', (event) => event.waitUntil(activate()))

async function activate(): Promise<void> {
  const open = await scope.clients.matchAll({ type: 'window', includeUncontrolled: true })
  const updated = await precache.tidy(open.length ? keep : 0)
  await scope.clients.claim()
  for (const client of await scope.clients.matchAll({ type: 'window' })) {
    client.postMessage({ type: 'starling:ready', updated } satisfies Ready)
  }
}

async function tidy(): Promise<void> {
  if ((await scope.clients.matchAll({ type: 'window', includeUncontrolled: true })).length) return
  await Promise.all([precache.tidy(0), purge()])
}

scope.addEventListener('message', (event) => {
  const { type } = (event.data ?? {}) as Partial<Word>
  if (type === 'starling:update') event.waitUntil(scope.skipWaiting())
})

scope.addEventListener('fetch', (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  if (origin !== scope.location.origin || pathname.startsWith('/~/')) return
  if (request.method === 'POST' && pathname === sharedPath) return event.respondWith(take(request))
  if (request.method !== 'GET') return
  const page = request.mode === 'navigate' && pages.test(pathname)
  const path = page ? '/' : pathname
  if (page) event.waitUntil(tidy())
  if (page && pathname === sharedPath) event.respondWith(admit(request, () => precache.answer('/', request)))
  else if (precache.has(path)) event.respondWith(precache.answer(path, request))
  else if (path.startsWith('/assets/')) event.respondWith(precache.answerOld(path, request))
})
