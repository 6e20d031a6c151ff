import { expect, it, vi } from 'vitest'
import { measure, Meter } from './meter.ts'

const sine = (amplitude: number) =>
  Float32Array.from({ length: 4800 }, (_, i) => amplitude * Math.sin((2 * Math.PI * i) / 48))

it('measures true levels', () => {
  expect(measure(sine(1)).rms).toBeCloseTo(-3.01, 2)
  expect(measure(sine(0.1)).rms).toBeCloseTo(-23.01, 2)
  expect(measure(sine(0.5)).peak).toBeCloseTo(0.5)
  expect(measure(new Float32Array(480))).toEqual({ rms: -100, peak: 0 })
  expect(measure(new Float32Array(0))).toEqual({ rms: -100, peak: 0 })
})

it('goes on when a phone call is over, and leaves it alone while that lasts', () => {
  class FakeContext {
    static made: FakeContext[] = []
    state = 'running'
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
  const node = class { connect() {} disconnect() {} }
  vi.stubGlobal('AudioContext', FakeContext)
  vi.stubGlobal('AnalyserNode', node)
  vi.stubGlobal('MediaStreamAudioSourceNode', node)
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
