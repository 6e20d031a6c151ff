import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { root } from '../../e2e/harness/build.ts'
import { sample } from '../measure.ts'
import type { Row } from '../row.ts'

const bar = 12

/** What the server keeps for a socket that announced once and now waits, as its own benchmark measures. In kB. */
export const idle: Row = async ({ rounds }) => {
  const args = ['test', './tracker/ws', '-run', '^$', '-bench', 'Idle', '-benchtime', '1x', '-count', String(rounds)]
  const { stdout } = await promisify(execFile)('go', args, { cwd: root })
  const values = [...stdout.matchAll(/([\d.]+) B\/conn/g)].map(([, bytes]) => Number(bytes) / 1000)
  if (!values.length) throw new Error(`no B/conn in:\n${stdout}`)
  const { median, min, max } = sample(values)
  return [
    {
      what: 'one idle tracker connection, kB',
      ours: `${median.toFixed(1)} (${min.toFixed(1)}–${max.toFixed(1)})`,
      theirs: '',
      ratio: '',
      bar: `≤ ${bar}`,
      reached: median <= bar,
    },
  ]
}
