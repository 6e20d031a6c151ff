/** Starling, as any page uses it. */
import { Starling } from 'starling'
import { randomBlob } from './data.ts'

let node: Starling

function start(tracker: string): void {
  node = new Starling({ trackers: [tracker], iceServers: [] })
}

/** Seeds count blobs of size bytes each, and tells their magnets. */
export async function seed(count: number, size: number, tracker: string): Promise<string[]> {
  start(tracker)
  const magnets: string[] = []
  for (let i = 0; i < count; i++) magnets.push((await node.seed(randomBlob(size), { name: 'data' })).magnetURI)
  return magnets
}

/** Waits until the tracker knows of what was seeded last. */
export function announced(): Promise<void> {
  return new Promise((resolve) => {
    const torrent = node.torrents.at(-1)!
    const look = () => torrent.trackers.some(({ status }) => status === 'working') && resolve()
    torrent.on('progress', look)
    look()
  })
}

/** Seeds the file that somebody chose in an <input type="file">. */
export async function seedChosen(tracker: string): Promise<string> {
  start(tracker)
  const file = document.querySelector('input')?.files?.[0]
  if (!file) throw new Error('no file was chosen')
  return (await node.seed(file, { name: 'data' })).magnetURI
}

let all: Promise<number>

/** Seconds from the link in hand to the metadata. */
export async function open(magnet: string, tracker: string): Promise<number> {
  const opened = performance.now()
  start(tracker)
  const torrent = await node.add(magnet)
  const ready = torrent.ready.then(() => performance.now())
  const done = torrent.done.then(() => performance.now())
  all = Promise.all([ready, done]).then(([from, to]) => (to - from) / 1000)
  return ((await ready) - opened) / 1000
}

/** Seconds from the metadata to all data. */
export const fetched = (): Promise<number> => all

/** Seconds from the link in hand to the first bytes of its file. */
export async function firstByte(magnet: string, tracker: string): Promise<number> {
  const opened = performance.now()
  start(tracker)
  const torrent = await node.add(magnet)
  await torrent.ready
  await torrent.files[0]!.stream().getReader().read()
  return (performance.now() - opened) / 1000
}

export let arrived = 0

export async function fetchAll(magnets: string[], tracker: string): Promise<void> {
  start(tracker)
  for (const magnet of magnets) {
    const torrent = await node.add(magnet)
    void torrent.done.then(() => arrived++)
  }
}

export const stats = () => node.stats()

export const stop = () => node.destroy()

/** Bytes of all that this page and its workers hold on the heap, ArrayBuffers included, garbage excluded. */
export async function heap(): Promise<number> {
  const measured = performance as Performance & { measureUserAgentSpecificMemory(): Promise<{ bytes: number }> }
  return (await measured.measureUserAgentSpecificMemory()).bytes
}
