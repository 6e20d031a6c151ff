/**
 * Files of torrents as files of the user's: the browser downloads them, to wherever its downloads go, and this page makes
 * them while it does (engine/stream/protocol.ts draws the way). Nothing is held in memory, and what has not arrived yet
 * is waited for.
 */
import type { Torrent, TorrentFile } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import {
  downloadPath,
  looking,
  release,
  type AskDownload,
  type Found,
  type Pull,
  type Word,
} from '../engine/stream/protocol.ts'
import { bySheet, handOver } from '../ui/save.ts'
import type { Toast } from '../ui/toasts.ts'
import { unguarded } from '../ui/vigil.ts'
import { isFolder } from './words.ts'
import { zip } from './zip.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Something under way to the browser's downloads. */
export interface Download {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Bytes that the browser has taken. */
  taken: number
}

interface Given extends Download {
  readonly id: string
  readonly type: string
  readonly stream: () => ReadableStream<Bytes>
  readonly over: AbortController
}

/** Browsers end a service worker that hears nothing from its pages for half a minute, and its downloads with it. */
const keepAwake = 10_000
/** Milliseconds in which the browser must ask for what it was sent to. */
const patience = 15_000

export class Downloads extends Emitter<{ change: void; done: Download; failed: Given }> {
  readonly #downloads = new Map<string, Given>()
  readonly #toast: (toast: Toast) => void
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(toast: (toast: Toast) => void) {
    super()
    this.#toast = toast
    const container = navigator.serviceWorker
    container?.addEventListener('message', ({ data, ports: [port] }: MessageEvent<AskDownload | undefined>) => {
      const download = data?.type === 'starling:download' ? this.#downloads.get(data.id) : undefined
      if (download && port) this.#give(download, port, data!.lock)
    })
    container?.startMessages()
  }

  get all(): readonly Download[] {
    return [...this.#downloads.values()]
  }

  /** Where no service worker is in charge of the page, or iOS needs the whole, resolves when it is whole and handed over. */
  async download(file: TorrentFile): Promise<void> {
    const { name, size, type } = file
    if (bySheet(size)) return handOver(new File([await file.blob()], name, { type }), this.#toast)
    const url = await whole(file)
    if (url) return click(url, name)
    this.#start({ name, size, type, stream: () => file.stream() })
  }

  /** All of a torrent's files, as one .zip; in their folder, so that they do not spill where it is unpacked. */
  async downloadAll(torrent: Torrent): Promise<void> {
    const { files, name } = torrent
    if (files.length === 1) return this.download(files[0]!)
    const folder = isFolder({ name, count: files.length }) ? `${name}/` : ''
    const all = files.map((file) => ({ path: folder + file.path, size: file.size, stream: () => file.stream() }))
    const [archive, type, { size }] = [`${name}.zip`, 'application/zip', zip(all)]
    const made = () => new Response(zip(all).stream, { headers: { 'Content-Type': type } }).blob()
    if (bySheet(size)) return handOver(new File([await made()], archive, { type }), this.#toast)
    // Of many downloads begun at once browsers drop some, and Safari all but one.
    if (await whole(files[0]!)) return click(URL.createObjectURL(await made()), archive)
    this.#start({ name: archive, size, type, stream: () => zip(all).stream })
  }

  /** From the beginning: of one that failed. */
  again({ name, size, type, stream }: Given): void {
    this.#start({ name, size, type, stream })
  }

  #start(what: Pick<Given, 'name' | 'size' | 'type' | 'stream'>): void {
    const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
    const download: Given = { ...what, id, taken: -1, over: new AbortController() }
    this.#downloads.set(id, download)
    // taken is -1 until the browser has asked.
    setTimeout(() => download.taken < 0 && this.#end(download, 'failed'), patience)
    this.#timer ??= setInterval(() => {
      navigator.serviceWorker.controller?.postMessage({ type: 'starling:hello' } satisfies Word)
    }, keepAwake)
    this.emit('change', undefined)
    unguarded(() => click(downloadPath(id, what.name)))
  }

  #give(download: Given, port: MessagePort, lock: string | undefined): void {
    if (download.taken >= 0) return
    download.taken = 0
    const { name, type, size, over: { signal } } = download
    const reader = download.stream().getReader()
    const end = () => {
      port.close()
      void reader.cancel().catch(() => {})
      this.#end(download, download.taken >= size ? 'done' : 'failed')
    }
    // Had only when the service worker is gone, which then asks for nothing more.
    if (lock) navigator.locks.request(lock, { signal }, end).catch(() => {})
    port.onmessage = async ({ data }: MessageEvent<Pull | typeof release>) => {
      if (data === release) return end()
      try {
        const { value } = await reader.read()
        if (!value) throw new Error('There is no more.')
        download.taken += value.length
        // A copy: what is read may be part of a buffer that others use.
        const bytes = value.slice()
        port.postMessage(bytes, [bytes.buffer])
        this.emit('change', undefined)
      } catch (error) {
        port.postMessage(String(error))
      }
    }
    port.postMessage(looking)
    port.postMessage({ name, type, size } satisfies Found)
  }

  #end(download: Given, how: 'done' | 'failed'): void {
    if (!this.#downloads.delete(download.id)) return
    download.over.abort()
    if (!this.#downloads.size) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    this.emit(how, download)
    this.emit('change', undefined)
  }
}

/**
 * The URL of a blob that holds all of it, where no service worker makes downloads. The engine knows whether it has one; and
 * a page whose site's data was cleared keeps it, while where the page goes is nobody's any more.
 */
async function whole(file: TorrentFile): Promise<string | undefined> {
  const url = await file.url()
  if (url.startsWith('blob:')) return url
  const there = await navigator.serviceWorker.getRegistration().catch(() => undefined)
  return there ? undefined : URL.createObjectURL(await file.blob())
}

function click(href: string, download?: string): void {
  const link = Object.assign(document.createElement('a'), { href })
  // With a name, browsers pass the service worker by.
  if (download) link.download = download
  // Its own: the router is not asked.
  link.target = '_self'
  document.body.append(link)
  link.click()
  link.remove()
}
