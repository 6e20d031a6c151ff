import lighthouse, { type Result } from 'lighthouse'
import { launch } from '../../e2e/harness/browser.ts'
import { sample } from '../measure.ts'
import type { Row } from '../row.ts'

const categories = ['performance', 'accessibility', 'best-practices']
const bar = 95

/** Lighthouse as it comes (a slow phone on a slow network), on the page and on the page that a link opens. */
export const lighthouseRow: Row = async ({ serve, rounds }) => {
  const { origin } = await serve()
  const scores = new Map<string, number[]>()
  const browser = await launch('chromium')
  try {
    const port = Number(new URL(browser.wsEndpoint()).port)
    for (let round = 0; round < rounds; round++) {
      for (const path of ['/', '/m']) {
        const result = await look(origin + path, port)
        for (const category of categories) {
          const score = (result.categories[category]?.score ?? 0) * 100
          const key = `Lighthouse ${path}: ${category}`
          scores.set(key, [...(scores.get(key) ?? []), score])
        }
        const failing = Object.values(result.audits).filter(({ score }) => score !== null && score < 0.9)
        console.error(`  ${path}: ${failing.map(({ id, displayValue }) => `${id} ${displayValue ?? ''}`).join('; ')}`)
      }
    }
  } finally {
    await browser.close()
  }
  return [...scores].map(([what, values]) => {
    const { median, min, max } = sample(values)
    return { what, ours: `${median.toFixed(0)} (${min.toFixed(0)}–${max.toFixed(0)})`, theirs: '', ratio: '', bar: `≥ ${bar}`, reached: median >= bar }
  })
}

/**
 * On a loaded machine Lighthouse now and then loses the beginning of its trace (NO_NAVSTART) and has nothing to judge:
 * that is no score, and it looks again.
 */
async function look(url: string, port: number): Promise<Result> {
  for (let left = 4; ; left--) {
    const result = (await lighthouse(url, { port, onlyCategories: categories, logLevel: 'error' }))?.lhr
    const why = result?.runtimeError?.message ?? 'it says nothing'
    if (result && !result.runtimeError) return result
    console.error(`  Lighthouse failed: ${why}`)
    if (!left) throw new Error(`Lighthouse failed five times: ${why}`)
  }
}
