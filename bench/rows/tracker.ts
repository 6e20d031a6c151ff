import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { buildBinary, root } from '../../e2e/harness/build.ts'
import { alternate, ratios, rounded, sample, span } from '../measure.ts'
import type { Line, Row } from '../row.ts'

/** What `starling bench tracker --json` says, as far as it is needed here. */
interface Report {
  problem?: string
  announces: { perCpuSecond: number; p99: number }
  messagesOut: { perCpuSecond: number }
  offers: { ratio: number }
  answers: { ratio: number }
  lateness: { p99: number }
  memory: { idlePerConnection: number }
}

const bars = { ratio: 6, delivered: 1, p99: 5, idle: 8 }
const starling = join(root, 'bin/starling')

/** Announces per second of 1,000 peers: for each tracker what it can just do on one core. */
const load = { connections: 1000, offers: 3, seconds: 5, ours: 4000, theirs: 1500 }
const idlers = 9000

// Where there are two cores the tracker has one of its own, and what loads it the other ones.
const several = process.platform === 'linux' && cpus().length > 1
const on = (core: string, command: string[]): string[] => (several ? ['taskset', '-c', core, ...command] : command)

const trackers = {
  ours: [starling, 'tracker', '--addr', '127.0.0.1:0', '--udp-tracker', 'off'],
  theirs: [process.execPath, join(root, 'bench/tracker.mjs')],
}
type Which = keyof typeof trackers

/** A new tracker for each measurement, so that none has the memory of another one. */
async function measure(which: Which, ...flags: (string | number)[]): Promise<Report> {
  const [command, ...args] = on('0', trackers[which])
  const child = spawn(command!, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  try {
    const url = await Promise.race([announced(child.stdout), announced(child.stderr), ended(child)])
    const [bench, ...words] = on(`1-${cpus().length - 1}`, [starling, 'bench', 'tracker', url, '--pid', String(child.pid), '--json', ...flags.map(String)])
    const { stdout } = await promisify(execFile)(bench!, words, { cwd: root })
    const report = JSON.parse(stdout) as Report
    if (report.problem) console.error(`  ${which}: ${report.problem}`)
    return report
  } finally {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
  }
}

/** Where a tracker says that it is: the first URL it prints. It may go on printing. */
function announced(output: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    createInterface({ input: output }).on('line', (line) => {
      const [, origin] = /(?:http|ws)(:\/\/\S+:\d+)/.exec(line) ?? []
      if (origin) resolve(`ws${origin}/announce`)
    })
  })
}

async function ended(child: ChildProcess): Promise<never> {
  const [code] = (await once(child, 'exit')) as [number | null]
  throw new Error(`the tracker ended with ${code}`)
}

const busy = (which: Which, rate: number) =>
  measure(which, '--connections', load.connections, '--offers', load.offers, '--rate', rate, '--duration', `${load.seconds}s`)

/** The tracker against bittorrent-tracker, each on one core, under the load of `starling bench tracker`. */
export const tracker: Row = async ({ rounds }) => {
  await buildBinary()
  const reports: Report[] = []
  const out = await alternate(rounds, {
    ours: async () => {
      const report = await busy('ours', load.ours)
      reports.push(report)
      return report.messagesOut.perCpuSecond
    },
    theirs: async () => (await busy('theirs', load.theirs)).messagesOut.perCpuSecond,
  })
  const faster = ratios(out.ours, out.theirs)

  // Half of what a whole core could answer.
  const half = sample(reports.map((r) => r.announces.perCpuSecond)).median / 2
  const halves: Report[] = []
  const idle = await alternate(rounds, {
    ours: async () => {
      halves.push(await busy('ours', Math.round(half)))
      return (await measure('ours', '--connections', idlers, '--rate', 0)).memory.idlePerConnection / 1000
    },
    theirs: async () => (await measure('theirs', '--connections', idlers, '--rate', 0)).memory.idlePerConnection / 1000,
  })
  const all = [...reports, ...halves]
  const delivered = Math.min(...all.flatMap((r) => [r.offers.ratio, r.answers.ratio]))
  const p99 = sample(halves.map((r) => r.announces.p99))
  const late = sample(halves.map((r) => r.lateness.p99))
  const lines: Line[] = [
    {
      what: 'tracker: messages out per CPU-second, 1,000 peers',
      ours: span(sample(out.ours)),
      theirs: span(sample(out.theirs)),
      ratio: span(faster),
      bar: `≥ ${bars.ratio}×`,
      reached: faster.median >= bars.ratio,
    },
    {
      what: 'tracker: offers and answers delivered, %',
      ours: (100 * delivered).toFixed(2),
      theirs: '',
      ratio: '',
      bar: '100',
      reached: delivered >= bars.delivered,
    },
    {
      what: `tracker: p99 of an announce at half capacity (${rounded(half)}/s), ms; ${rounded(late.median)} of it the bench's own`,
      ours: span(p99),
      theirs: '',
      ratio: '',
      bar: `≤ ${bars.p99}`,
      reached: p99.median <= bars.p99,
    },
    {
      what: 'tracker: one of 9,000 idle connections, kB',
      ours: span(sample(idle.ours)),
      theirs: span(sample(idle.theirs)),
      ratio: span(ratios(idle.theirs, idle.ours)),
      bar: `≤ ${bars.idle}`,
      reached: sample(idle.ours).median <= bars.idle,
    },
  ]
  return lines
}
