/** Stock webtorrent 3 as its README says to use it, spared the public STUN servers that would only slow it here. */
import { randomBlob } from './data.ts'

interface Torrent {
  magnetURI: string
  files: { stream(): ReadableStream<Uint8Array> }[]
  once(event: 'metadata' | 'done' | 'trackerAnnounce', listener: () => void): void
}
interface Client {
  seed(data: Blob[], options: object, ready: () => void): Torrent
  add(magnet: string): Torrent
  destroy(done: () => void): void
}

const module = '/webtorrent.min.js'
const { default: WebTorrent } = (await import(/* @vite-ignore */ module)) as {
  default: new (options: object) => Client
}

let client: Client

function start(): void {
  client = new WebTorrent({ dht: false, lsd: false, tracker: { rtcConfig: { iceServers: [] } } })
}

let known: Promise<void>

function seedOne(blob: Blob, tracker: string): Promise<string> {
  return new Promise((resolve) => {
    const options = { name: 'data', announceList: [[tracker]] }
    const torrent = client.seed([Object.assign(blob, { name: 'data' })], options, () => resolve(torrent.magnetURI))
    known = new Promise((done) => torrent.once('trackerAnnounce', done))
  })
}

/** Waits until the tracker knows of what was seeded last. */
export const announced = (): Promise<void> => known

/** Seeds count blobs of size bytes each, and tells their magnets. */
export async function seed(count: number, size: number, tracker: string): Promise<string[]> {
  start()
  const magnets: string[] = []
  for (let i = 0; i < count; i++) magnets.push(await seedOne(randomBlob(size), tracker))
  return magnets
}

let all: Promise<number>

/** Seconds from the link in hand to the metadata. */
export async function open(magnet: string): Promise<number> {
  const opened = performance.now()
  start()
  const torrent = client.add(magnet)
  const ready = new Promise<number>((resolve) => torrent.once('metadata', () => resolve(performance.now())))
  const done = new Promise<number>((resolve) => torrent.once('done', () => resolve(performance.now())))
  all = Promise.all([ready, done]).then(([from, to]) => (to - from) / 1000)
  return ((await ready) - opened) / 1000
}

/** Seconds from the metadata to all data. */
export const fetched = (): Promise<number> => all

/** Seconds from the link in hand to the first bytes of its file. */
export async function firstByte(magnet: string): Promise<number> {
  const opened = performance.now()
  start()
  const torrent = client.add(magnet)
  await new Promise<void>((resolve) => torrent.once('metadata', resolve))
  await torrent.files[0]!.stream().getReader().read()
  return (performance.now() - opened) / 1000
}

export let arrived = 0

export function fetchAll(magnets: string[]): void {
  start()
  for (const magnet of magnets) client.add(magnet).once('done', () => arrived++)
}

export function stop(): Promise<void> {
  return new Promise((resolve) => client.destroy(resolve))
}
