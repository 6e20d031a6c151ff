/**
 * Files of torrents for <audio>, <video>, …: GET /~/<infohash>/<file>/<name> ─► files.ts ─► tabs.ts ─► a tab (engine/stream).
 * A part of sw.js, and by itself starling-sw.js, which sites of other origins import into a service worker of their own:
 * so it answers what is meant for it, and leaves all else alone.
 */
import type { Word } from '../engine/stream/protocol.ts'
import { answerFile } from './files.ts'
import { scope } from './scope.ts'

scope.addEventListener('message', (event) => {
  const { type } = (event.data ?? {}) as Partial<Word>
  if (type === 'starling:hello') event.waitUntil(scope.clients.claim().then(() => event.ports[0]?.postMessage(type)))
})

scope.addEventListener('fetch', (event) => {
  const { origin, pathname } = new URL(event.request.url)
  if (origin === scope.location.origin && pathname.startsWith('/~/')) event.respondWith(answerFile(scope.clients, event))
})
