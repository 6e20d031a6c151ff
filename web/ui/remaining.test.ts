import { expect, it } from 'vitest'
import { Remaining } from './remaining.ts'

/** What is said, four times a second, as speed has it at each second; each change of it, and at which second it came. */
function told(left: number, seconds: number, speed: (second: number) => number): [at: number, words: string][] {
  const remaining = new Remaining()
  const all: [number, string][] = []
  for (let at = 0; at < seconds; at += 0.25) {
    const words = remaining.tell(left, speed(at), at * 1000)
    if (words !== (all.at(-1)?.[1] ?? '')) all.push([at, words])
    left = Math.max(0, left - speed(at) / 4)
  }
  return all
}

it.each([
  [4, 'A few seconds left'],
  [20, 'Less than a minute left'],
  [60, 'About a minute left'],
  [125, 'About 2 minutes left'],
  [560, 'About 9 minutes left'],
  [1300, 'About 20 minutes left'],
  [3500, 'About an hour left'],
  [3 * 3600, 'About 3 hours left'],
  [40 * 3600, 'More than a day left'],
])('what still takes %d s: %s', (seconds, words) => {
  const steady = told((seconds + 6) * 1e6, 7, () => 1e6)
  expect(steady).toEqual([[expect.any(Number), words]])
  // Not from the first bytes on.
  expect(steady[0]![0]).toBeGreaterThan(4)
})

it.each<[string, (second: number) => number]>([
  ['steady', () => 1e6],
  ['that wavers', (second) => 1e6 * (1 + 0.4 * Math.sin(second))],
  ['that comes in bursts', (second) => (second % 2 < 1 ? 0.7e6 : 1.3e6)],
])('at a speed %s it counts down, and never up', (_, speed) => {
  const words = told(200e6, 200, speed).map(([, words]) => words)
  expect(words).toEqual([
    'About 3 minutes left',
    'About 2 minutes left',
    'About a minute left',
    'Less than a minute left',
    'A few seconds left',
  ])
})

it('is put right where it turns out to be wrong, and not at every second', () => {
  // From the first minute on it is half as fast: eight minutes more.
  const changes = told(600e6, 300, (second) => (second < 60 ? 2e6 : 1e6))
  expect(changes.map(([, words]) => Number(/\d+/.exec(words)?.[0]))).toEqual([5, 4, 5, 7, 6, 5, 4])
  expect(changes[3]![0]).toBeLessThan(80)
})

it('says nothing where nothing moves, and only a while after it goes on', () => {
  // As the engine tells it: what was counted fades.
  const speed = (second: number) => (second < 20 || second >= 60 ? 1e6 : 1e6 * Math.exp((20 - second) / 3))
  const changes = told(300e6, 80, speed)
  const [, stalled, again] = changes
  expect(stalled![1]).toBe('')
  expect(stalled![0]).toBeLessThan(25)
  expect(again![0]).toBeGreaterThan(64)
  expect(again![1]).toMatch(/^About \d minutes left$/)
})

it('says nothing of a speed that nobody can rely on, nor of what was not looked at for a while', () => {
  expect(told(300e6, 60, (second) => (second % 2 < 1 ? 0.2e6 : 3e6))).toEqual([])
  const remaining = new Remaining()
  for (let at = 0; at <= 10_000; at += 1000) remaining.tell(1e9, 1e6, at)
  expect(remaining.tell(1e9, 1e6, 11_000)).not.toBe('')
  expect(remaining.tell(1e9, 1e6, 60_000)).toBe('')
})
