import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { buildBinary, buildPages, root } from './build.ts'
import { freePort } from './port.ts'
import { until } from './until.ts'

export interface ServeOptions {
  /** Bring the pages up to date first. False where a test needs the tracker alone. Default true. */
  pages?: boolean
  /** Further flags of `starling serve`. */
  args?: string[]
}

/** The real server, on a free port which it keeps over a restart. */
export class Server {
  #child: ChildProcess | undefined
  #origin = ''
  readonly #args: string[]
  readonly log: string[] = []

  private constructor(args: string[]) {
    this.#args = args
  }

  static async start({ pages = true, args = [] }: ServeOptions = {}): Promise<Server> {
    if (pages) await buildPages()
    await buildBinary()
    const server = new Server(args)
    // One that no browser's sockets get while the server is away.
    await server.#spawn(`127.0.0.1:${await freePort()}`)
    return server
  }

  /** http://localhost:port, without a slash at its end. */
  get origin(): string {
    return this.#origin
  }

  get tracker(): string {
    return this.#origin.replace('http', 'ws') + '/announce'
  }

  /** Waits until so many have all of a torrent, by its tracker's word. */
  async seeders(infoHash: string, count: number): Promise<void> {
    const url = `${this.#origin}/scrape?info_hash=${infoHash.replace(/../g, '%$&')}`
    await until(`the tracker to know ${count} who have it all`, async () => {
      await pause(500) // it answers one address only so often
      const answer = await (await fetch(url)).text()
      return Number(/8:completei(\d+)e/.exec(answer)?.[1] ?? 0) === count
    })
  }

  /** A graceful end: SIGTERM, and wait for it. */
  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  /** As when the machine loses power. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** Runs again, on the same port and knowing nothing of before. */
  async restart(): Promise<void> {
    await this.stop()
    await this.#spawn(`127.0.0.1:${new URL(this.#origin).port}`)
  }

  close(): Promise<void> {
    return this.stop()
  }

  async #spawn(addr: string): Promise<void> {
    const child = spawn(join(root, 'bin/starling'), ['serve', '--addr', addr, ...this.#args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    const killed = () => child.kill('SIGKILL')
    process.once('exit', killed)
    child.once('exit', () => process.off('exit', killed))
    const ready = new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          this.log.push(line)
          const origin = /Starling is at (https?:\/\/[^\s/"]+)/.exec(line)?.[1]
          if (origin) resolve(origin)
        })
      }
      child.once('error', reject)
      child.once('exit', (code) => reject(new Error(`starling serve ended with ${code}:\n${this.log.join('\n')}`)))
    })
    this.#origin = await ready
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
}
