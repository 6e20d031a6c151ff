/** Words made of a parcel's facts. */
import type { TorrentState } from '../engine/types.ts'
import type { Reach } from '../ui/reach.ts'
import type { Remaining } from '../ui/remaining.ts'
import { receiving, type Standing } from '../ui/standing.ts'
import { bytes, unturned } from '../ui/words.ts'

export const countOf = (count: number): string =>
  count === 1 ? '1 file' : `${new Intl.NumberFormat('en').format(count)} files`

/** "1.2 MB", "1.2 MB in 3 files" */
export const sizeOf = ({ size, count }: { size: number; count: number }): string =>
  count === 1 ? bytes(size) : `${bytes(size)} in ${countOf(count)}`

/** What several files are called together: their folder, or how many they are. */
export function nameOf(paths: readonly string[]): string {
  const clear = paths.map(unturned)
  const [first = ''] = clear
  if (paths.length === 1) return first.slice(first.lastIndexOf('/') + 1)
  const [folder = ''] = first.split('/', 1)
  return folder && clear.every((path) => path.startsWith(`${folder}/`)) ? folder : countOf(paths.length)
}

/** Whether several files that are called that lie in a folder of that name. */
export const isFolder = ({ name, count }: { name: string; count: number }): boolean => count > 1 && name !== countOf(count)

/** From whom it comes right now; '' while nobody is there. */
export function comesFrom({ peers }: Pick<TorrentState, 'peers'>): string {
  const devices = peers.filter(({ kind, progress }) => kind !== 'webseed' && progress > 0)
  const web = peers.some(({ kind }) => kind === 'webseed')
  const relayed = devices.length > 0 && devices.every(({ kind }) => kind === 'relayed')
  const many = devices.length === 1 ? 'the device of somebody who has it' : `${devices.length} devices that have it`
  if (!devices.length) return web ? 'It comes from a website.' : ''
  const by = relayed ? ', by way of a relay that cannot read it' : ''
  return `It comes ${relayed ? '' : 'straight '}from ${many}${by}${web ? ', and from a website' : ''}.`
}

/** What an arrival knows beyond its torrent's state: only what is looked at is fetched; the device was found to be full. */
interface Circumstances {
  asking: boolean
  full?: boolean
  remaining?: Remaining
}

/** As standing.ts tells it, for files. */
export function standingOf(
  state: TorrentState | undefined,
  idle: number,
  reach: Reach,
  { asking, full, remaining }: Circumstances,
): Standing {
  const standing = receiving(state, idle, reach, full, remaining)
  if (state?.status === 'paused' || (full && state?.ready)) return standing
  if (state?.done) return { phase: 'All of it is here', text: 'Keep this page open to pass it on to others.', share: 1 }
  if (!asking || !state?.ready) return standing
  const text = state.peers.length ? 'Only what you play or download is fetched.' : 'Looking for whoever has it.'
  return { ...standing, phase: `${Math.floor(state.progress * 100)} % here`, text, time: '', share: state.progress }
}
