import { Exhibition } from '../site.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Row } from '../row.ts'

const bar = 1.1

/** From the click on a link to the film's first frame, ms, and how often it stalls, when somebody else has the film. */
export const edgeFilm: Row = async ({ kit, rounds }) => {
  const show = await Exhibition.make(kit, { images: 0, bytes: 0, seconds: 8 })
  const mark = kit.mark
  const site = await show.serve(kit)
  const first = await kit.person('chromium', { allow: [/./] })
  await show.visit(first, site.origin)
  let wrong = 0
  let stalls = 0
  const watch = (path: string, again = false) => async () => {
    const mark = kit.mark
    try {
      const person = await kit.person('chromium', { allow: [/./] })
      await person.page.evaluateOnNewDocument(() => {
        const seen = globalThis as unknown as { began: Promise<number>; stalls: number }
        seen.stalls = 0
        seen.began = new Promise((resolve) => addEventListener('DOMContentLoaded', () => {
          const video = document.querySelector('video')
          video?.requestVideoFrameCallback((now) => resolve(now))
          video?.addEventListener('waiting', () => video.currentTime > 0 && !video.seeking && seen.stalls++)
        }))
      })
      if (again) {
        wrong += await show.visit(person, site.origin + path)
        await person.page.evaluate(() => indexedDB.deleteDatabase('starling-edge'))
      }
      wrong += await show.visit(person, site.origin + path)
      const { began, stalled } = await person.page.evaluate(async () => {
        const { began, stalls } = globalThis as unknown as { began: Promise<number>; stalls: number }
        return { began: await began, stalled: stalls }
      })
      stalls += stalled
      return began
    } finally {
      await kit.closeTo(mark)
    }
  }
  const times = await alternate(rounds, { first: watch('/'), again: watch('/', true), plain: watch('/plain.html') })
  await kit.closeTo(mark)
  console.error(JSON.stringify({ stalls, wrong }))
  return (['first', 'again'] as const).map((which) => {
    const ratio = ratios(times[which], times.plain)
    return {
      what: `a film that another visitor has, ${which === 'first' ? 'on a first visit' : 'once the service worker is there'}: ms to its first frame, against HTTP alone`,
      ours: span(sample(times[which])), theirs: span(sample(times.plain)), ratio: span(ratio),
      bar: `≤ ${bar}, no stall`, reached: ratio.median <= bar && !stalls && !wrong,
    }
  })
}
