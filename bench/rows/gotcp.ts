import { join } from 'node:path'
import { root } from '../../e2e/harness/build.ts'
import { figures, goProgram, randomFile } from '../go.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'

const size = 200e6

/** A file over TCP from one Go peer to another in one process, against two sessions of libtorrent in one. In MB/s. */
export const gotcp: Row = async ({ kit, serve, rounds }) => {
  const { origin } = await serve()
  const peer = await goProgram('peer')
  const file = join(await kit.folder(), 'data')
  await randomFile(file, size)
  const rates = await alternate(rounds, {
    starling: async () => size / 1e6 / (await figures(peer, ['tcp', `${origin}/announce`, file]))['transfer']!,
    libtorrent: async () => {
      const mark = kit.mark
      const script = join(root, 'bench/tcp.py')
      const { seconds } = await figures('/usr/bin/python3', [script, file, await kit.folder()])
      await kit.closeTo(mark)
      return size / 1e6 / seconds!
    },
  })
  const ratio = ratios(rates.starling, rates.libtorrent)
  return [
    {
      what: '200 MB Go → Go over TCP, MB/s, against libtorrent 2',
      ours: span(sample(rates.starling)),
      theirs: span(sample(rates.libtorrent)),
      ratio: span(ratio),
      bar: '≥ 0.9',
      reached: ratio.median >= 0.9,
    },
  ]
}
