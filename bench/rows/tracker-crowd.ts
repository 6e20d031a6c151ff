/** Rows of the tracker with 9,000 connections: memory, one hot swarm, and pauses. */
import { measure, ours, theirs, type Report } from '../load.ts'
import { alternate, ratios, rounded, sample, span } from '../measure.ts'
import type { Line } from '../row.ts'

const connections = 9000
const swarms = 1000
const bars = { idle: 8, hot: 1.3 }

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
  const pauses = reports.map((r) => r.gcPauses!)
  const above = pauses.reduce((n, p) => n + p.above, 0)
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
    {
      what: `tracker: garbage collection with 9,000 busy connections, longest in ms; ${above} of ${pauses.reduce((n, p) => n + p.count, 0)} pauses above 0.92`,
      ours: rounded(Math.max(...pauses.map((p) => p.longestMs))),
      theirs: '',
      ratio: '',
      bar: '≤ 1',
      reached: above === 0,
    },
  ]
}
