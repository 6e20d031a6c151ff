import type { Bytes } from '../bytes.ts'
import { full } from './failure.ts'
import type { Request } from './messages.ts'

/** OPFS as dedicated workers see it; the DOM's types leave it out. */
export interface SyncHandle {
  read(into: Bytes, options: { at: number }): number
  write(data: Bytes, options: { at: number }): number
  flush(): void
  close(): void
}

export interface SyncFile {
  createSyncAccessHandle(options?: { mode: string }): Promise<SyncHandle>
  getFile(): Promise<File>
}

export interface Directory {
  getFileHandle(name: string, options?: { create: boolean }): Promise<SyncFile>
  removeEntry(name: string): Promise<void>
}

interface Waiting {
  resolve: (value?: Bytes | File) => void
  reject: (error: unknown) => void
}

interface Job extends Waiting {
  request: Request
}

/** Handles open at once: a node may have a thousand torrents, a browser fewer file descriptors. */
const maxHandles = 64
/** Jobs done while writes wait for their flush: bounds how long a write waits under a stream of reads. */
const maxUnflushed = 64

/**
 * The files, one job after another. A write is answered when its file was flushed; flushing is dear, so it is put off
 * until no job waits, and one flush answers all writes before it (group commit).
 */
export class Disk {
  readonly #directory: Directory
  /** Least recently used first. */
  readonly #handles = new Map<string, SyncHandle>()
  readonly #unflushed = new Map<string, Waiting[]>()
  readonly #jobs: Job[] = []
  #running = false

  constructor(directory: Directory) {
    this.#directory = directory
  }

  do(request: Request): Promise<Bytes | File | undefined> {
    return new Promise((resolve, reject) => {
      this.#jobs.push({ request, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    for (let done = 0; this.#jobs.length || this.#unflushed.size; ) {
      const job = this.#jobs.shift()
      if (job) await this.#perform(job).catch(job.reject)
      if (!this.#unflushed.size) continue
      // Jobs that came while this one was done wait as events: let them in before it is decided to flush.
      if (!this.#jobs.length) await turn()
      if (this.#jobs.length && ++done < maxUnflushed) continue
      for (const file of [...this.#unflushed.keys()]) this.#flush(file)
      done = 0
    }
    this.#running = false
  }

  async #perform(job: Job): Promise<void> {
    const { request, resolve, reject } = job
    switch (request.op) {
      case 'write': {
        const handle = await this.#handle(request.file, true)
        write(handle, request.start, request.data)
        this.#unflushed.set(request.file, [...(this.#unflushed.get(request.file) ?? []), { resolve, reject }])
        return
      }
      case 'read':
        return resolve(read(await this.#handle(request.file), request.start, request.end))
      case 'blob':
        this.#close(request.file)
        return resolve(await (await this.#directory.getFileHandle(request.file)).getFile())
      case 'close':
        for (const file of request.file ? [request.file] : [...this.#handles.keys()]) this.#close(file)
        return resolve()
      case 'delete':
        return resolve(await this.#delete(request.file))
      case 'probe':
        return resolve(await this.#probe())
    }
  }

  async #handle(file: string, create = false): Promise<SyncHandle> {
    const handle = this.#handles.get(file) ?? (await open(await this.#directory.getFileHandle(file, { create })))
    this.#handles.delete(file)
    this.#handles.set(file, handle)
    const [oldest] = this.#handles.keys()
    if (oldest !== undefined && this.#handles.size > maxHandles) this.#close(oldest)
    return handle
  }

  #flush(file: string): void {
    const writes = this.#unflushed.get(file) ?? []
    this.#unflushed.delete(file)
    try {
      if (writes.length) this.#handles.get(file)?.flush()
      for (const { resolve } of writes) resolve()
    } catch (error) {
      for (const { reject } of writes) reject(error)
    }
  }

  #close(file: string): void {
    this.#flush(file)
    this.#handles.get(file)?.close()
    this.#handles.delete(file)
  }

  async #delete(file: string): Promise<undefined> {
    this.#close(file)
    await this.#directory.removeEntry(file).catch((error: unknown) => {
      if (!named(error, 'NotFoundError')) throw error
    })
  }

  async #probe(): Promise<undefined> {
    const file = `probe-${crypto.randomUUID()}`
    try {
      const handle = await this.#handle(file, true)
      write(handle, 1, Uint8Array.of(42))
      handle.flush()
      if (read(handle, 1, 2)[0] !== 42) throw new Error('what was written is not there')
    } catch (error) {
      // Full, and so it works: what is there already can be read.
      if (!named(error, full)) throw error
    } finally {
      await this.#delete(file)
    }
  }
}

function named(error: unknown, name: string): boolean {
  return (error as Error | undefined)?.name === name
}

function read(handle: SyncHandle, start: number, end: number): Bytes {
  const into = new Uint8Array(end - start)
  if (handle.read(into, { at: start }) !== into.length) throw new Error('the file is shorter than it was')
  return into
}

function write(handle: SyncHandle, start: number, data: Bytes): void {
  if (handle.write(data, { at: start }) !== data.length) throw new DOMException('only a part was written', full)
}

/**
 * Two engines on one origin write the same verified bytes, so they need not keep each other out, and browsers that
 * know the mode are asked not to. In the others, the tab that ran the engine before may be about to let go.
 */
async function open(file: SyncFile): Promise<SyncHandle> {
  for (let attempts = 20; ; attempts--) {
    try {
      return await file.createSyncAccessHandle({ mode: 'readwrite-unsafe' })
    } catch (error) {
      if (!attempts || !named(error, 'NoModificationAllowedError')) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** Resolves after the events that wait already. Not by a timer: those of hidden tabs are slowed. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(0)
  })
}
