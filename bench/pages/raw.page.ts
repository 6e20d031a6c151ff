/** The yardstick: one data channel, 64 KiB messages, and nothing done with them. */
import { highWater, lowWater } from '../../web/engine/link/channel.ts'

let pc: RTCPeerConnection
let channel: RTCDataChannel

function gathered(): Promise<string> {
  return new Promise((resolve) => {
    const look = () => pc.iceGatheringState === 'complete' && resolve(pc.localDescription!.sdp)
    pc.onicegatheringstatechange = look
    look()
  })
}

export async function offer(): Promise<string> {
  pc = new RTCPeerConnection()
  channel = pc.createDataChannel('raw')
  await pc.setLocalDescription(await pc.createOffer())
  return gathered()
}

/** Answers, counts what comes, and says so when all is there. */
export async function answer(sdp: string, size: number): Promise<string> {
  pc = new RTCPeerConnection()
  pc.ondatachannel = (event) => {
    channel = event.channel
    channel.binaryType = 'arraybuffer'
    let left = size
    channel.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
      left -= data.byteLength
      if (left <= 0) channel.send('all')
    }
  }
  await pc.setRemoteDescription({ type: 'offer', sdp })
  await pc.setLocalDescription(await pc.createAnswer())
  return gathered()
}

/** Seconds from the first byte sent until the other side has all. */
export async function send(sdp: string, size: number): Promise<number> {
  await pc.setRemoteDescription({ type: 'answer', sdp })
  if (channel.readyState !== 'open') await new Promise((resolve) => (channel.onopen = resolve))
  const message = crypto.getRandomValues(new Uint8Array(65536))
  const all = new Promise((resolve) => (channel.onmessage = resolve))
  channel.bufferedAmountLowThreshold = lowWater
  const start = performance.now()
  for (let left = size; left > 0; left -= message.length) {
    if (channel.bufferedAmount > highWater) await new Promise((resolve) => (channel.onbufferedamountlow = resolve))
    channel.send(message.subarray(0, Math.min(left, message.length)))
  }
  await all
  const seconds = (performance.now() - start) / 1000
  pc.close()
  return seconds
}
