/** Rows of the tracker with 9,000 connections: memory, one hot swarm, and pauses. */
import { measure, ours, theirs, type Report } from '../load.ts'
import { alternate, ratios, rounded, sample, span } from '../measure.ts'
import type { Line } from '../row.ts'

const connections = 9000
const swarms = 1000
const bars = { idle: 8, hot: 1.3, pause: 1 }

/** Rate is in announces per second: half of the tracker's capacity. */
export async function crowd(rounds: number, rate: number): Promise<Line[]> {
  const kB = ({ memory }: Report) => memory.idlePerConnection / 1000
  const idle = await alternate(rounds, {
    ours: async () => kB(await measure(ours, { connections, rate: 0 })),
    theirs: async () => kB(await measure(theirs, { connections, rate: 0 })),
  })
  const load = { connections, rate, duration: '3s', settle: '500ms', metrics: 'http://{host}/metrics' }
  const reports: Report[] = []
  const cost = async (flags: Record<string, number>) => {
    const report = await measure(ours, { ...load, ...flags })
    reports.push(report)
    return 1e6 / report.announces.perCpuSecond
  }
  const each = await alternate(rounds, { hot: () => cost({ hot: 1 }), small: () => cost({ hot: 0, swarms }) })
  const slower = ratios(each.hot, each.small)
  return [
    {
      what: 'tracker: one of 9,000 idle connections, kB',
      ours: span(sample(idle.ours)),
      theirs: span(sample(idle.theirs)),
      ratio: span(ratios(idle.theirs, idle.ours)),
      bar: `≤ ${bars.idle}`,
      reached: sample(idle.ours).median <= bars.idle,
    },
    {
      what: 'tracker: CPU per announce, µs: one swarm of 9,000 (left) against 1,000 of 9',
      ours: span(sample(each.hot)),
      theirs: span(sample(each.small)),
      ratio: span(slower),
      bar: `≤ ${bars.hot}`,
      reached: slower.median <= bars.hot,
    },
    pauses(reports),
  ]
}

/**
 * The longest pause since each tracker's start: while 9,000 connect and announce for the first time, and under load. A
 * thread that the system has put aside in the middle of a pause pauses for as long as somebody else runs, so a run in
 * which others had the tracker's core does not count, whatever its pauses were.
 */
function pauses(reports: Report[]): Line {
  const alone = reports.filter((r) => !r.others?.many)
  const left = reports.length - alone.length
  const out = left ? `; ${left} of ${reports.length} runs left out, as other programs had the core` : ''
  const all = alone.map((r) => r.gcPauses!)
  const sum = (of: (p: (typeof all)[number]) => number) => all.reduce((n, p) => n + of(p), 0)
  const longest = Math.max(...all.map((p) => p.longestMs))
  const count = `${sum((p) => p.of)} collections, ${sum((p) => p.collections)} of them under load`
  return {
    what: `tracker: garbage collection with 9,000 busy connections, longest pause in ms (${count}${out})`,
    ours: all.length ? rounded(longest) : '',
    theirs: '',
    ratio: '',
    bar: `≤ ${bars.pause}`,
    reached: all.length > 0 && longest <= bars.pause,
  }
}
