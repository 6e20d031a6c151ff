/** Rows of the tracker by UDP, against opentracker, and by HTTP, against bittorrent-tracker. */
import { access, chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../../e2e/harness/build.ts'
import type { Kit } from '../../e2e/harness/kit.ts'
import { freePort, measure, starling, worth, type Flags, type Subject } from '../load.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Line } from '../row.ts'

const opentracker = '/usr/bin/opentracker'
const bar = 1
const seed = 7
/** Infohashes that there are with 1,000 connections, and some more. */
const swarms = 100
/**
 * Of what a core can do with the slower of both, by a gentle run, where the price is taken: an announce costs less among
 * many. By UDP opentracker, which has a small socket buffer, loses some above it, and one core is too little to make them.
 */
const busy = { udp: 0.5, http: 0.9 }

export async function bittorrent(kit: Kit, rounds: number): Promise<Line[]> {
  await access(opentracker).catch(() => {
    throw new Error('the tracker is measured against opentracker, which is not here: sudo apt-get install opentracker')
  })
  const udp = await price({ connections: 1000, settle: '300ms', duration: '4s', seed }, 20_000, busy.udp, rounds, await udpTrackers(kit))
  const http = await price({ connections: 500, settle: '300ms', duration: '2s' }, 1500, busy.http, Math.min(rounds, 3), {
    ours: { scheme: 'http', command: [starling, 'tracker', '--addr', '127.0.0.1:0', '--udp-tracker', 'off'] },
    theirs: { scheme: 'http', command: [process.execPath, join(root, 'bench/tracker.mjs'), 'http'] },
  })
  const faster = ratios(udp.ours, udp.theirs)
  return [
    {
      what: 'tracker: announces by UDP per CPU-second, against opentracker',
      ours: span(sample(udp.ours)),
      theirs: span(sample(udp.theirs)),
      ratio: span(faster),
      bar: `≥ ${bar}`,
      reached: faster.median >= bar,
    },
    {
      what: 'tracker: announces by HTTP per CPU-second',
      ours: span(sample(http.ours)),
      theirs: span(sample(http.theirs)),
      ratio: span(ratios(http.ours, http.theirs)),
    },
  ]
}

/** Announces per CPU-second of two trackers, both under the same load. */
async function price(flags: Flags, gentle: number, share: number, rounds: number, of: Record<'ours' | 'theirs', Subject>) {
  const rate = Math.round(share * Math.min(await worth(of.ours, flags, gentle), await worth(of.theirs, flags, gentle)))
  const ask = async (which: 'ours' | 'theirs') => (await measure(of[which], { ...flags, rate })).announces.perCpuSecond
  return await alternate(rounds, { ours: () => ask('ours'), theirs: () => ask('theirs') })
}

/** Debian's opentracker serves only torrents that it was told; so ours has the same list. It reads it as another user. */
async function udpTrackers(kit: Kit): Promise<Record<'ours' | 'theirs', Subject>> {
  const folder = await kit.folder()
  await chmod(folder, 0o755)
  const port = { ours: await freePort(), theirs: await freePort() }
  const list = join(folder, 'list')
  const config = join(folder, 'config')
  const infohash = (i: number) => Buffer.from(seed.toString(16).padStart(8, '0') + String(i).padStart(12, '0')).toString('hex')
  await writeFile(list, Array.from({ length: swarms }, (_, i) => infohash(i).toUpperCase() + '\n').join(''))
  // A thread that does nothing but UDP is its faster way; it is for those sockets alone that are named after it.
  const listen = ['listen.udp.workers 1', `listen.udp 127.0.0.1:${port.theirs}`, `listen.tcp 127.0.0.1:${port.theirs}`]
  await writeFile(config, [...listen, `access.whitelist ${list}`, ''].join('\n'))
  const address = `127.0.0.1:${port.ours}`
  return {
    ours: { scheme: 'udp', port: port.ours, command: [starling, 'tracker', '--addr', address, '--udp-tracker', address, '--allow-list', list] },
    theirs: { scheme: 'udp', port: port.theirs, command: [opentracker, '-f', config] },
  }
}
