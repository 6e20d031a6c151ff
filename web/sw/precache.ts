/** The app's own files: all of one version, or none, so that what runs offline fits together. */

const prefix = 'starling-'

export class Precache {
  readonly #name: string
  readonly #files: Map<string, string>

  /** files: [path, revision]. A revision is how the SHA-256 of the file begins, in hex; '' where its name tells. */
  constructor(version: string, files: readonly (readonly [path: string, revision: string])[]) {
    this.#name = prefix + version
    this.#files = new Map(files)
  }

  has(path: string): boolean {
    return this.#files.has(path)
  }

  /** Fails when a single file is not to be had as it was built; the browser then tries again later. */
  async install(): Promise<void> {
    // A version that the server has gone back to is the latest again.
    await caches.delete(this.#name)
    const cache = await caches.open(this.#name)
    try {
      // Each is read as it comes: some that nobody reads yet keep the others from being fetched.
      await Promise.all([...this.#files].map(async ([path, revision]) => cache.put(path, await load(path, revision))))
    } catch (error) {
      await caches.delete(this.#name)
      throw error
    }
  }

  /** Deletes what earlier versions kept, but for the last so many; whether there was any. A later one may be installing. */
  async tidy(keep: number): Promise<boolean> {
    const all = (await caches.keys()).filter((name) => name.startsWith(prefix))
    const old = all.slice(0, Math.max(0, all.indexOf(this.#name)))
    await Promise.all(old.slice(0, Math.max(0, old.length - keep)).map((name) => caches.delete(name)))
    return old.length > 0
  }

  /** The file, or what the network says where the browser threw the cache away. */
  async answer(path: string, request: Request): Promise<Response> {
    const cache = await caches.open(this.#name)
    return (await cache.match(path, { ignoreVary: true })) ?? fetch(request)
  }

  /** A part of another version that a page of it asks for now; the server no longer has it. */
  async answerOld(path: string, request: Request): Promise<Response> {
    return (await caches.match(path, { ignoreVary: true })) ?? fetch(request)
  }
}

/** A file that the server replaced while this version installed must not get in. */
async function load(path: string, revision: string): Promise<Response> {
  const response = await fetch(path, { cache: revision ? 'reload' : 'default' })
  const ok = response.ok && !response.redirected && (!revision || (await digest(response.clone())).startsWith(revision))
  if (!ok) throw new Error(`${path} is not what was built`)
  return response
}

async function digest(response: Response): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await response.arrayBuffer()))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
