import { buildBinary } from '../../e2e/harness/build.ts'
import { capacity, measure, ours, theirs, unlessLate, worth, type Report, type Subject } from '../load.ts'
import { alternate, ratios, rounded, sample, span } from '../measure.ts'
import type { Line, Row } from '../row.ts'
import { bittorrent } from './tracker-bittorrent.ts'
import { crowd } from './tracker-crowd.ts'

const bars = { ratio: 6, p99: 5 }
const peers = { connections: 1000, offers: 3, settle: '300ms' }
/** Of what a tracker can do: where messages per CPU-second are counted. */
const busy = 0.8

/** The tracker against others, each on one core, under the load of `starling bench tracker`. */
export const tracker: Row = async ({ kit, rounds }) => {
  await buildBinary()
  const lines: Line[] = []
  let half = 5000
  lines.push(
    ...(await unlessLate('tracker, by WebSocket', async () => {
      const able = await capacity(ours, peers, 0.9 * (await worth(ours, peers, 1500)))
      half = Math.round(able / 2)
      return await sockets(rounds, able)
    })),
  )
  lines.push(...(await unlessLate('tracker, 9,000 connections', () => crowd(Math.min(rounds, 3), half))))
  lines.push(...(await unlessLate('tracker, by UDP and HTTP', () => bittorrent(kit, rounds))))
  return lines
}

async function sockets(rounds: number, able: number): Promise<Line[]> {
  const reports: Report[] = []
  const ask = async (subject: Subject, rate: number) => {
    const report = await measure(subject, { ...peers, rate: Math.round(rate), duration: '3s' })
    if (subject === ours) reports.push(report)
    return report
  }
  const others = busy * (await worth(theirs, peers, 500))
  const out = await alternate(rounds, {
    ours: async () => (await ask(ours, busy * able)).messagesOut.perCpuSecond,
    theirs: async () => (await ask(theirs, others)).messagesOut.perCpuSecond,
  })
  const halves: number[] = []
  for (let i = 0; i < rounds; i++) halves.push((await ask(ours, able / 2)).announces.p99)
  const faster = ratios(out.ours, out.theirs)
  const delivered = Math.min(...reports.flatMap((r) => [r.offers.ratio, r.answers.ratio, r.announces.count / r.announces.sent]))
  return [
    {
      what: 'tracker: messages out per CPU-second, 1,000 connections',
      ours: span(sample(out.ours)),
      theirs: span(sample(out.theirs)),
      ratio: span(faster),
      bar: `≥ ${bars.ratio}`,
      reached: faster.median >= bars.ratio,
    },
    {
      what: `tracker: replies, offers and answers delivered below capacity (${rounded(able)} announces/s), %`,
      ours: (100 * delivered).toFixed(2),
      theirs: '',
      ratio: '',
      bar: '100',
      reached: delivered >= 1,
    },
    {
      what: 'tracker: p99 of an announce at half capacity, ms',
      ours: span(sample(halves)),
      theirs: '',
      ratio: '',
      bar: `≤ ${bars.p99}`,
      reached: sample(halves).median <= bars.p99,
    },
  ]
}
