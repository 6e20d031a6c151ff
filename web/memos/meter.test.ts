import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { measure, Meter, type Level } from './meter.ts'
import { peakByte } from './peaks.ts'

const sine = (amplitude: number) =>
  Float32Array.from({ length: 4800 }, (_, i) => amplitude * Math.sin((2 * Math.PI * i) / 48))

it('measures true levels', () => {
  expect(measure(sine(1)).rms).toBeCloseTo(-3.01, 2)
  expect(measure(sine(0.1)).rms).toBeCloseTo(-23.01, 2)
  expect(measure(sine(0.5)).peak).toBeCloseTo(0.5)
  expect(measure(new Float32Array(480))).toEqual({ rms: -100, peak: 0 })
  expect(measure(new Float32Array(0))).toEqual({ rms: -100, peak: 0 })
})

class FakeContext {
  static made: FakeContext[] = []
  state = 'running'
  readonly sampleRate = 48_000
  currentTime = 0
  resumed = 0
  onstatechange: (() => void) | null = null
  constructor() {
    FakeContext.made.push(this)
  }
  resume = async () => void this.resumed++
  close = async () => this.become('closed')
  become(state: string): void {
    this.state = state
    this.onstatechange?.()
  }
}

/** Remembers what it hears; the last 50 ms of it are as loud as can be, the 50 ms before them a twentieth less, and so on. */
class FakeNode {
  connect() {}
  disconnect() {}
  getFloatTimeDomainData(samples: Float32Array): void {
    for (let i = 0; i < samples.length; i++) samples[i] = -1 + Math.floor((samples.length - 1 - i) / 2400) / 20
  }
}

beforeEach(() => {
  FakeContext.made = []
  vi.useFakeTimers()
  vi.stubGlobal('AudioContext', FakeContext)
  vi.stubGlobal('AnalyserNode', FakeNode)
  vi.stubGlobal('MediaStreamAudioSourceNode', FakeNode)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

it('gathers a peak for every 50 ms that are recorded, also where a hidden tab looks once a second', () => {
  const meter = new Meter({} as MediaStream)
  const context = FakeContext.made[0]!
  const levels: Level[] = []
  meter.onlevel = (level) => levels.push(level)
  const pass = (seconds: number) => {
    context.currentTime += seconds
    vi.advanceTimersToNextTimer()
  }
  /** Loudness, of the last 50 ms at the end. */
  const peaks = (...back: number[]) => Uint8Array.from(back, (n) => peakByte(1 - n / 20))
  pass(0.05)
  expect([meter.take(), meter.take()]).toEqual([peaks(0), peaks()])
  pass(0.02)
  pass(0.04)
  expect(meter.take()).toEqual(peaks(0))
  // More than it remembers: then the oldest stands for what was before.
  pass(1)
  expect(meter.take()).toEqual(peaks(12, 12, 12, 12, 12, 12, 12, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
  meter.gathering = false
  pass(0.05)
  expect([meter.take(), levels.length, levels[2]!.peak, levels[2]!.rms < levels[0]!.rms]).toEqual([peaks(), 4, 1, true])
  meter.close()
  expect(vi.getTimerCount()).toBe(0)
})

it('goes on when a phone call is over, and leaves it alone while that lasts', () => {
  const meter = new Meter({} as MediaStream)
  const context = FakeContext.made[0]!
  const begun = context.resumed
  context.become('interrupted')
  expect(context.resumed).toBe(begun)
  context.become('suspended')
  expect(context.resumed).toBe(begun + 1)
  meter.close()
  expect(context.state).toBe('closed')
  context.become('suspended')
  expect(context.resumed).toBe(begun + 1)
})
