/** The same for stock webtorrent 3, as far as tests compare. */
import { fileOf, seen, type FileSpec, type Seen, type Shared } from './files.ts'

interface Torrent {
  infoHash: string
  magnetURI: string
  torrentFile: Uint8Array
  done: boolean
  files: { path: string; blob(): Promise<Blob> }[]
  once(event: 'done', listener: () => void): void
}

interface Client {
  torrents: Torrent[]
  seed(files: File[], options: object, ready: (torrent: Torrent) => void): void
  add(id: string | Uint8Array, options: object): Torrent
}

const module = '/webtorrent.min.js'
const { default: WebTorrent } = (await import(/* @vite-ignore */ module)) as { default: new (options: object) => Client }

let client: Client
let tracker: string

export function start({ trackers }: { trackers: string[] }): void {
  tracker = trackers[0] ?? ''
  client = new WebTorrent({ dht: false, lsd: false, tracker: { rtcConfig: { iceServers: [] } } })
}

export function seed(specs: FileSpec[], { name }: { name?: string } = {}): Promise<Shared> {
  return new Promise((resolve) => {
    client.seed(specs.map(fileOf), { announceList: [[tracker]], ...(name && { name }) }, (torrent) => {
      const { infoHash, magnetURI, torrentFile } = torrent
      resolve({ infoHash, magnetURI, link: magnetURI, torrentFile: [...torrentFile] })
    })
  })
}

export function add(id: string | number[]): void {
  client.add(typeof id === 'string' ? id : Uint8Array.from(id), { announce: [tracker] })
}

export async function fetched(infoHash: string): Promise<Seen[]> {
  const torrent = client.torrents.find((torrent) => torrent.infoHash === infoHash)
  if (!torrent) throw new Error('not added')
  if (!torrent.done) await new Promise<void>((resolve) => torrent.once('done', resolve))
  // webtorrent puts the torrent's name in front of the paths of several files.
  const path = (whole: string) => (torrent.files.length > 1 ? whole.slice(whole.indexOf('/') + 1) : whole)
  return Promise.all(torrent.files.map(async (file) => seen(path(file.path), await file.blob())))
}
