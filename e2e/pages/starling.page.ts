/** A page that uses Starling, to be driven by tests. */
import { Starling } from 'starling'
import type { AddOptions, NodeStats, SeedOptions, StarlingOptions, TorrentState } from '../../web/engine/types.ts'
import { fileOf, seen, type FileSpec, type Seen, type Shared } from './files.ts'

let node: Starling

export function start(options: StarlingOptions): void {
  node = new Starling({ iceServers: [], ...options })
}

export async function seed(specs: FileSpec[], options: SeedOptions = {}): Promise<Shared> {
  const torrent = await node.seed(specs.map(fileOf), options)
  const { infoHash, magnetURI, link } = torrent
  return { infoHash, magnetURI, link, torrentFile: [...(await torrent.torrentFile())] }
}

/** Tells the infohash, or how it failed: 'bad-link: …'. */
export async function add(id: string | number[], options: AddOptions = {}): Promise<string> {
  try {
    return (await node.add(typeof id === 'string' ? id : Uint8Array.from(id), options)).infoHash
  } catch (error) {
    return described(error)
  }
}

/** Waits until all is here, and tells what; or how it failed. */
export async function fetched(infoHash: string): Promise<Seen[] | string> {
  const torrent = node.get(infoHash)
  if (!torrent) return 'not added'
  try {
    await torrent.done
    return await Promise.all(torrent.files.map(async (file) => seen(file.path, await file.blob())))
  } catch (error) {
    return described(error)
  }
}

export function state(infoHash: string): TorrentState | undefined {
  return node.get(infoHash)?.state
}

export const stats = (): Promise<NodeStats> => node.stats()

export async function remove(infoHash: string, options: { destroyStore?: boolean } = {}): Promise<void> {
  await node.get(infoHash)?.remove(options)
}

export const destroy = (): Promise<void> => node.destroy()

function described(error: unknown): string {
  return error instanceof Error && 'code' in error ? `${String(error.code)}: ${error.message}` : String(error)
}
