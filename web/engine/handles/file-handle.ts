import type { Bytes } from '../bytes.ts'
import type { Engine } from '../engine.ts'
import { removed, unreadable } from '../errors.ts'
import { shownType } from '../stream/protocol.ts'
import type { RangeSource } from '../stream/source.ts'
import { readable } from '../stream/stream.ts'
import { fileURL } from '../stream/url.ts'
import type { FileState } from '../types.ts'

/** Does work with the engine of the moment, wherever it runs. */
export type EngineCall = <T>(work: (engine: Engine) => Promise<T>) => Promise<T>

/** Which bytes of a file: all, where nothing is said. */
export interface StreamOptions {
  /** First byte. Default 0. */
  start?: number
  /** Last byte, included, as in WebTorrent and in HTTP ranges. Default: the file's last. */
  end?: number
}

/** Reads of one file by way of whichever engine there is. */
export function ranges(call: EngineCall, infoHash: string, file: number): Pick<RangeSource, 'read' | 'release'> {
  return {
    read: (start, end, reader) => call((engine) => engine.read(infoHash, file, start, end, reader)),
    release: (reader) => void call(async (engine) => engine.release(infoHash, reader)).catch(() => {}),
  }
}

/** For the torrent that was removed: lets go of what url() made. */
export let revoke: (file: TorrentFile) => void
/** For the service worker. */
export let source: (file: TorrentFile) => RangeSource

/** One file of a torrent. Whatever reads it waits for the bytes it needs, which are fetched before others. */
export class TorrentFile {
  static {
    source = (file) => {
      const { name, type, size } = file
      return { name, type, size, ...ranges(file.#call, file.#infoHash, file.#index) }
    }
    revoke = (file) => {
      file.#revoked = true
      void file.#url?.then((url) => URL.revokeObjectURL(url)).catch(() => {})
      file.#url = undefined
    }
  }

  readonly #infoHash: string
  readonly #index: number
  readonly #known: () => FileState
  readonly #call: EngineCall
  #url: Promise<string> | undefined
  #revoked = false

  constructor(infoHash: string, index: number, known: () => FileState, call: EngineCall) {
    this.#infoHash = infoHash
    this.#index = index
    this.#known = known
    this.#call = call
  }

  /** Written by a stranger, as is path: show it as text only. */
  get name(): string {
    return this.#known().name
  }
  get path(): string {
    return this.#known().path
  }
  /** Bytes. */
  get size(): number {
    return this.#known().size
  }
  /** MIME type. */
  get type(): string {
    return this.#known().type
  }
  /** 0 to 1: the share that is here and verified. */
  get progress(): number {
    return this.#known().progress
  }

  /** The whole file, from disk where it lies there; waits until it is complete. */
  blob(): Promise<Blob> {
    return this.#call((engine) => engine.blob(this.#infoHash, this.#index))
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.blob()).arrayBuffer().catch(gone)
  }

  async text(): Promise<string> {
    return (await this.blob()).text().catch(gone)
  }

  /** The bytes in order, read no faster than they are taken. Cancel it when you need no more. */
  stream(options?: StreamOptions): ReadableStream<Bytes> {
    const { start, end = this.size - 1 } = options ?? {}
    return readable(source(this), { start, end: end + 1 })
  }

  /**
   * For <audio>, <video> and <img>. Where the page has Starling's service worker it works at once, with seeking, before the
   * data is complete; elsewhere it resolves when the file is complete. Void once the torrent is removed. For <a download>
   * make one of blob(): there Chromium asks no service worker.
   */
  url(): Promise<string> {
    this.#url ??= this.#makeURL()
    this.#url.catch(() => (this.#url = undefined))
    return this.#url
  }

  async #makeURL(): Promise<string> {
    const ranged = await fileURL(this.#infoHash, this.#index, this.name)
    const url = ranged ?? URL.createObjectURL(harmless(await this.blob()))
    if (!this.#revoked) return url
    URL.revokeObjectURL(url)
    throw removed()
  }
}

/** The page's own file, on disk. */
const gone = (cause: unknown): never => {
  throw unreadable(cause)
}

/** Opened in a tab it is a page of this origin's, and its bytes are a stranger's. */
function harmless(blob: Blob): Blob {
  return blob.slice(0, blob.size, shownType(blob.type) ?? 'application/octet-stream')
}
