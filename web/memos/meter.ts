/** How loud it is: true levels of a stream, twenty times a second, and the peaks that become its drawing. */
import { peakByte } from './peaks.ts'

export interface Level {
  /** Root mean square, in dB below full scale: -100 to 0. */
  rms: number
  /** The greatest amplitude, 0 to 1. */
  peak: number
}

/** Seconds that one peak stands for. */
const step = 0.05
/** Samples the analyser remembers: enough to miss nothing when a hidden tab's timers come once a second or so. */
const memory = 32_768

export function measure(samples: Float32Array): Level {
  let [sum, peak] = [0, 0]
  for (const sample of samples) {
    sum += sample * sample
    peak = Math.max(peak, Math.abs(sample))
  }
  return { rms: Math.max(-100, 10 * Math.log10(sum / Math.max(1, samples.length))), peak: Math.min(1, peak) }
}

export class Meter {
  /** Peaks are gathered only while this is set. */
  gathering = true
  onlevel: ((level: Level) => void) | undefined
  readonly #context: AudioContext
  readonly #analyser: AnalyserNode
  readonly #source: MediaStreamAudioSourceNode
  readonly #timer: ReturnType<typeof setInterval>
  readonly #samples = new Float32Array(memory)
  #peaks: number[] = []
  #read: number

  constructor(stream: MediaStream) {
    this.#context = new AudioContext()
    this.#analyser = new AnalyserNode(this.#context, { fftSize: memory })
    this.#source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: stream })
    this.#source.connect(this.#analyser)
    this.#read = this.#context.currentTime
    void this.#resume()
    // A call, say, may leave it so. While that lasts Safari says it is interrupted: who resumes it then breaks it.
    this.#context.onstatechange = () => this.#context.state === 'suspended' && this.#resume()
    this.#timer = setInterval(() => this.#tick(), step * 1000)
  }

  /** The peaks gathered since the last call. */
  take(): Uint8Array {
    return Uint8Array.from(this.#peaks.splice(0))
  }

  #resume(): Promise<void> {
    return this.#context.resume().catch(() => undefined)
  }

  close(): void {
    clearInterval(this.#timer)
    this.#context.onstatechange = null
    this.#source.disconnect()
    if (this.#context.state !== 'closed') void this.#context.close()
  }

  #tick(): void {
    const rate = this.#context.sampleRate
    const due = Math.floor((this.#context.currentTime - this.#read) / step)
    if (due < 1) return
    this.#read += due * step
    this.#analyser.getFloatTimeDomainData(this.#samples)
    const each = Math.floor(step * rate)
    const known = Math.min(due, Math.floor(memory / each))
    for (let back = due; this.gathering && back > 0; back--) {
      const end = memory - (Math.min(back, known) - 1) * each
      this.#peaks.push(peakByte(measure(this.#samples.subarray(end - each, end)).peak))
    }
    this.onlevel?.(measure(this.#samples.subarray(memory - known * each)))
  }
}
