import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { cpus } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { buildBinary, root } from '../../e2e/harness/build.ts'
import { starling } from '../load.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Line, Row } from '../row.ts'

/** What `starling bench tracker --json` says, as far as it is needed here. */
interface Report {
  problem?: string
  cpuSeconds: number
  messagesOut: { count: number }
  offers: { expected: number; delivered: number }
  answers: { expected: number; delivered: number }
}

const bars = { perNode: 0.7, delivered: 1 }

/** Of each node, one of two as well as one alone: a message costs less where there are more of them. */
const load = { connections: 1000, offers: 3, rate: 4000, seconds: 5 }

const several = process.platform === 'linux' && cpus().length > 1
const on = (cores: string, command: string[]): string[] => (several ? ['taskset', '-c', cores, ...command] : command)

/** Messages out per CPU-second of all nodes together, and the share of offers and answers that came. */
async function measure(nodes: number): Promise<{ perCpuSecond: number; delivered: number }> {
  const ports = await freePorts(nodes)
  const peers = ports.map((port) => `127.0.0.1:${port}`)
  const children: ChildProcess[] = []
  try {
    const hosts = await Promise.all(
      peers.map((address) => {
        const cluster = nodes > 1 ? ['--cluster', address, '--cluster-peers', peers.join()] : []
        const [command, ...args] = on('0', [starling, 'tracker', '--addr', '127.0.0.1:0', '--udp-tracker', 'off', ...cluster])
        // The loopback needs no secret, but traffic between machines is encrypted.
        const env = { ...process.env, STARLING_CLUSTER_SECRET: 'of the bench, with as many characters as it takes' }
        const child = spawn(command!, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'], env })
        children.push(child)
        return announced(child)
      }),
    )
    if (nodes > 1) await Promise.all(hosts.map((host) => joined(host, nodes)))
    // With one seed all generators have the same swarms, so half of those whom an offer goes to are at the other node.
    const flags = { connections: load.connections, rate: load.rate, offers: load.offers, duration: `${load.seconds}s`, seed: 1 }
    const words = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)])
    const reports = await Promise.all(
      hosts.map(async (host, i) => {
        const bench = [starling, 'bench', 'tracker', `ws://${host}/announce`, '--pid', String(children[i]!.pid), '--json', ...words]
        const [program, ...rest] = on(`1-${cpus().length - 1}`, bench)
        const { stdout } = await promisify(execFile)(program!, rest, { cwd: root })
        const report = JSON.parse(stdout) as Report
        if (report.problem) console.error(`  ${nodes} nodes: ${report.problem}`)
        return report
      }),
    )
    const sum = (of: (report: Report) => number) => reports.reduce((all, report) => all + of(report), 0)
    return {
      perCpuSecond: sum((r) => r.messagesOut.count) / sum((r) => r.cpuSeconds),
      delivered: sum((r) => r.offers.delivered + r.answers.delivered) / sum((r) => r.offers.expected + r.answers.expected),
    }
  } finally {
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = once(child, 'exit')
        child.kill('SIGTERM')
        await gone
      }),
    )
  }
}

async function freePorts(n: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: n }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** Where a tracker says that it is. */
function announced(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stderr! }).on('line', (line) => {
      const [, host] = /Starling is at http:\/\/(\S+)/.exec(line) ?? []
      if (host) resolve(host)
    })
    child.once('exit', (code) => reject(new Error(`the tracker ended with ${code}`)))
  })
}

async function joined(host: string, nodes: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if ((await (await fetch(`http://${host}/healthz`)).text()).includes(`${nodes} servers`)) return
    await setTimeout(100)
  }
  throw new Error('the servers did not find each other')
}

/** Two nodes of a cluster, which share the peers of every swarm, against one tracker that has them all. */
export const cluster: Row = async ({ rounds }) => {
  await buildBinary()
  const delivered: number[] = []
  const run = (nodes: number) => async () => {
    const report = await measure(nodes)
    delivered.push(report.delivered)
    return report.perCpuSecond
  }
  const out = await alternate(rounds, { two: run(2), one: run(1) })
  const kept = ratios(out.two, out.one)
  const lines: Line[] = [
    {
      what: 'cluster: messages out per CPU-second of each of two nodes; the other: of one alone',
      ours: span(sample(out.two)),
      theirs: span(sample(out.one)),
      ratio: span(kept),
      bar: `≥ ${bars.perNode}×`,
      reached: kept.median >= bars.perNode,
    },
    {
      what: 'cluster: offers and answers delivered, %',
      ours: (100 * Math.min(...delivered)).toFixed(2),
      theirs: '',
      ratio: '',
      bar: '100',
      reached: Math.min(...delivered) >= bars.delivered,
    },
  ]
  return lines
}
