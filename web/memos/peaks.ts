/** The drawing of a sound: up to 1,000 bytes, each 255 × √(greatest amplitude in its share of the time). */
export const maxPeaks = 1000

/** amplitude: 0 to 1. The root gives quiet speech a shape of its own. */
export function peakByte(amplitude: number): number {
  return Math.round(255 * Math.sqrt(Math.min(1, Math.max(0, amplitude || 0))))
}

/** At most count values: each the greatest of those it stands for. */
export function pool(values: ArrayLike<number>, count = maxPeaks): Uint8Array<ArrayBuffer> {
  const pooled = new Uint8Array(Math.min(count, values.length))
  for (let i = 0; i < values.length; i++) {
    const at = Math.floor((i * pooled.length) / values.length)
    if (values[i]! > pooled[at]!) pooled[at] = values[i]!
  }
  return pooled
}

/** From samples between -1 and 1. */
export function peaksOf(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const peaks = new Uint8Array(Math.min(maxPeaks, samples.length))
  for (let i = 0; i < peaks.length; i++) {
    const end = Math.floor(((i + 1) * samples.length) / peaks.length)
    let top = 0
    for (let at = Math.floor((i * samples.length) / peaks.length); at < end; at++)
      top = Math.max(top, Math.abs(samples[at]!))
    peaks[i] = peakByte(top)
  }
  return peaks
}

/** Base64. */
export const encodePeaks = (peaks: Uint8Array): string => btoa(String.fromCharCode(...peaks.subarray(0, maxPeaks)))

/** undefined for anything that is not base64 of 1 to 1,000 bytes. */
export function decodePeaks(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length > Math.ceil(maxPeaks / 3) * 4 || !/^[\w+/]+={0,2}$/.test(text)) return undefined
  try {
    const peaks = Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
    return peaks.length && peaks.length <= maxPeaks ? peaks : undefined
  } catch {
    return undefined
  }
}
