/** Encodes a film of noise, whatever size it is to have. */

export interface Frame {
  key: boolean
  /** Base64. */
  data: string
}

/** VP8, as many frames as asked for, about that many bits per second; a key frame each second. */
export async function encode(frames: number, rate: number, width: number, height: number, bitrate: number): Promise<Frame[]> {
  const done: Frame[] = []
  const encoder = new VideoEncoder({
    output(chunk) {
      const bytes = new Uint8Array(chunk.byteLength)
      chunk.copyTo(bytes)
      let data = ''
      for (let at = 0; at < bytes.length; at += 8192) data += String.fromCharCode(...bytes.subarray(at, at + 8192))
      done.push({ key: chunk.type === 'key', data: btoa(data) })
    },
    error(error) {
      throw error
    },
  })
  encoder.configure({ codec: 'vp8', width, height, bitrate, bitrateMode: 'constant', framerate: rate })
  // So much noise that the encoder needs as many bits as it may have.
  const step = Math.max(4, Math.round(19e6 / bitrate))
  const pixels = new Uint8Array(width * height * 1.5).fill(128)
  let seed = 1
  for (let i = 0; i < frames; i++) {
    for (let at = i % step; at < width * height; at += step) pixels[at] = (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) >>> 24
    const frame = new VideoFrame(pixels, { format: 'I420', codedWidth: width, codedHeight: height, timestamp: (i * 1e6) / rate })
    encoder.encode(frame, { keyFrame: i % rate === 0 })
    frame.close()
    while (encoder.encodeQueueSize > 8) await new Promise((resolve) => encoder.addEventListener('dequeue', resolve, { once: true }))
  }
  await encoder.flush()
  encoder.close()
  return done
}
