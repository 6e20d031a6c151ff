import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Runs one command of the build; a lock keeps test processes from building over one another. */
async function run(...command: string[]): Promise<void> {
  try {
    await promisify(execFile)('flock', ['Makefile', ...command], { cwd: root })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${command.join(' ')} failed:\n${stdout ?? ''}${stderr ?? ''}`, { cause: error })
  }
}

let pages: Promise<void> | undefined
let binary: Promise<void> | undefined

/** Brings web/built up to date; make knows whether there is anything to do. The installed packages are left alone. */
export function buildPages(): Promise<void> {
  return (pages ??= run('make', '-s', '-o', 'node_modules/.installed', 'web/built/index.html'))
}

/** Brings bin/starling up to date with the Go sources and with web/built as it is. */
export function buildBinary(): Promise<void> {
  return (binary ??= run('make', '-s', 'binary'))
}
