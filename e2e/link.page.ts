/** Links and rendezvous alone, with a host that shakes hands as a wire would and then exchanges one message. */
import { concat, fromHex, random, toHex, type Bytes } from '../web/engine/bytes.ts'
import { lowWater, type Channel } from '../web/engine/link/channel.ts'
import { Links } from '../web/engine/link/links.ts'
import { route } from '../web/engine/link/route.ts'
import { TrackerRendezvous } from '../web/engine/rendezvous/tracker-rendezvous.ts'

const known = new Set<string>()
const lacking = new Set<string>()
const open = new Set<Channel>()
const closed: string[] = []
const failed: string[] = []
let met = 0
let received = 0
/** Whether a torrent is over once its message came. */
let brief = false

const peerId = concat([new TextEncoder().encode('-SL0001-'), random(12)])
const links = new Links({ peerId, host: { known: () => known, lacking: () => lacking, channel, failed: (infoHash) => failed.push(infoHash) }, configuration: async () => ({ iceServers: [] }), maxLinks: 55, route })
const rendezvous = new TrackerRendezvous({ peerId, desk: links })
const handshakeLength = 68

const hash = (n: number) => n.toString(16).padStart(40, '0')

/** Joins torrents from to to - 1; whole here, or lacking data. */
export function join(tracker: string, from: number, to: number, whole: boolean, options: { brief?: boolean } = {}): void {
  brief = options.brief ?? false
  for (let n = from; n < to; n++) {
    const infoHash = hash(n)
    known.add(infoHash)
    if (!whole) lacking.add(infoHash)
  }
  for (let n = from; n < to; n++) {
    const infoHash = hash(n)
    rendezvous.add({
      infoHash,
      trackers: [tracker],
      uploaded: 0,
      downloaded: 0,
      get left() {
        return lacking.has(infoHash) ? 1 : 0
      },
      get wanted() {
        return lacking.has(infoHash) ? 10 : 0
      },
      get stalled() {
        return lacking.has(infoHash) && ![...open].some((channel) => torrents.get(channel) === infoHash)
      },
    })
  }
  links.refresh()
}

const torrents = new Map<Channel, string>()

function channel(channel: Channel, infoHash?: string): void {
  open.add(channel)
  if (infoHash) torrents.set(channel, infoHash)
  if (infoHash) channel.send(handshake(infoHash))
  let shaken = false
  channel.onclose = () => {
    const infoHash = torrents.get(channel) ?? ''
    open.delete(channel)
    closed.push(infoHash)
    // As a node does: it lacks a peer.
    rendezvous.wake(infoHash)
  }
  channel.onmessage = (data) => {
    if (!channel.open) return
    if (shaken) return heard(channel, data)
    shaken = true
    const said = toHex(data.subarray(28, 48))
    if (data.length !== handshakeLength || !known.has(said)) return channel.close()
    torrents.set(channel, said)
    met++
    if (!infoHash) channel.send(handshake(said))
    channel.link.extended()
    if (!infoHash) channel.send(new Uint8Array(1))
  }
}

function heard(channel: Channel, data: Bytes): void {
  received += data.length
  if (!brief) return
  lacking.delete(torrents.get(channel)!)
  channel.close()
  links.refresh()
}

function handshake(infoHash: string): Bytes {
  return concat([new Uint8Array(28), fromHex(infoHash)!, peerId])
}

/** Sends so many bytes over each channel, a few MB at once, waiting for it to drain. */
export async function pour(bytes: number): Promise<void> {
  const block = new Uint8Array(1 << 20)
  await Promise.all(
    [...open].map(async (channel) => {
      for (let left = bytes; left > 0; left -= block.length) {
        channel.send(block.subarray(0, Math.min(left, block.length)))
        if (channel.bufferedAmount > lowWater) await new Promise<void>((resolve) => (channel.ondrain = resolve))
      }
    }),
  )
}

export function state() {
  return {
    ...links.stats(),
    lacking: lacking.size,
    met,
    received,
    closed: closed.length,
    failed: failed.length,
    kinds: [...new Set([...open].map(({ link }) => link.kind))],
    trackers: rendezvous.trackers([...known][0] ?? ''),
  }
}

export async function leave(): Promise<void> {
  // As a node does: who hears from the links that this one is gone may ask the tracker at once.
  await rendezvous.destroy()
  links.destroy()
}
