/** BitTorrent programs that others wrote, each able to seed and to fetch over TCP. All stay on this machine. */
import { existsSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { chooseFilm } from './files.kit.ts'
import { freePort, type Kit, type Program } from './harness/index.ts'

export type Other = 'aria2' | 'transmission' | 'libtorrent'

export interface Task {
  /** A .torrent file, or a magnet. */
  torrent: string
  /** Where the data is, or goes. */
  folder: string
}

/**
 * An address of this machine that is not loopback. Transmission takes peers at 127.0.0.1 for a mistake of the tracker's:
 * it lets them connect, and never connects to them.
 */
export const ownAddress = (): string | undefined =>
  Object.values(networkInterfaces()).flat().find((at) => at?.family === 'IPv4' && !at.internal)?.address

const libtorrent = `
import sys, time, libtorrent as lt
torrent, folder, port = sys.argv[1:]
session = lt.session({'listen_interfaces': '127.0.0.1:' + port, 'enable_dht': False, 'enable_lsd': False,
  'enable_upnp': False, 'enable_natpmp': False, 'allow_multiple_connections_per_ip': True})
params = lt.parse_magnet_uri(torrent) if torrent.startswith('magnet:') else lt.add_torrent_params()
if not torrent.startswith('magnet:'): params.ti = lt.torrent_info(torrent)
params.save_path = folder
handle = session.add_torrent(params)
while True:
    print(handle.status().state, handle.status().progress, flush=True)
    time.sleep(0.2)
`

/** Runs it; it verifies what is in the folder, fetches what is not, and seeds until the test ends. */
export async function other(kit: Kit, which: Other, { torrent, folder }: Task): Promise<Program> {
  const port = String(await freePort())
  switch (which) {
    case 'aria2':
      return kit.program(
        'aria2c', '--dir', folder, '--listen-port', port, '--check-integrity=true', '--seed-ratio=0', '--enable-dht=false',
        '--enable-dht6=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false', '--file-allocation=none',
        '--summary-interval=1', '--disable-ipv6=true', torrent,
      )
    case 'transmission':
      return kit.program('transmission-cli', '-w', folder, '-g', await kit.folder(), '-p', port, '-M', torrent)
    case 'libtorrent':
      return kit.program('/usr/bin/python3', '-c', libtorrent, torrent, folder, port)
  }
}

/** Makes a .torrent of a file or folder with transmission-create, which knows nothing of ours. */
export async function torrentOf(kit: Kit, path: string, tracker: string): Promise<{ torrent: string; infoHash: string }> {
  const torrent = join(await kit.folder(), 'made.torrent')
  const made = kit.program('transmission-create', '-t', tracker, '-o', torrent, path)
  if ((await made.ended()) !== 0 || !existsSync(torrent)) throw new Error(`transmission-create: ${made.lines.join('\n')}`)
  const [, infoHash] = await kit.program('transmission-show', torrent).prints(/Hash: ([0-9a-f]{40})/)
  return { torrent, infoHash: infoHash! }
}

const hybrid = `
import sys, os, libtorrent as lt
path, tracker, out = sys.argv[1:]
files = lt.file_storage()
lt.add_files(files, path)
made = lt.create_torrent(files)
made.add_tracker(tracker)
lt.set_piece_hashes(made, os.path.dirname(path))
open(out, 'wb').write(lt.bencode(made.generate()))
print(lt.torrent_info(out).info_hashes().v1, lt.torrent_info(out).info_hashes().has_v2())
`

/** The same with libtorrent, which makes torrents of BitTorrent v1 and v2 at once (BEP 52). infoHash is that of v1. */
export async function hybridOf(kit: Kit, path: string, tracker: string): Promise<{ torrent: string; infoHash: string }> {
  const torrent = join(await kit.folder(), 'hybrid.torrent')
  const [, infoHash] = await kit.program('/usr/bin/python3', '-c', hybrid, path, tracker, torrent).prints(/^([0-9a-f]{40}) True$/)
  return { torrent, infoHash: infoHash! }
}

/** A film of so many seconds, as a page makes it: its bytes. */
export async function filmOf(kit: Kit, seconds: number): Promise<Buffer<ArrayBuffer>> {
  const { page } = await kit.person('chromium')
  await page.setContent('<input name=files type=file>')
  await chooseFilm(page, 'film.webm', seconds)
  const url = await page.evaluate(async () => {
    const reader = new FileReader()
    const [film] = document.querySelector<HTMLInputElement>('input[name=files]')!.files!
    await new Promise((resolve) => {
      reader.onload = resolve
      reader.readAsDataURL(film!)
    })
    return reader.result as string
  })
  return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')
}
