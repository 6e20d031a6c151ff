import { fromHex, toBinary, toHex, fromBinary } from '../bytes.ts'
import type { Offer } from '../link/host.ts'
import type { Announcing } from './types.ts'

/**
 * The WebTorrent tracker protocol: one JSON object per text frame. The 20 bytes of info_hash, peer_id and to_peer_id
 * travel as 20 code points U+0000 to U+00FF; offer_id is opaque.
 *
 *   announce ▶  {action: "announce", info_hash, peer_id, key, uploaded, downloaded, left, event?, numwant, offers?}
 *            ◀  {action: "announce", info_hash, interval, "min interval"?, complete, incomplete}   or "failure reason"
 *   offer    ◀  {action: "announce", info_hash, peer_id, offer_id, offer: {type: "offer", sdp}}
 *   answer   ▶  {action: "announce", info_hash, peer_id, to_peer_id, offer_id, answer: {type: "answer", sdp}}
 *            ◀  {action: "announce", info_hash, peer_id, offer_id, answer}
 */
export type Message =
  | { kind: 'offer' | 'answer'; infoHash: string; peerId: string; offerId: string; sdp: string }
  | { kind: 'reply'; infoHash: string; interval?: number; floor?: number; seeders?: number; leechers?: number }
  | { kind: 'failure'; infoHash: string; reason: string }

const longest = 128 << 10
const longestId = 64
const longestReason = 128

/** Who announces. */
export interface Speaker {
  /** 40 hex digits. */
  readonly peerId: string
  /** Known to this tracker alone: with it a peer that has moved to another network proves who it is. */
  readonly key: string
}

/** event: started, completed or stopped; none when it is time again. */
export function announce(torrent: Announcing, { peerId, key }: Speaker, event: string | undefined, offers: readonly Offer[]): string {
  const { infoHash, uploaded, downloaded, left = null } = torrent
  return about(infoHash, peerId, {
    uploaded,
    downloaded,
    left,
    event,
    key,
    numwant: offers.length,
    offers: offers.map(({ id, sdp }) => ({ offer: { type: 'offer', sdp }, offer_id: id })),
  })
}

/** To the peer whose offer it was. infoHash and the ids of peers are 40 hex digits. */
export function answer(infoHash: string, peerId: string, toPeerId: string, offerId: string, sdp: string): string {
  return about(infoHash, peerId, { to_peer_id: binary(toPeerId), offer_id: offerId, answer: { type: 'answer', sdp } })
}

function about(infoHash: string, peerId: string, more: object): string {
  return JSON.stringify({ action: 'announce', info_hash: binary(infoHash), peer_id: binary(peerId), ...more })
}

/** Undefined for anything that is not a message about a torrent. */
export function parse(data: unknown): Message | undefined {
  const text = String(data)
  if (text.length > longest) return undefined
  let message: Members
  try {
    message = members(JSON.parse(text))
  } catch {
    return undefined
  }
  const infoHash = hex(message.info_hash)
  if (!infoHash) return undefined
  const reason = message['failure reason']
  if (typeof reason === 'string') return { kind: 'failure', infoHash, reason: reason.slice(0, longestReason) }
  if (message.action !== 'announce') return undefined
  for (const kind of ['offer', 'answer'] as const) {
    if (!message[kind]) continue
    const { type, sdp } = members(message[kind])
    const peerId = hex(message.peer_id)
    const offerId = message.offer_id
    if (!peerId || typeof offerId !== 'string' || offerId.length > longestId) return undefined
    if (type !== kind || typeof sdp !== 'string') return undefined
    return { kind, infoHash, peerId, offerId, sdp }
  }
  return {
    kind: 'reply',
    infoHash,
    interval: count(message.interval),
    floor: count(message['min interval']),
    seeders: count(message.complete),
    leechers: count(message.incomplete),
  }
}

type Members = Record<string, unknown>

/** Of what is no object, there are none that matter. */
const members: (value: unknown) => Members = Object

function count(value: unknown): number | undefined {
  return typeof value === 'number' && value >= 0 && value < Infinity ? value : undefined
}

function binary(id: string): string {
  return toBinary(fromHex(id)!)
}

function hex(text: unknown): string | undefined {
  return typeof text === 'string' && /^[\0-\xff]{20}$/.test(text) ? toHex(fromBinary(text)) : undefined
}
