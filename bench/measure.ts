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
      await new Promise((resolve) => setTimeout(resolve, settle))
    }
  }
  return values
}

/** Ratios of what was measured in the same round. */
export function ratios(above: readonly number[], below: readonly number[]): Sample {
  return sample(above.map((value, i) => value / below[i]!))
}

export const rounded = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))
export const span = ({ median, min, max }: Sample) => `${rounded(median)} (${rounded(min)}–${rounded(max)})`
