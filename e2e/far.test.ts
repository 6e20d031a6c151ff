/** Two browsers far from each other: over a line that is long and loses packets, one connection is not enough. */
import { beforeAll, expect, test } from 'vitest'
import { harness, Line, until, type LineOptions, type Server } from './harness/index.ts'
import type { FileSpec } from './pages/files.ts'
import { openLabs, Peer, whole, type Labs } from './pages/people.ts'

const kit = harness()
let server: Server
let labs: Labs

beforeAll(async () => {
  server = await kit.serve({ pages: false })
  labs = await openLabs(kit)
})

const film: FileSpec[] = [{ name: 'film', size: 8_000_000, seed: 1 }]
const bad: LineOptions = { delay: 20, rate: 2.5e6, queue: 100_000, loss: 0.01 }

async function apart(options: LineOptions): Promise<{ ann: Peer; bob: Peer; line: Line }> {
  const line = new Line(kit, options)
  const open = () => Peer.open(kit, labs, { node: { trackers: [server.tracker], iceServers: [] } })
  const [ann, bob] = [await open(), await open()]
  await line.between(ann.person, bob.person)
  await ann.start()
  await bob.start()
  return { ann, bob, line }
}

test('a peer that could send more over several connections is given them; they end with the transfer', async () => {
  const { ann, bob } = await apart(bad)
  const shared = await ann.seed(film)
  await bob.add(shared.link)
  await until('lanes', async () => (await bob.stats()).lanes > 0 && (await ann.stats()).lanes > 0)
  expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
  for (const one of [ann, bob]) await until('no lanes', async () => (await one.stats()).lanes === 0)
})

test('what was on a lane that died is asked for again', async () => {
  const { ann, bob, line } = await apart(bad)
  const shared = await ann.seed(film)
  await bob.add(shared.link)
  await until('a beginning', async () => (await bob.state(shared.infoHash))!.progress > 0)
  const link = line.connections
  await until('lanes', async () => (await bob.stats()).lanes > 0 && (await ann.stats()).lanes > 0)
  const { progress } = (await bob.state(shared.infoHash))!
  await until('something to go by them', async () => (await bob.state(shared.infoHash))!.progress > progress + 0.2)
  expect(await line.break(link)).toBeGreaterThan(0)
  expect(await bob.fetched(shared.infoHash)).toEqual(await whole(film))
})

test('a long line is filled, and what waits before it does not run over, however many things are fetched', async () => {
  const { ann, bob, line } = await apart({ delay: 50, rate: 6.25e6, queue: 1_000_000 })
  const memos = Array.from({ length: 30 }, (_, i): FileSpec[] => [{ name: `memo ${i}`, size: 300_000, seed: i + 1 }])
  const all = [film, ...memos]
  const shared = []
  for (const files of all) shared.push(await ann.seed(files))
  for (const { link } of shared) await bob.add(link)
  for (const [i, { infoHash }] of shared.entries()) expect(await bob.fetched(infoHash)).toEqual(await whole(all[i]!))
  expect(line.overflowed).toBe(0)
})
