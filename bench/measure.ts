import { cpus } from 'node:os'
import { setTimeout as pause } from 'node:timers/promises'

/** Some measurements of one thing. */
export interface Sample {
  median: number
  min: number
  max: number
}

export function sample(values: readonly number[]): Sample {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
  return { median, min: sorted[0]!, max: sorted.at(-1)! }
}

/** Milliseconds after each: browsers that close are busy for a while. */
const settle = 1000
/** Milliseconds that are looked at, how much of them the machine may be at work in, and for how long that is waited for. */
const look = 400
const quiet = 0.15
const patience = 8000

/** Waits until the machine has little to do: a browser that was started just now has much, whatever its page does. */
export async function calm(): Promise<void> {
  const spent = () => cpus().map(({ times: { idle, ...rest } }) => ({ idle, busy: Object.values(rest).reduce((a, b) => a + b) }))
  for (const end = Date.now() + patience; Date.now() < end; ) {
    const before = spent()
    await pause(look)
    const after = spent()
    const busy = after.reduce((sum, cpu, i) => sum + cpu.busy - before[i]!.busy, 0)
    const all = busy + after.reduce((sum, cpu, i) => sum + cpu.idle - before[i]!.idle, 0)
    if (busy < all * quiet) return
  }
}

/**
 * Each subject once, then each again the other way around, …: what the machine does meanwhile, and what each leaves to
 * the next, befalls all alike.
 */
export async function alternate<K extends string>(
  rounds: number,
  subjects: Record<K, () => Promise<number>>,
): Promise<Record<K, number[]>> {
  const names = Object.keys(subjects) as K[]
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 ? names.toReversed() : names) {
      const value = await subjects[name]()
      values[name].push(value)
      console.error(`  ${name}: ${value.toPrecision(3)}`)
      await pause(settle)
    }
  }
  return values
}

/** Ratios of what was measured in the same round. */
export function ratios(above: readonly number[], below: readonly number[]): Sample {
  return sample(above.map((value, i) => value / below[i]!))
}

export const rounded = (value: number) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3))
export const span = ({ median, min, max }: Sample) => `${rounded(median)} (${rounded(min)}–${rounded(max)})`
