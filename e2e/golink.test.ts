/** A page and a Go peer that share several torrents, both ways: all of them travel over one link. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { execFile } from 'node:child_process'
import { beforeAll, expect, test } from 'vitest'
import { root } from './harness/build.ts'
import { harness, until, type Kind, type Server } from './harness/index.ts'
import { bytesOf, digest, type FileSpec } from './pages/files.ts'
import { openLabs, Peer, whole, type Labs } from './pages/people.ts'

const kit = harness()
const each = 3
let server: Server
let labs: Labs
let machine: string

beforeAll(async () => {
  server = await kit.serve({ pages: false })
  labs = await openLabs(kit)
  machine = join(await kit.folder(), 'machine')
  await promisify(execFile)('go', ['build', '-o', machine, './e2e/machine'], { cwd: root })
})

let films = 300
const newFilms = (): FileSpec[] =>
  Array.from({ length: each }, () => ({ name: `film ${films}.bin`, size: 700_001, seed: films++ }))

test.for<[kind: Kind, way: 'public' | 'private']>([
  ['chromium', 'public'],
  ['chromium', 'private'],
  ['firefox', 'public'],
  ['firefox', 'private'],
])('%s and a machine, %s: what each has reaches the other, over one link', async ([kind, way]) => {
  const [here, there] = [newFilms(), newFilms()]
  const page = await Peer.open(kit, labs, { kind, node: { trackers: [server.tracker] } })
  const links = []
  for (const film of here) links.push((await page.seed([film], { private: way === 'private' })).link)
  const into = await kit.folder()
  const paths = there.map((film) => join(into, film.name))
  for (const [i, path] of paths.entries()) await writeFile(path, bytesOf(there[i]!))
  const start = join(into, 'start')
  const program = kit.program(
    machine, '-tracker', server.tracker, '-into', into, '-go', start, ...(way === 'private' ? ['-private'] : []),
    ...paths.flatMap((path) => ['-share', path]), ...links,
  )
  interface Line {
    shared?: string
    path?: string
    link?: string
    links?: number
    channels?: number
  }
  const said = () => program.lines.map((line) => JSON.parse(line) as Line)
  const all = <T>(what: (line: Line) => T | undefined) => said().map(what).filter((value) => value !== undefined)

  await until('all to be shared', () => all(({ shared }) => shared).length === each || !program.running)
  const shared = all(({ shared }) => shared)
  const hashes = await Promise.all(shared.map((link) => page.add(link, { onDemand: true })))
  // Nobody has all of anything that he lacks, so no channel is closed.
  const one = { links: 1, channels: 2 * each }
  await until('one link, as the machine sees it', () => {
    const last = said().findLast(({ links }) => links !== undefined)
    return last?.links === one.links && last.channels === one.channels
  })
  await until('one link, as the page sees it', async () => {
    const { links, channels } = await page.stats()
    return links === one.links && channels === one.channels
  })

  await writeFile(start, '')
  await Promise.all(shared.map((link) => page.add(link)))
  for (const [i, hash] of hashes.entries()) expect(await page.fetched(hash)).toEqual(await whole([there[i]!]))
  await until('the machine to have all', () => all(({ path }) => path).length === each)
  for (const { path, link } of said()) {
    if (path) expect(await digest(new Blob([await readFile(path)]))).toBe(await digest(new Blob([bytesOf(here[links.indexOf(link!)]!)])))
  }
})
