/** The measured table, put together from what each row left in bench/results: rows may be measured on different days. */
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { root } from '../e2e/harness/build.ts'
import type { Line } from './row.ts'

const results = join(root, 'bench/results')

interface Result {
  /** What measured it. */
  machine: string
  lines: Line[]
}

export const forgetAll = (): Promise<void> => rm(results, { recursive: true, force: true })

export async function keep(row: string, lines: Line[]): Promise<void> {
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`
  await mkdir(results, { recursive: true })
  await writeFile(join(results, `${row}.json`), JSON.stringify({ machine, lines } satisfies Result, null, 2))
}

/** As Markdown: one table under each title, of the rows that were measured. */
export async function table(groups: Record<string, readonly string[]>): Promise<string> {
  const measured = await readdir(results).catch((): string[] => [])
  const machines = new Set<string>()
  const text: string[] = []
  for (const [title, rows] of Object.entries(groups)) {
    const lines: Line[] = []
    for (const row of rows.filter((row) => measured.includes(`${row}.json`))) {
      const result = JSON.parse(await readFile(join(results, `${row}.json`), 'utf8')) as Result
      machines.add(result.machine)
      lines.push(...result.lines)
    }
    if (!lines.length) continue
    text.push(`| ${title} | Starling | the other | ratio | must reach | reached |`, '|---|---|---|---|---|---|')
    for (const { what, ours, theirs, ratio, bar = '', reached } of lines) {
      text.push(`| ${[what, ours, theirs, ratio, bar, reached ? 'yes' : reached === false ? '**no**' : ''].join(' | ')} |`)
    }
    text.push('')
  }
  return [...text, `Medians (least–greatest), measured by \`make bench\` on ${[...machines].join(' and ')}.`, ''].join('\n')
}

export async function intoReadme(text: string): Promise<void> {
  const path = join(root, 'README.md')
  const readme = await readFile(path, 'utf8')
  const between = /(<!-- bench -->\n)[^]*?(<!-- \/bench -->)/
  if (!between.test(readme)) throw new Error('README.md has no <!-- bench --> … <!-- /bench -->')
  await writeFile(path, readme.replace(between, (_, open: string, close: string) => open + text + close))
}
