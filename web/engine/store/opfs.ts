import type { Bytes } from '../bytes.ts'
import { failure } from './failure.ts'
import { DatabaseRegistry, openDatabase } from './registry.ts'
import type { Answer, Request } from './messages.ts'
import type { Store, Stores } from './store.ts'

/** Milliseconds for which a file that no torrent has is left alone. */
const respite = 86_400_000
/** Milliseconds in which the worker must have started and proved that it works. */
const patience = 10_000

/** One file per torrent in the origin's private file system. Fails where it or the worker does not work. */
export async function opfsStores(database = openDatabase()): Promise<Stores> {
  const registry = new DatabaseRegistry(database.table('torrents'), 'opfs')
  const desk = new Desk()
  /** Opened here; a torrent may not be saved yet. */
  const used = new Set<string>()
  const close = async () => {
    desk.close()
    await database.close()
  }
  try {
    await Promise.all([desk.ask({ op: 'probe' }, [], patience), registry.get('')])
  } catch (error) {
    await close()
    throw error
  }
  return {
    kind: 'opfs',
    registry,
    async open(infoHash, length) {
      used.add(infoHash)
      return new FileStore(desk, infoHash, length)
    },
    destroy: (infoHash) => desk.ask({ op: 'delete', file: infoHash }),
    async tidy() {
      const known = await registry.hashes()
      if (known.length) await desk.ask({ op: 'tidy', keep: [...known, ...used], before: Date.now() - respite })
    },
    async close(frozen) {
      // Where only one may hold a file, the next engine waits for the worker's end.
      if (!frozen) await desk.ask({ op: 'close' }).catch(() => undefined)
      await close()
    },
  }
}

class FileStore implements Store {
  readonly #desk: Desk
  readonly #file: string
  readonly #length: number

  constructor(desk: Desk, file: string, length: number) {
    this.#desk = desk
    this.#file = file
    this.#length = length
  }

  read(start: number, end: number): Promise<Bytes> {
    return this.#desk.ask({ op: 'read', file: this.#file, start, end })
  }

  write(start: number, data: Bytes): Promise<Bytes> {
    const whole = data.length === data.buffer.byteLength ? data : data.slice()
    return this.#desk.ask({ op: 'write', file: this.#file, start, data: whole }, [whole.buffer])
  }

  flush(): Promise<void> {
    return this.#desk.ask({ op: 'flush', file: this.#file })
  }

  async blob(): Promise<Blob | undefined> {
    const file = this.#length ? await this.#desk.ask<Blob>({ op: 'blob', file: this.#file }) : new Blob()
    return file.size === this.#length ? file : undefined
  }

  close(): Promise<void> {
    return this.#desk.ask({ op: 'close', file: this.#file })
  }
}

interface Pending {
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/** The worker, as something that answers. */
class Desk {
  readonly #worker: Worker
  readonly #pending = new Map<number, Pending>()
  #asked = 0
  #closed = false

  constructor() {
    // Of the server that this came from, as all in home.ts; the names keep bundlers from taking the worker into the bundle.
    // Some put there where this lay on the disk of whoever built it.
    const [file, here] = ['/starling-store.js', import.meta.url]
    const { href, origin } = new URL(file, /^https?:/.test(here) ? here : location.href)
    // A worker begins with a script of the page's own origin, which may import any other.
    const own = origin === location.origin
    const script = own ? href : URL.createObjectURL(new Blob([`import ${JSON.stringify(href)}`], { type: 'text/javascript' }))
    this.#worker = new Worker(script, { type: 'module' })
    this.#worker.onmessage = ({ data: { id, value, error } }: MessageEvent<Answer>) => {
      if (!own) URL.revokeObjectURL(script)
      const pending = this.#pending.get(id)
      this.#pending.delete(id)
      if (error) pending?.reject(Object.assign(failure(error), value && { data: value }))
      else pending?.resolve(value as never)
    }
    this.#worker.onerror = (event) => {
      event.preventDefault()
      this.#fail(new Error(event.message || 'its worker does not start'))
    }
  }

  ask<T>(request: Request, transfer: Transferable[] = [], patience?: number): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(failure(new Error('it is closed')))
      const id = this.#asked++
      this.#pending.set(id, { resolve, reject })
      this.#worker.postMessage({ ...request, id }, transfer)
      if (patience) setTimeout(() => this.#pending.has(id) && this.#fail(new Error('it does not answer')), patience)
    })
  }

  close(): void {
    this.#closed = true
    this.#worker.terminate()
    this.#fail(new Error('it was closed'))
  }

  #fail(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(failure(error))
    this.#pending.clear()
  }
}
