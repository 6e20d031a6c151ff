import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { Exhibition } from '../site.ts'

const bar = 1.03
/** A small difference takes many runs. */
const times = 6

/** From the click on a link until all that is in view is painted, ms, when somebody else has all: as Element Timing says. */
export const edgeFold: Row = async ({ kit, rounds }) => {
  const mark = kit.mark
  const show = await Exhibition.make(kit, { images: 40, bytes: 50_000, seconds: 0 })
  const site = await show.serve(kit)
  let wrong = await show.visit(await kit.person('chromium', { allow: [/./] }), site.origin)

  const look = (path: string) => async () => {
    const mark = kit.mark
    try {
      const person = await kit.person('chromium', { allow: [/./] })
      // The browser itself is warm, and the site is not.
      await person.page.goto('data:text/html,<p>')
      await person.page.evaluateOnNewDocument(() => {
        const painted = ((globalThis as unknown as { painted: number[] }).painted = [] as number[])
        new PerformanceObserver((list) => {
          for (const entry of list.getEntries()) painted.push((entry as PerformanceEntry & { renderTime: number }).renderTime)
        }).observe({ type: 'element', buffered: true })
      })
      wrong += await show.visit(person, site.origin + path)
      const painted = await person.page.evaluate(() => (globalThis as unknown as { painted: number[] }).painted)
      if (!painted.length) throw new Error('nothing in view was painted')
      return Math.max(...painted)
    } finally {
      await kit.closeTo(mark)
    }
  }

  const all = await alternate(rounds * times, { ours: look('/fold.html'), marked: look('/'), plain: look('/plain.html') })
  await kit.closeTo(mark)
  return ([['ours', 'src'], ['marked', 'data-src']] as const).map(([which, attribute]) => {
    const ratio = ratios(all[which], all.plain)
    return {
      what: `ms until all above the fold is painted, its images with ${attribute}, against the same page without the script`,
      ours: span(sample(all[which])), theirs: span(sample(all.plain)), ratio: span(ratio),
      bar: `≤ ${bar}, no byte wrong`, reached: ratio.median <= bar && !wrong,
    }
  })
}
