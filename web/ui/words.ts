/** Sizes and times in words, and words of strangers. */
const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_557_600],
  ['month', 2_629_800],
  ['week', 604_800],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]

/** Lists say such words for every row, and making a format takes many times as long as using it. */
const relative = new Intl.RelativeTimeFormat('en')

/**
 * "Just now", "5 minutes ago", "1 day ago": in the small hours, what was 30 hours ago was not yesterday. What is yet to come is
 * by a clock that was ahead.
 */
export function ago(then: number, now: number): string {
  const seconds = Math.round((then - now) / 1000)
  const step = steps.find(([, length]) => -seconds >= length)
  if (!step) return 'Just now'
  return relative.format(Math.trunc(seconds / step[1]), step[0])
}

const numbers = new Map<string, Intl.NumberFormat>()

/** 1234567 → "1.2 MB" */
export function bytes(count: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const
  let [step, value] = [0, count]
  // As it is shown: 999,999 bytes are 1 MB.
  for (; step < 4 && Math.round(value) >= 1000; step++) value /= 1000
  const maximumFractionDigits = value < 10 && step ? 1 : 0
  const key = `${step} ${maximumFractionDigits}`
  const format =
    numbers.get(key) ??
    new Intl.NumberFormat('en', {
      style: 'unit',
      unit: units[step]!,
      unitDisplay: step ? 'short' : 'long',
      maximumFractionDigits,
    })
  numbers.set(key, format)
  return format.format(value)
}

/** 63 → "1:03", 3723 → "1:02:03". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(Number.isFinite(seconds) ? seconds : 0))
  const two = (n: number) => String(n).padStart(2, '0')
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`
}

/** Without characters that turn the writing direction of what follows: they make "gpj.exe" look like "exe.jpg". */
export const unturned = (text: string): string => text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '')

/** A name among words of ours, in the writing direction that is its own: “?” at its end stays there. */
export const quoted = (name: string): string => `“\u2068${name}\u2069”`

/** Letters from which on a name is written smaller, or shortened where it is only mentioned. */
export const long = 60

/** Its beginning and its end, where a sentence has no room for all of it. */
export function mentioned(name: string): string {
  const letters = [...name]
  if (letters.length <= long) return name
  return `${letters.slice(0, 40).join('').trim()}…${letters.slice(-16).join('').trim()}`
}
