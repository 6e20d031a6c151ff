/**
 * Files of torrents as streams: for pages (stream.ts), and for players through the service worker (url.ts gives the
 * URL, serve.ts answers; protocol.ts draws the way). All is pulled: nothing is read before somebody wants it, so a
 * paused player stops the reading, and the swarm learns from each read where the player is.
 */
import { random, toHex } from '../bytes.ts'
import { container } from './container.ts'
import { looking, release, type Ask, type Found, type Pull } from './protocol.ts'
import type { FindSource, RangeSource } from './source.ts'

/** Most bytes read at once: little enough that a player gets the first of them soon. */
const most = 256 << 10
/** Milliseconds after which a reader that asks for nothing is forgotten: paused, or its service worker ended. */
const patience = 30_000

/** Of this page: a request has one answer, however many Starlings there are. */
const finders = new Set<FindSource>()

/** Answers the service worker's requests out of what find finds; the returned function ends that. */
export function serveRanges(find: FindSource): () => void {
  const workers = container()
  // A wrapper, as the same function may be given twice.
  const finder: FindSource = (infoHash, file) => find(infoHash, file)
  finders.add(finder)
  workers?.addEventListener('message', hear)
  workers?.startMessages()
  return () => {
    finders.delete(finder)
    if (!finders.size) workers?.removeEventListener('message', hear)
  }
}

function hear({ data, ports: [port] }: MessageEvent<Ask | undefined>): void {
  if (data?.type === 'starling:range' && port) void answer(port, data)
}

async function answer(port: MessagePort, { infoHash, file }: Ask): Promise<void> {
  port.postMessage(looking)
  const looks = [...finders].map(async (find) => {
    const source = await find(infoHash, file)
    if (!source) throw new Error('not here')
    return source
  })
  const source = await Promise.any(looks).catch(() => undefined)
  if (source) serve(port, source)
  port.postMessage((source ? { name: source.name, type: source.type, size: source.size } : null) satisfies Found)
}

/** Answers pulls that come over the port, until it is released. */
export function serve(port: MessagePort, source: RangeSource): void {
  const reader = `range ${toHex(random(8))}`
  const forget = () => source.release(reader)
  let timer: ReturnType<typeof setTimeout> | undefined
  port.onmessage = async ({ data }: MessageEvent<Pull | typeof release>) => {
    clearTimeout(timer)
    if (data === release) {
      port.close()
      return forget()
    }
    try {
      // A copy: what is read may be part of a buffer that others use.
      const bytes = (await source.read(data.start, Math.min(data.end, data.start + most), reader)).slice()
      port.postMessage(bytes, [bytes.buffer])
    } catch (error) {
      port.postMessage(String(error))
    }
    timer = setTimeout(forget, patience)
  }
}
