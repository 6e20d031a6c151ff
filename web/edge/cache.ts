import { Database, type Bytes } from '../engine/parts.ts'

/** What is kept of one asset. */
interface Entry {
  /** 16 hex digits of its SHA-256. */
  sha: string
  /** Bytes of the whole asset, and of what is kept of it. */
  size: number
  bytes: number
  /** Where stretches begin that are kept; of a whole asset, 0 alone. */
  starts: number[]
  /** Milliseconds since 1970. */
  used: number
}

/** Assets by how their SHA-256 begins, so that it does not matter in which version or torrent they lay. */
export class Cache {
  readonly #limit: number
  readonly #database = new Database('starling-edge', { data: {}, used: { keyPath: 'sha' } })
  readonly #data = this.#database.table('data')
  readonly #used = this.#database.table('used')
  /** Least recently used first. */
  #entries = new Map<string, Entry>()
  #bytes = 0
  readonly ready: Promise<void>

  constructor(limit: number) {
    this.#limit = limit
    this.ready = this.#load().catch(() => {})
  }

  /** Those used last first. */
  get held(): string[] {
    return [...this.#entries.keys()].reverse()
  }

  /** Where stretches begin that are here. */
  starts(sha: string): readonly number[] {
    return this.#entries.get(sha)?.starts ?? []
  }

  /** Bytes of the whole. */
  size(sha: string): number {
    return this.#entries.get(sha)?.size ?? 0
  }

  /** Rejects where it is not there, or cannot be read. */
  async get(sha: string, start: number): Promise<Bytes> {
    const data = await this.#data.read<Bytes | undefined>((table) => table.get([sha, start]))
    if (!data) throw new Error('gone')
    return data
  }

  /** False where there is no room for it, or it cannot be kept. */
  async put(sha: string, size: number, start: number, data: Bytes): Promise<boolean> {
    const entry = this.#entries.get(sha) ?? { sha, size, bytes: 0, starts: [], used: 0 }
    if (entry.bytes + data.length > this.#limit) return false
    if (entry.starts.includes(start)) return true
    entry.bytes += data.length
    entry.starts.push(start)
    this.#bytes += data.length
    try {
      await Promise.all([this.#data.write((table) => void table.put(data, [sha, start])), this.#touch(entry)])
      for (const old of this.#entries.values()) {
        if (this.#bytes <= this.#limit) break
        if (old !== entry) await this.delete(old.sha)
      }
      return true
    } catch {
      await this.delete(sha).catch(() => {})
      return false
    }
  }

  /** It was used just now. */
  use(sha: string): void {
    const entry = this.#entries.get(sha)
    if (entry) this.#touch(entry).catch(() => {})
  }

  async delete(sha: string): Promise<void> {
    const entry = this.#entries.get(sha)
    if (entry) this.#bytes -= entry.bytes
    this.#entries.delete(sha)
    await this.#data.write((table) => void table.delete(IDBKeyRange.bound([sha, 0], [sha, Infinity])))
    await this.#used.write((table) => void table.delete(sha))
  }

  #touch(entry: Entry): Promise<void> {
    entry.used = Date.now()
    this.#entries.delete(entry.sha)
    this.#entries.set(entry.sha, entry)
    return this.#used.write((table) => void table.put(entry))
  }

  async #load(): Promise<void> {
    const entries = await this.#used.read<Entry[]>((table) => table.getAll())
    for (const entry of entries.sort((a, b) => a.used - b.used)) {
      this.#entries.set(entry.sha, entry)
      this.#bytes += entry.bytes
    }
  }
}
