import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { buildBinary, root } from '../../e2e/harness/build.ts'
import { figures, goProgram } from '../go.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'

const bar = 0.7
const coturn = '/usr/bin/turnserver'

/** What a CPU-second carries through TURN by UDP, in datagrams of 1,200 bytes, against coturn. Both check credentials. */
export const relay: Row = async ({ kit, rounds }) => {
  await access(coturn).catch(() => {
    throw new Error('the relay is measured against coturn, which is not here: sudo apt-get install coturn')
  })
  await buildBinary()
  const load = await goProgram('relay')
  const folder = await kit.folder()
  const measure = async (...command: string[]) => (await figures(load, command))['kB/CPU-s']!

  const rates = await alternate(rounds, {
    ours: () =>
      // The peer is on this machine. Rates are metered, but bound nothing.
      measure(join(root, 'bin/starling'), 'serve', '--addr', '127.0.0.1:{port}', '--relay-secret', '{secret}', '--relay-private',
        '--relay-rate', '1000000000', '--relay-total-rate', '1000000000', '--log-level', 'error'),
    theirs: () =>
      measure(coturn, '-n', '--listening-ip', '127.0.0.1', '--relay-ip', '127.0.0.1', '--listening-port', '{port}', '--realm', 'bench',
        '--use-auth-secret', '--static-auth-secret', '{secret}', '--allow-loopback-peers', '--no-tls', '--no-dtls', '--no-cli',
        '--db', join(folder, 'coturn.db'), '--pidfile', join(folder, 'coturn.pid'), '--log-file', '/dev/null', '--no-stdout-log'),
  })
  const ratio = ratios(rates.ours, rates.theirs)
  return [
    {
      what: 'relay: kB through TURN per CPU-second, against coturn',
      ours: span(sample(rates.ours)),
      theirs: span(sample(rates.theirs)),
      ratio: span(ratio),
      bar: `≥ ${bar}`,
      reached: ratio.median >= bar,
    },
  ]
}
