import { limited } from '../limiter.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'
import { Exhibition } from '../site.ts'

const visitors = 10
/** Bytes per second, of the site to all. */
const rate = 2e6
const bar = 0.5

/** Ten visitors come at once to a site whose line is narrow: seconds until the last of them has all. */
export const edgeRush: Row = async ({ kit, rounds }) => {
  const show = await Exhibition.make(kit, { images: 40, bytes: 150_000, seconds: 0 })
  let wrong = 0

  const rush = (path: string) => async () => {
    const mark = kit.mark
    try {
      const site = await show.serve(kit)
      const url = await limited(kit, site.origin, rate)
      const people = await Promise.all(Array.from({ length: visitors }, () => kit.person('chromium', { allow: [/./] })))
      const began = performance.now()
      await Promise.all(people.map((person) => show.watch(person, url + path)))
      const seconds = (performance.now() - began) / 1000
      for (const person of people) wrong += await show.wrong(person)
      for (const { page } of people) await page.goto('about:blank')
      const { served, peers, causes } = (await site.figures()).total
      console.error(`  ${JSON.stringify({ path, served, peers, causes })}`)
      return seconds
    } finally {
      await kit.closeTo(mark)
    }
  }

  const times = await alternate(rounds, { ours: rush('/'), plain: rush('/plain.html') })
  const ratio = ratios(times.ours, times.plain)
  return [{
    what: `${visitors} visitors at once, the site limited to ${rate / 1e6} MB/s: seconds until all have all of ${(show.bytes / 1e6).toFixed(1)} MB, against HTTP alone`,
    ours: span(sample(times.ours)), theirs: span(sample(times.plain)), ratio: span(ratio),
    bar: `≤ ${bar}, no byte wrong`, reached: ratio.median <= bar && !wrong,
  }]
}
