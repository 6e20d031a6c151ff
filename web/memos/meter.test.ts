import { expect, it } from 'vitest'
import { measure } from './meter.ts'

const sine = (amplitude: number) =>
  Float32Array.from({ length: 4800 }, (_, i) => amplitude * Math.sin((2 * Math.PI * i) / 48))

it('measures true levels', () => {
  expect(measure(sine(1)).rms).toBeCloseTo(-3.01, 2)
  expect(measure(sine(0.1)).rms).toBeCloseTo(-23.01, 2)
  expect(measure(sine(0.5)).peak).toBeCloseTo(0.5)
  expect(measure(new Float32Array(480))).toEqual({ rms: -100, peak: 0 })
  expect(measure(new Float32Array(0))).toEqual({ rms: -100, peak: 0 })
})
