/** The Go peer between two worlds: programs that others wrote, over TCP, and pages, over WebRTC. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { root } from './harness/build.ts'
import { harness, until, type Program, type Server } from './harness/index.ts'
import { filmOf, hybridOf, other, ownAddress, torrentOf, type Other } from './others.kit.ts'
import { bytesOf, digest, type FileSpec } from './pages/files.ts'
import { openLabs, Peer, whole, type Labs, type PeerOptions } from './pages/people.ts'

const kit = harness()
let server: Server
let labs: Labs

beforeAll(async () => {
  server = await kit.serve({ pages: false })
  labs = await openLabs(kit)
})

let films = 100
/** Another one for each test, so that nobody of an earlier one is in its swarm. */
const newFilm = (): FileSpec => ({ name: 'film ä.bin', size: 3_000_001, seed: films++ })
const folder: FileSpec[] = [
  { name: 'a.txt', size: 5, seed: 12 },
  { name: 'sub/größe ✓.bin', size: 700_001, seed: 13 },
]

const peer = (options: Omit<PeerOptions, 'node'> = {}) => Peer.open(kit, labs, { ...options, node: { trackers: [server.tracker] } })
/** What the .torrent files of others name: they know no WebSockets. */
const announce = () => `${server.origin}/announce`

/** Files on the disk, in a folder of their own. */
async function disk(files: FileSpec[]): Promise<string> {
  const path = await kit.folder()
  for (const file of files) {
    await mkdir(join(path, file.name, '..'), { recursive: true })
    await writeFile(join(path, file.name), bytesOf(file))
  }
  return path
}

async function starling(...args: string[]): Promise<Program> {
  const data = args.includes('--data-dir') ? [] : ['--data-dir', await kit.folder()]
  return kit.program(join(root, 'bin/starling'), ...args, ...data, '--no-dht', '--no-lan', '--no-port-mapping')
}

interface Shared {
  link: string
  magnet: string
  infoHash: string
  program: Program
}

/** `starling share`, and the link that it prints. */
async function share(...args: string[]): Promise<Shared> {
  const at = args.includes('--server') ? [] : ['--server', server.origin]
  const program = await starling('share', ...args, ...at, '--json')
  const [line] = await program.prints(/^\{.*"link":.*\}$/)
  return { ...(JSON.parse(line) as Shared), program }
}

const same = async (path: string, file: FileSpec) => {
  const there = await stat(path).then(({ size }) => size === file.size, () => false)
  return there && (await digest(new Blob([await readFile(path)]))) === (await digest(new Blob([bytesOf(file)])))
}

test.each<Other>(['aria2', 'libtorrent'])('%s seeds over TCP, and a page fetches it through our peer while that still fetches', async (which) => {
  const film = newFilm()
  const there = await disk([film])
  const { torrent, infoHash } = await torrentOf(kit, join(there, film.name), announce())
  await other(kit, which, { torrent, folder: there })
  await server.seeders(infoHash, 1)
  await starling('get', torrent, '-o', await kit.folder(), '--seed', '--tracker', server.tracker)
  const page = await peer()
  await page.add([...(await readFile(torrent))])
  expect(await page.fetched(infoHash)).toEqual(await whole([film]))
})

test.for<Other>(['aria2', 'transmission', 'libtorrent'])('%s fetches from us, by the magnet that share prints', async (which, { skip }) => {
  const address = ownAddress()
  if (which === 'transmission' && !address) return skip('SKIPPED: transmission connects to no loopback address, and this machine has no other')
  const at = which === 'transmission' ? await kit.serve({ pages: false, args: ['--addr', `${address}:0`] }) : server
  const film = newFilm()
  const there = await disk([film])
  const here = await kit.folder()
  const { magnet, program } = await share('--public', join(there, film.name), '--server', at.origin)
  const fetching = await other(kit, which, { torrent: magnet, folder: here })
  await until(`${which} to have it all`, () => same(join(here, film.name), film), { within: 120_000 }).catch((error: Error) => {
    const said = [fetching, program].map(({ name, lines }) => `${name} printed:\n${lines.slice(-20).join('\n')}`)
    throw new Error([error.message, ...said].join('\n'), { cause: error })
  })
})

test('a hybrid torrent comes from libtorrent by its v1 infohash, and goes to another', async () => {
  const there = await disk(folder)
  const { torrent, infoHash } = await hybridOf(kit, there, announce())
  const seeding = await other(kit, 'libtorrent', { torrent, folder: dirname(there) })
  const [ours, theirs] = [await kit.folder(), await kit.folder()]
  const magnet = `magnet:?xt=urn:btih:${infoHash}&tr=${encodeURIComponent(announce())}`
  const get = await starling('get', magnet, '-o', ours, '--seed', '--json')
  await get.prints(/"event":"done"/)
  await seeding.close()
  await other(kit, 'libtorrent', { torrent, folder: theirs })
  for (const path of [ours, theirs]) {
    for (const file of folder) {
      const at = join(path, basename(there), file.name)
      await until(`${at} to be there`, () => same(at, file))
    }
  }
})

// It has to be known to the tracker when our peer comes, as it makes no connections to 127.0.0.1. It needs 10 s to
// start, and 10 s more until it lets somebody have something.
test('a film that transmission seeds plays in a page, by a public link', async () => {
  const site = await kit.serve()
  const film = await filmOf(kit, 60)
  const there = await kit.folder()
  await writeFile(join(there, 'film.webm'), film)
  const { torrent, infoHash } = await torrentOf(kit, join(there, 'film.webm'), `${site.origin}/announce`)
  const seeding = await other(kit, 'transmission', { torrent, folder: there })
  await seeding.prints(/^Seeding/)
  await site.seeders(infoHash, 1)
  await starling('get', torrent, '-o', await kit.folder(), '--seed', '--server', site.origin)
  const { page } = await kit.person('chromium')
  await page.goto(`${site.origin}/f#${infoHash}`)
  await page.waitForSelector('video')
  const played = await page.evaluate(async () => {
    const video = document.querySelector('video')!
    /** Plays on from there: the moments of two pictures that were shown. */
    const from = async (second: number): Promise<[number, number]> => {
      video.currentTime = second
      const shown = () => new Promise<number>((resolve) => video.requestVideoFrameCallback((_, { mediaTime }) => resolve(mediaTime)))
      await new Promise((resolve) => (video.onseeked = resolve))
      await video.play()
      const first = await shown()
      let next = first
      while (next === first) next = await shown()
      video.pause()
      return [first, next]
    }
    video.muted = true
    if (!video.readyState) await new Promise((resolve) => (video.onloadedmetadata = resolve))
    return { seconds: Math.round(video.duration), wide: video.videoWidth, late: await from(45), early: await from(10) }
  })
  expect(played).toMatchObject({ seconds: 60, wide: 640 })
  for (const [[first, next], second] of [[played.late, 45], [played.early, 10]] as const) {
    expect(first).toBeGreaterThanOrEqual(second)
    expect(next).toBeGreaterThan(first)
    expect(next).toBeLessThan(second + 10)
  }
  const bytes = await page.evaluate(async () => {
    const all = await (await fetch(document.querySelector('video')!.currentSrc)).arrayBuffer()
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all))
    return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
  })
  expect(bytes).toBe(await digest(new Blob([film])))
})

describe.each(['starling', 'webtorrent'] as const)('%s in Chromium', (engine) => {
  test('fetches what a machine shares', async () => {
    const film = newFilm()
    const there = await disk([film])
    const { magnet, infoHash } = await share('--public', join(there, film.name))
    const page = await peer({ engine })
    await page.add(magnet)
    expect(await page.fetched(infoHash)).toEqual(await whole([film]))
  })

  test('shares with a machine', async () => {
    const film = newFilm()
    const page = await peer({ engine })
    const { magnetURI } = await page.seed([film])
    const here = await kit.folder()
    const get = await starling('get', magnetURI, '-o', here)
    expect(await get.ended(), get.lines.join('\n')).toBe(0)
    expect(await same(join(here, film.name), film)).toBe(true)
  })
})

describe.each(['chromium', 'firefox'] as const)('%s and a machine', (kind) => {
  test('a private folder reaches the page', async () => {
    const there = await disk(folder)
    const { link } = await share(there, '--name', 'folder')
    expect(link).toMatch(/\/f#[0-9a-f]{40}\.[\w-]{22}/)
    const page = await peer({ kind })
    const infoHash = await page.add(link)
    expect(await page.fetched(infoHash)).toEqual(await whole(folder))
  })

  test('a private folder reaches the machine', async () => {
    const page = await peer({ kind })
    const { link } = await page.seed(folder, { name: 'folder', private: true })
    const here = await kit.folder()
    const get = await starling('get', link, '-o', here)
    expect(await get.ended(), get.lines.join('\n')).toBe(0)
    for (const file of folder) expect(await same(join(here, 'folder', file.name), file), file.name).toBe(true)
  })
})
