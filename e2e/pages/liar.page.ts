/** A peer that joins a swarm as a seeder and then does one wrong thing, to whoever offers it a connection. */
import { concat, fromHex, random, toBinary, type Bytes } from '../../web/engine/bytes.ts'
import { decode, dictOf, encode, sizeOf } from '../../web/engine/torrent/bencode.ts'
import { parseInfo, parseTorrent } from '../../web/engine/torrent/metainfo.ts'
import * as msg from '../../web/engine/wire/messages.ts'
import { Wire, type WireHandler } from '../../web/engine/wire/wire.ts'

export type Lie =
  | 'nothing' // a channel, and not a word on it
  | 'garbage' // random bytes after the handshake
  | 'oversized' // a message of 2 GiB begins, and goes on and on
  | 'flood' // small messages that mean nothing, without end
  | 'wrong pieces' // has all, and every block it sends is wrong
  | 'one wrong block' // the same, but only the first block of each piece is
  | 'no pieces' // has all, unchokes, and answers no request
  | 'endless metadata' // as much as anybody may have, all of it wrong
  | 'absurd metadata' // says a petabyte, and sends parts unasked

const peerId = '2d4c493030302d' + Array.from(random(13), (byte) => byte.toString(16).padStart(2, '0')).join('')

/** Channels that opened; those that the other side closed. */
export let met = 0
export let dropped = 0
/** Messages that were meant to mislead and were sent. */
export let lies = 0

export function lie(kind: Lie, tracker: string, torrentFile: number[]): void {
  const { infoBytes } = parseTorrent(Uint8Array.from(torrentFile))
  void crypto.subtle.digest('SHA-1', infoBytes).then((hash) => {
    const infoHash = toBinary(new Uint8Array(hash))
    const socket = new WebSocket(tracker)
    const announce = (more: object) =>
      socket.send(JSON.stringify({ action: 'announce', info_hash: infoHash, peer_id: toBinary(fromHex(peerId)!), ...more }))
    socket.onopen = () => announce({ event: 'started', uploaded: 0, downloaded: 0, left: 0, numwant: 0, offers: [] })
    socket.onmessage = async ({ data }: MessageEvent<string>) => {
      const { offer, offer_id, peer_id } = JSON.parse(data) as { offer?: RTCSessionDescriptionInit; offer_id?: string; peer_id?: string }
      if (!offer) return
      const answer = await answered(offer, (channel) => mislead(kind, channel, infoBytes, hash))
      announce({ to_peer_id: peer_id, offer_id, answer: { type: 'answer', sdp: answer } })
    }
  })
}

async function answered(offer: RTCSessionDescriptionInit, opened: (channel: RTCDataChannel) => void): Promise<string> {
  const pc = new RTCPeerConnection()
  pc.ondatachannel = ({ channel }) => {
    // Only the first is a wire; what else is opened gets no answer.
    pc.ondatachannel = null
    channel.binaryType = 'arraybuffer'
    channel.onclose = () => dropped++
    met++
    opened(channel)
  }
  await pc.setRemoteDescription(offer)
  await pc.setLocalDescription(await pc.createAnswer())
  while (pc.iceGatheringState !== 'complete') await new Promise((resolve) => (pc.onicegatheringstatechange = resolve))
  return pc.localDescription!.sdp
}

function mislead(kind: Lie, channel: RTCDataChannel, infoBytes: Bytes, hash: ArrayBuffer): void {
  if (kind === 'nothing') return
  const infoHash = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
  const send = (data: Bytes) => channel.readyState === 'open' && channel.send(data)
  const say = (data: Bytes) => {
    lies++
    send(data)
  }
  /** As fast as the channel takes it, until the other side has had enough. */
  const forever = async (next: () => Bytes) => {
    channel.bufferedAmountLowThreshold = 1 << 16
    while (channel.readyState === 'open') {
      say(next())
      if (channel.bufferedAmount > 1 << 19) {
        await new Promise((resolve) => {
          channel.onbufferedamountlow = resolve
          channel.addEventListener('close', resolve, { once: true })
        })
      }
    }
  }
  const metadataSize = { 'endless metadata': 8 << 20, 'absurd metadata': 1e15 }[kind as string] ?? infoBytes.length
  const part = (piece: number, size: number) =>
    msg.extension(1, concat([encode({ msg_type: 1, piece, total_size: metadataSize }), random(size)]))

  const handler: WireHandler = {
    onhandshake() {
      wire.handshake(infoHash, peerId)
      if (kind === 'garbage') return void forever(() => random(1000))
      if (kind === 'oversized') {
        say(Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 7))
        return void forever(() => new Uint8Array(1 << 16))
      }
      if (kind === 'flood') return void forever(() => msg.message(msg.have, [0xfffffff0]))
      wire.extendedHandshake({ version: '0', reqq: 1000, metadataSize })
      if (kind === 'absurd metadata') {
        let piece = 0
        return void forever(() => part(piece++, 1 << 14))
      }
      send(msg.message(msg.haveAll))
      wire.unchoke()
    },
    onrequest(index, begin, length) {
      if (kind === 'wrong pieces' || (kind === 'one wrong block' && begin === 0)) say(msg.message(msg.piece, [index, begin], random(length)))
      if (kind === 'one wrong block' && begin > 0) wire.reject(index, begin, length)
      if (kind === 'no pieces') lies++
    },
    onextended(name, payload) {
      if (name !== 'ut_metadata') return
      const piece = sizeOf(dictOf(decode(payload))?.get('piece')) ?? 0
      if (kind === 'endless metadata') return say(part(piece, 1 << 14))
      const own = infoBytes.subarray(piece << 14, (piece + 1) << 14)
      wire.extended('ut_metadata', concat([encode({ msg_type: 1, piece, total_size: infoBytes.length }), own]))
    },
    onchoke() {},
    onunchoke() {},
    oninterested() {},
    onnotinterested() {},
    onhave() {},
    onbitfield() {},
    onhaveall() {},
    onhavenone() {},
    onpiece() {},
    oncancel() {},
    onreject() {},
    onextendedhandshake() {},
    onviolation() {
      console.error('what came is no peer wire')
    },
  }
  const wire = new Wire({ send }, handler)
  wire.info = parseInfo(infoBytes)
  channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => wire.receive(new Uint8Array(data))
}
