/**
 * The measured table: `node bench/run.mjs [row …] [--rounds n] [--readme]`.
 *
 * Each row measures Starling against something else in the same run, turn by turn, so that what else the machine does
 * befalls both alike; figures are medians with their least and greatest. What each measured is kept in bench/results, and
 * the table, of all that is there, printed, with --readme between the markers in README.md too. Rows that are named leave
 * the others as they were; --rounds 0 measures nothing. Exit code 1: a bar was not reached.
 */
import { parseArgs } from 'node:util'
import { Kit } from '../e2e/harness/kit.ts'
import type { Server } from '../e2e/harness/server.ts'
import type { Row } from './row.ts'
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
import { forgetAll, intoReadme, keep, table } from './table.ts'

/** Under the titles of their tables. */
const groups: Record<string, Record<string, Row>> = {
  'Between browsers': { transfer, far, metadata, memos, heap },
  'The page': { size, lighthouse: lighthouseRow },
  'The server': { idle, tracker, cluster, relay },
  Machines: { gopeer, firstbyte, golink, gotcp, fleet, many },
  'Visitors carry a site': { edge, edgecrowd: edgeCrowd, edgefold: edgeFold, edgerush: edgeRush, edgefilm: edgeFilm },
}
const rows: Record<string, Row> = Object.assign({}, ...Object.values(groups))

export async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { rounds: { type: 'string', default: '5' }, readme: { type: 'boolean', default: false } },
  })
  const unknown = positionals.filter((name) => !rows[name])
  const rounds = Number(values.rounds)
  if (unknown.length || !(rounds >= 0)) {
    console.error(`usage: node bench/run.mjs [${Object.keys(rows).join('] [')}] [--rounds n] [--readme]`)
    return 2
  }

  const kit = new Kit()
  let reached = true
  try {
    let server: Promise<Server> | undefined
    const serve = () => (server ??= kit.serve())
    if (rounds && !positionals.length) await forgetAll()
    for (const [name, row] of Object.entries(rows)) {
      if (!rounds || (positionals.length && !positionals.includes(name))) continue
      console.error(name)
      const lines = await row({ kit, serve, rounds })
      await keep(name, lines)
      reached &&= lines.every((line) => line.reached !== false)
    }
  } finally {
    await kit.close()
  }

  const text = await table(Object.fromEntries(Object.entries(groups).map(([title, of]) => [title, Object.keys(of)])))
  console.log(text)
  if (values.readme) await intoReadme(text)
  return reached ? 0 : 1
}
