import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { root } from '../../e2e/harness/build.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'

/** MB/s that a benchmark of the package link says. */
async function benchmark(name: string): Promise<number> {
  const { stdout } = await promisify(execFile)('go', ['test', '-run', '^$', '-bench', `^${name}$`, '-benchtime', '2s', './link'], { cwd: root })
  const [, rate] = /([\d.]+) MB\/s/.exec(stdout) ?? []
  if (!rate) throw new Error(`go test said no rate of ${name}: ${stdout}`)
  return Number(rate)
}

/** Messages of 64 KiB from one end of a link to the other, both in one process, against a channel of pion as it comes. */
export const golink: Row = async ({ rounds }) => {
  const rates = await alternate(rounds, { ours: () => benchmark('BenchmarkLink'), theirs: () => benchmark('BenchmarkPion') })
  const ratio = ratios(rates.ours, rates.theirs)
  return [
    {
      what: 'Go → Go over a link, MB/s, against raw pion → pion, 64 KiB messages',
      ours: span(sample(rates.ours)),
      theirs: span(sample(rates.theirs)),
      ratio: span(ratio),
      bar: '≥ 0.8',
      reached: ratio.median >= 0.8,
    },
  ]
}
