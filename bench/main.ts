/**
 * The measured table: `node bench/run.mjs [row …] [--rounds n] [--readme]`.
 *
 * Each row measures Starling against something else in the same run, turn by turn, so that what else the machine does
 * befalls both alike; figures are medians with their least and greatest. The table goes to bench/results as Markdown and
 * JSON, and with --readme between the markers in README.md. Exit code 1: a bar was not reached.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root } from '../e2e/harness/build.ts'
import { Kit } from '../e2e/harness/kit.ts'
import type { Server } from '../e2e/harness/server.ts'
import type { Line, Row } from './row.ts'
import { cluster } from './rows/cluster.ts'
import { edge } from './rows/edge.ts'
import { edgeCrowd } from './rows/edge-crowd.ts'
import { edgeFilm } from './rows/edge-film.ts'
import { edgeFold } from './rows/edge-fold.ts'
import { edgeRush } from './rows/edge-rush.ts'
import { far } from './rows/far.ts'
import { fleet } from './rows/fleet.ts'
import { firstbyte, gopeer } from './rows/gopeer.ts'
import { golink } from './rows/golink.ts'
import { gotcp } from './rows/gotcp.ts'
import { heap } from './rows/heap.ts'
import { idle } from './rows/idle.ts'
import { lighthouseRow } from './rows/lighthouse.ts'
import { many } from './rows/many.ts'
import { memos } from './rows/memos.ts'
import { metadata } from './rows/metadata.ts'
import { relay } from './rows/relay.ts'
import { size } from './rows/size.ts'
import { tracker } from './rows/tracker.ts'
import { transfer } from './rows/transfer.ts'

const rows: Record<string, Row> = { transfer, far, metadata, memos, heap, size, idle, lighthouse: lighthouseRow, tracker, cluster, gopeer, firstbyte, golink, gotcp, fleet, many, edge, edgecrowd: edgeCrowd, edgefold: edgeFold, edgerush: edgeRush, edgefilm: edgeFilm, relay }

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '5' }, readme: { type: 'boolean', default: false } },
  })
  const unknown = positionals.filter((name) => !rows[name])
  const rounds = Number(values.rounds)
  if (unknown.length || !(rounds >= 1)) {
    console.error(`usage: node bench/run.mjs [${Object.keys(rows).join('] [')}] [--rounds n] [--readme]`)
    return 2
  }

  const kit = new Kit()
  const lines: Line[] = []
  try {
    let server: Promise<Server> | undefined
    const serve = () => (server ??= kit.serve())
    for (const [name, row] of Object.entries(rows)) {
      if (positionals.length && !positionals.includes(name)) continue
      console.error(name)
      lines.push(...(await row({ kit, serve, rounds })))
    }
  } finally {
    await kit.close()
  }

  const text = table(lines)
  console.log(text)
  const results = join(root, 'bench/results')
  await mkdir(results, { recursive: true })
  await writeFile(join(results, 'table.md'), text)
  await writeFile(join(results, 'table.json'), JSON.stringify(lines, null, 2))
  if (values.readme) await intoReadme(text)
  return lines.every(({ reached }) => reached !== false) ? 0 : 1
}

function table(lines: Line[]): string {
  const cells = lines.map(({ what, ours, theirs, ratio, bar = '', reached }) =>
    `| ${[what, ours, theirs, ratio, bar, reached ? 'yes' : reached === false ? '**no**' : ''].join(' | ')} |`,
  )
  const [cpu] = cpus()
  return [
    '| what | Starling | the other | ratio | must reach | reached |',
    '|---|---|---|---|---|---|',
    ...cells,
    '',
    `Medians (least–greatest), measured by \`make bench\` on ${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}.`,
    '',
  ].join('\n')
}

async function intoReadme(text: string): Promise<void> {
  const path = join(root, 'README.md')
  const readme = await readFile(path, 'utf8')
  const between = /(<!-- bench -->\n)[^]*?(<!-- \/bench -->)/
  if (!between.test(readme)) throw new Error('README.md has no <!-- bench --> … <!-- /bench -->')
  await writeFile(path, readme.replace(between, (_, open: string, close: string) => open + text + close))
}
