/**
 * Trackers under the load of `starling bench tracker`, each on a core of its own where there are several.
 *
 * The load is open-loop, so a round in which the generator itself was late tells nothing: it is done again, and after a
 * few times that is what is said, in place of a figure.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { root } from '../e2e/harness/build.ts'
import type { Line } from './row.ts'

export const starling = join(root, 'bin/starling')

/** What `starling bench tracker --json` says, as far as it is needed here. */
export interface Report {
  problem?: string
  announces: { sent: number; unsent: number; failed: number; count: number; perCpuSecond: number; p99: number }
  messagesOut: { perCpuSecond: number }
  offers: { ratio: number }
  answers: { ratio: number; unsent: number }
  own: { late: boolean }
  memory: { idlePerConnection: number; busyPerConnection: number }
  /** Others on the tracker's core, and whether they are too many for what is longest to mean anything. */
  others?: { share: number; many: boolean }
  gcPauses?: { collections: number; longestMs: number; of: number; meanMs: number }
}

/** A tracker to be started: its command, and its announce URL where that is known before it says it. */
export interface Subject {
  command: string[]
  scheme: 'ws' | 'http' | 'udp'
  /** Of a tracker that does not tell where it is: it is there when this port takes TCP. */
  port?: number
  /** More for the generator. */
  flags?: string[]
}

/** Both by WebSocket. */
export const ours: Subject = { scheme: 'ws', command: [starling, 'tracker', '--addr', '127.0.0.1:0', '--udp-tracker', 'off'] }
export const theirs: Subject = { scheme: 'ws', command: [process.execPath, join(root, 'bench/tracker.mjs')] }

export type Flags = Record<string, string | number>

const tries = 4
const startup = 10_000

export class Late extends Error {}

const several = process.platform === 'linux' && cpus().length > 1
const on = (cores: string, command: string[]): string[] => (several ? ['taskset', '-c', cores, ...command] : command)

/** A new tracker for each measurement, so that none has the memory of another one. */
export async function measure(subject: Subject, flags: Flags, again = tries): Promise<Report> {
  for (let i = 0; i < again; i++) {
    const report = await one(subject, flags)
    if (!report.own.late) return report
    console.error('  the generator was late: once more')
  }
  throw new Late(`in ${again} tries the generator itself was late: other programs keep the processors busy`)
}

async function one(subject: Subject, flags: Flags): Promise<Report> {
  const [command, ...args] = on('0', subject.command)
  const child = spawn(command!, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  try {
    const found = subject.port === undefined ? Promise.race([announced(child.stdout), announced(child.stderr)]) : listening(subject.port)
    child.stdout.resume()
    child.stderr.on('data', (data: Buffer) => (said = (said + data).slice(-1000)))
    const host = await Promise.race([found, ended(child).then((code) => Promise.reject(new Error(`the tracker ended with ${code}: ${said}`)))])
    const words = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value).replace('{host}', host)])
    const bench = [starling, 'bench', 'tracker', `${subject.scheme}://${host}/announce`, '--pid', String(child.pid), '--json']
    const [program, ...rest] = on(`1-${cpus().length - 1}`, [...bench, ...(subject.flags ?? []), ...words])
    const { stdout } = await promisify(execFile)(program!, rest, { cwd: root })
    const report = JSON.parse(stdout) as Report
    if (report.problem) console.error(`  ${subject.command[1]}: ${report.problem}`)
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
      const [, host] = /(?:http|ws):\/\/([^\s/]+:\d+)/.exec(line) ?? []
      if (host) resolve(host)
    })
  })
}

async function listening(port: number): Promise<string> {
  for (const end = Date.now() + startup; Date.now() < end; await setTimeout(50)) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return `127.0.0.1:${port}`
    } catch {
      // not yet
    } finally {
      socket.destroy()
    }
  }
  throw new Error(`nobody came to listen on port ${port}`)
}

async function ended(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, 'exit')) as [number | null]
  return code
}

/** A port that is free for both TCP and, most likely, UDP: thousands are still taken by TCP connections of earlier loads. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Whether a tracker kept up: all was answered and passed on, and nothing had to queue for long. */
export const keptUp = ({ announces, offers, answers }: Report): boolean =>
  announces.count === announces.sent && announces.unsent + announces.failed + answers.unsent === 0 &&
  offers.ratio === 1 && answers.ratio === 1 && announces.p99 <= 50

/** Announces per second that a tracker can just do on its core, to within a tenth or as near as so many steps get. */
export async function capacity(subject: Subject, flags: Flags, guess: number, steps = 6): Promise<number> {
  let good = 0
  let bad = Infinity
  let rate = guess
  for (let i = 0; i < steps && bad > good * 1.1; i++) {
    let kept = false
    try {
      kept = keptUp(await measure(subject, { ...flags, rate: Math.round(rate), duration: '2s' }, 2))
    } catch (error) {
      if (!(error instanceof Late)) throw error
      // The generator's end comes before the tracker's: what is found is less than the tracker can do.
    }
    console.error(`  ${Math.round(rate)} announces per second: ${kept ? 'kept up' : 'too many'}`)
    if (kept) good = rate
    else bad = rate
    rate = bad === Infinity ? good * 1.4 : good === 0 ? bad / 2 : Math.sqrt(good * bad)
  }
  if (good === 0) throw new Late('no rate was found at which the tracker kept up')
  return good
}

/** What one CPU-second is worth, from a gentle run. */
export const worth = async (subject: Subject, flags: Flags, rate: number): Promise<number> =>
  (await measure(subject, { ...flags, rate, duration: '2s' })).announces.perCpuSecond

/** The lines, or that the machine was too busy for them. */
export async function unlessLate(what: string, lines: () => Promise<Line[]>): Promise<Line[]> {
  try {
    return await lines()
  } catch (error) {
    if (!(error instanceof Late)) throw error
    return [{ what: `${what}: ${error.message}`, ours: '', theirs: '', ratio: '', reached: false }]
  }
}
