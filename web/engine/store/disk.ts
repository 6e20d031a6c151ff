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
  keys(): AsyncIterable<string>
}

/** What files are called here; others may be of a later version. */
const ours = /^([0-9a-f]{40}$|probe-)/
/** Handles open at once: a node may have a thousand torrents, a browser fewer file descriptors. */
const maxHandles = 64
/**
 * Milliseconds without a request after which none is open. Where only one page may hold a file, iOS suspends one in the
 * background at any moment, and what it holds then nobody else can read.
 */
const rest = 1000

/** The files, one request after another. What was written outlives the page; once it was flushed, a power cut as well. */
export class Disk {
  #directory: Directory
  readonly #anew: (() => Promise<Directory>) | undefined
  /** Least recently used first. */
  readonly #handles = new Map<string, SyncHandle>()
  readonly #unflushed = new Set<string>()
  #last: Promise<unknown> = Promise.resolve()
  #resting: ReturnType<typeof setTimeout> | undefined

  /** anew: makes the folder again, where the user cleared the site's data while the page was open. */
  constructor(directory: Directory, anew?: () => Promise<Directory>) {
    this.#directory = directory
    this.#anew = anew
  }

  do(request: Request): Promise<Bytes | File | undefined> {
    clearTimeout(this.#resting)
    const done = this.#last.then(() => this.#perform(request))
    this.#last = done.catch(() => undefined).then(() => this.#rest())
    return done
  }

  #rest(): void {
    clearTimeout(this.#resting)
    if (this.#handles.size) this.#resting = setTimeout(() => void this.do({ op: 'close' }).catch(() => undefined), rest)
  }

  async #perform(request: Request): Promise<Bytes | File | undefined> {
    switch (request.op) {
      case 'write': {
        const handle = await this.#handle(request.file, true)
        this.#unflushed.add(request.file)
        write(handle, request.start, request.data)
        return request.data
      }
      case 'read':
        return read(await this.#handle(request.file), request.start, request.end)
      case 'flush':
        return this.#flush(request.file)
      case 'blob':
        await this.#close(request.file)
        return (await this.#directory.getFileHandle(request.file)).getFile()
      case 'close':
        for (const file of request.file ? [request.file] : [...this.#handles.keys()]) await this.#close(file)
        return
      case 'delete':
        return this.#delete(request.file)
      case 'tidy':
        return this.#tidy(new Set(request.keep), request.before)
      case 'probe':
        return this.#probe()
    }
  }

  async #handle(file: string, create = false): Promise<SyncHandle> {
    const handle = this.#handles.get(file) ?? (await open(await this.#file(file, create)))
    this.#handles.delete(file)
    this.#handles.set(file, handle)
    const [oldest] = this.#handles.keys()
    if (this.#handles.size > maxHandles) await this.#close(oldest!)
    return handle
  }

  async #file(name: string, create: boolean): Promise<SyncFile> {
    try {
      return await this.#directory.getFileHandle(name, { create })
    } catch (error) {
      if (!create || !this.#anew || !named(error, 'NotFoundError')) throw error
      this.#directory = await this.#anew()
      return this.#directory.getFileHandle(name, { create })
    }
  }

  async #flush(file: string): Promise<undefined> {
    if (!this.#unflushed.has(file)) return
    const handle = await this.#handle(file)
    handle.flush()
    this.#unflushed.delete(file)
  }

  async #close(file: string): Promise<void> {
    const handle = this.#handles.get(file)
    this.#handles.delete(file)
    try {
      if (handle && this.#unflushed.delete(file)) handle.flush()
    } catch (error) {
      this.#unflushed.add(file)
      throw error
    } finally {
      handle?.close()
    }
  }

  async #delete(file: string): Promise<undefined> {
    this.#unflushed.delete(file)
    await this.#close(file)
    await this.#directory.removeEntry(file).catch((error: unknown) => {
      if (!named(error, 'NotFoundError')) throw error
    })
  }

  async #tidy(keep: Set<string>, before: number): Promise<undefined> {
    for await (const name of this.#directory.keys()) {
      if (!ours.test(name) || keep.has(name)) continue
      try {
        const { lastModified } = await (await this.#directory.getFileHandle(name)).getFile()
        if (lastModified < before) await this.#directory.removeEntry(name)
      } catch {
        // Another tab has it open.
      }
    }
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
 * know the mode are asked not to. In the others, the tab that ran the engine before may be about to let go; Safari says
 * InvalidStateError of what it holds.
 */
async function open(file: SyncFile): Promise<SyncHandle> {
  for (let attempts = 20; ; attempts--) {
    try {
      return await file.createSyncAccessHandle({ mode: 'readwrite-unsafe' })
    } catch (error) {
      if (!attempts || !(named(error, 'NoModificationAllowedError') || named(error, 'InvalidStateError'))) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}
