import { execFile } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
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

/** What a visitor of a site downloads besides its page, and how much that may be: bytes of brotli. */
export const edgeBudgets = [
  { what: 'images', files: /^(edge|carry-.*)\.js\.br$/, most: 20_000 },
  { what: 'images and video, service worker included', files: /^(edge|sw|(carry|media|control)-.*)\.js\.br$/, most: 24_000 },
] as const

/** Bytes of these files together. */
export async function edgeSize(files: RegExp): Promise<number> {
  await buildPages()
  const built = join(root, 'web/built/edge')
  const sizes = (await readdir(built)).filter((name) => files.test(name)).map(async (name) => (await stat(join(built, name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
