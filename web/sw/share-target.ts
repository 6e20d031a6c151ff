/**
 * What other apps hand to this one with the device's share sheet (share_target in the manifest):
 *
 *   share sheet   POST /files/shared          take: it is kept here (shared.ts). Nothing is sent, nothing is seeded
 *                 ◄── 303 /files/shared?<id>
 *                 GET /files/shared?<id>      admit: unless another site led here, the page shows it, and asks the user
 *
 * Any site can post a form to this address. Who began it browsers tell in Sec-Fetch-Site, which servers see and service
 * workers do not: it is added below them. So what can be seen here is looked at first, and the server, which hears of
 * the second request alone, looks at the rest (internal/httpd/shared.go). Offline there is nobody to ask; then the
 * page's button is what stands between a forged form and anything at all.
 */
import { add, drop, purge, waiting } from './shared.ts'

export const sharedPath = '/files/shared'

/** Where the page says what became of it, in the words of files/pages/home.ts. */
const home = '/files'

/** Most bytes that wait in all; and what part of what is free. What is sent is copied while it is still here. */
const most = 1e9
const part = 4
/** Most shares that wait. */
const many = 20
/** Room for what a form has beside its files, bytes. */
const around = 1 << 20
/** Most characters of a title; text beyond that is cut. */
const longest = 1 << 20
/** Milliseconds in which the server must have said whether another site led here. */
const answerTime = 3000

const to = (path: string): Response =>
  new Response(null, { status: 303, headers: { Location: path, 'Cache-Control': 'no-store' } })

/** A share sheet opens a page, for the user, and no page of any site had a hand in it: as far as that is seen here. */
function fromSheet({ mode, destination, referrer, headers }: Request): boolean {
  const site = headers.get('Sec-Fetch-Site') ?? 'none'
  const origin = headers.get('Origin') ?? 'null'
  const opens = mode === 'navigate' && destination === 'document'
  return opens && site === 'none' && origin === 'null' && !/^https?:/.test(referrer)
}

/** Answers the share sheet, when all is on disk. */
export async function take(request: Request): Promise<Response> {
  if (!fromSheet(request)) {
    await request.body?.cancel().catch(() => undefined)
    return to(`${home}#nothing-shared`)
  }
  let full = false
  try {
    await purge()
    const before = await waiting()
    const there = before.reduce((sum, { whole }) => sum + whole.size, 0)
    const room = Math.min(most - there, (await free()) / part)
    if (before.length >= many) full = true
    const body = bounded(request, full ? 0 : room + around, () => (full = true))
    const form = await body.formData()
    const files = form.getAll('files').filter((file) => file instanceof File).filter(({ name, size }) => name || size)
    const words = (name: string) => {
      const all = form.getAll(name).filter((value) => typeof value === 'string')
      return all.join('\n').trim().slice(0, longest)
    }
    const [title, text] = [words('title'), [words('text'), words('url')].filter(Boolean).join('\n')]
    if (!files.length && !text && !title) return to(`${home}#nothing-shared`)
    const random = crypto.getRandomValues(new Uint8Array(16))
    const id = Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('')
    const facts = files.map(({ name, size, type }) => ({ name, size, type }))
    await add({ id, at: Date.now(), title, text, whole: new Blob(files), files: facts })
    return to(`${sharedPath}?${id}`)
  } catch (error) {
    return to(`${home}#${full || (error as Error).name === 'QuotaExceededError' ? 'no-room' : 'not-ready'}`)
  }
}

/** Answers the request for its page: page, but where the server says that another site led here. */
export async function admit(request: Request, page: () => Promise<Response>): Promise<Response> {
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, answerTime))
  const said = await Promise.race([fetch(request).catch(() => undefined), late])
  // It sends those away; the browser shows no more of that here.
  if (said?.type !== 'opaqueredirect') {
    void said?.body?.cancel().catch(() => undefined)
    return page()
  }
  const id = new URL(request.url).search.slice(1)
  if (id) await drop(id)
  return to(`${home}#nothing-shared`)
}

/** The request's body, which breaks off behind so many bytes. */
function bounded({ body, headers }: Request, bytes: number, over: () => void): Response {
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes -= chunk.length
      if (bytes >= 0) return controller.enqueue(chunk)
      over()
      controller.error(new Error('it is too large'))
    },
  })
  return new Response(body?.pipeThrough(count), { headers: { 'Content-Type': headers.get('Content-Type') ?? '' } })
}

/** Bytes that the browser would still let this app store. */
async function free(): Promise<number> {
  const { quota, usage } = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {}
  return quota === undefined || usage === undefined ? Infinity : quota - usage
}
