/** Go programs of bench/, built once, and what they print: "name value", one to a line. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { root } from '../e2e/harness/build.ts'
import type { Kit } from '../e2e/harness/kit.ts'

const run = promisify(execFile)
const built = new Map<string, Promise<void>>()

/** Builds ./bench/<name> into bin/. */
export async function goProgram(name: string): Promise<string> {
  const path = join(root, 'bin', `bench-${name}`)
  const making = built.get(name) ?? run('go', ['build', '-trimpath', '-o', path, `./bench/${name}`], { cwd: root }).then(() => undefined)
  built.set(name, making)
  await making
  return path
}

/** Runs it to its end; its figures. */
export async function figures(command: string, args: string[]): Promise<Record<string, number>> {
  const { stdout } = await run(command, args, { cwd: root, maxBuffer: 1 << 26 })
  return Object.fromEntries(stdout.trim().split('\n').map((line) => line.split(' ')).map(([name, value]) => [name, Number(value)]))
}

/** Starts it; lines come one by one, and it ends with the kit. */
export function talk(kit: Kit, command: string, args: string[]): { child: ChildProcess; line(): Promise<string>; say(text: string): void } {
  const child = spawn(command, args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  kit.defer(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
  })
  return {
    child,
    async line() {
      const { value, done } = await lines.next()
      if (done) throw new Error(`${command} ended early`)
      return value as string
    },
    say: (text) => void child.stdin.write(text),
  }
}

/** A file of random bytes, which no two runs share. */
export async function randomFile(path: string, size: number): Promise<void> {
  const file = createWriteStream(path)
  for (let left = size; left > 0; left -= 65536) {
    if (!file.write(crypto.getRandomValues(new Uint8Array(Math.min(left, 65536))))) await once(file, 'drain')
  }
  file.end()
  await once(file, 'finish')
}
