import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { until } from './until.ts'

/** A program that runs beside the test, and what it has printed. */
export class Program {
  readonly lines: string[] = []
  readonly name: string
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>

  constructor(command: string, args: string[], { cwd, env }: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
    this.name = command.split('/').at(-1) ?? command
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const killed = () => child.kill('SIGKILL')
    process.once('exit', killed)
    child.once('error', (error) => this.lines.push(error.message))
    this.#gone = once(child, 'close').finally(() => process.off('exit', killed)).catch(() => undefined)
    for (const stream of [child.stdout, child.stderr]) {
      // Some rewrite one line for ever, with carriage returns.
      createInterface({ input: stream, crlfDelay: Infinity }).on('line', (line) => this.lines.push(line))
    }
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Waits for a line that matches, and fails with all that was printed when the program ends before. */
  async prints(pattern: RegExp, options?: { within?: number }): Promise<RegExpExecArray> {
    let match: RegExpExecArray | null = null
    const seen = () => this.lines.some((line) => (match = pattern.exec(line)))
    await until(`${this.name} to print ${pattern}`, () => seen() || !this.running, options).catch((error: unknown) => {
      throw new Error(`${error instanceof Error ? error.message : String(error)}; it printed:\n${this.lines.slice(-20).join('\n')}`)
    })
    if (!this.running) await this.#gone
    if (!match && !seen()) throw new Error(`${this.name} ended without ${pattern}:\n${this.lines.join('\n')}`)
    return match!
  }

  /** Waits for the end; the exit code. */
  async ended(): Promise<number | null> {
    await this.#gone
    return this.#child.exitCode
  }

  async close(): Promise<void> {
    if (this.running) this.#child.kill('SIGTERM')
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 5_000)
    await this.#gone
    clearTimeout(late)
  }
}

/** A folder of one's own. */
export class Folder {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async make(): Promise<Folder> {
    return new Folder(await mkdtemp(join(tmpdir(), 'starling-')))
  }

  close(): Promise<void> {
    return rm(this.path, { recursive: true, force: true })
  }
}
