import { until } from '../../e2e/harness/until.ts'
import { alternate, ratios, sample, span } from '../measure.ts'
import type { Bench, Row } from '../row.ts'
import { Exhibition } from '../site.ts'

const bar = 1.1

/** Ways to come to a film. */
const ways = {
  pressed: 'a first visit: ms from pressing play',
  first: 'a first visit, autoplay: ms from the click on the link',
  again: 'the service worker there from before, autoplay: ms from the click on the link',
  /** Where the page says data-src of it, which docs/edge.md advises against. */
  hidden: 'a first visit, autoplay with data-src: ms from the click on the link',
}
type Way = keyof typeof ways

/** How long a film takes to start that somebody else has, ms, and how often it stalls: when its visitor presses play, and by itself. */
export const edgeFilm: Row = async (bench) => {
  // When a frame is shown depends by chance on when the button was pressed: up to a whole frame, which is as long as all
  // the rest. So it is measured more often.
  const pressed = await measure({ ...bench, rounds: 3 * bench.rounds }, false, ['pressed'])
  const autoplay = await measure(bench, true, ['first', 'again', 'hidden'])
  return [...pressed, ...autoplay]
}

async function measure({ kit, rounds }: Bench, autoplay: boolean, visits: Way[]) {
  const mark = kit.mark
  const show = await Exhibition.make(kit, { images: 0, bytes: 0, seconds: 5, autoplay })
  const site = await show.serve(kit)
  const seeder = await kit.person('chromium', { allow: [/./] })
  let wrong = 0
  const stalls: Record<Way | 'plain', number> = { plain: 0, pressed: 0, first: 0, again: 0, hidden: 0 }

  const watch = (way: Way | 'plain', path: string) => async () => {
    const mark = kit.mark
    try {
      const person = await kit.person('chromium', { allow: [/./] })
      const { page } = person
      if (way === 'again') {
        await page.goto(site.origin + path)
        await until('the service worker to be there', () => page.evaluate(() => !!navigator.serviceWorker.controller))
        // What was kept is thrown away, so that only the service worker is there from before.
        await page.goto(`${site.origin}/plain.html`, { waitUntil: 'domcontentloaded' })
        await page.evaluate(() => indexedDB.deleteDatabase('starling-edge'))
      }
      await page.evaluateOnNewDocument(() => {
        const seen = globalThis as unknown as { from: number; began: Promise<number>; stalls: number }
        seen.from = seen.stalls = 0
        seen.began = new Promise((resolve) => addEventListener('DOMContentLoaded', () => {
          const video = document.querySelector('video')!
          // The first frame is there before it is played.
          const look = () => video.requestVideoFrameCallback((_, { mediaTime }) => (mediaTime || video.autoplay ? resolve(performance.now() - seen.from) : look()))
          look()
          video.addEventListener('play', () => (seen.from ||= video.autoplay ? 0 : performance.now()))
          video.addEventListener('waiting', () => video.currentTime > 0 && !video.seeking && !video.ended && seen.stalls++)
        }))
      })
      wrong += await show.visit(person, site.origin + path)
      const { began, stalled } = await page.evaluate(async () => {
        const { began, stalls } = globalThis as unknown as { began: Promise<number>; stalls: number }
        return { began: await began, stalled: stalls }
      })
      stalls[way] += stalled
      return began
    } finally {
      await kit.closeTo(mark)
    }
  }

  try {
    wrong += await show.visit(seeder, site.origin)
    const visit = { pressed: watch('pressed', '/'), first: watch('first', '/'), again: watch('again', '/'), hidden: watch('hidden', '/hidden.html') }
    const times = await alternate<'plain' | Way>(rounds, {
      plain: watch('plain', '/plain.html'),
      ...Object.fromEntries(visits.map((way) => [way, visit[way]])) as Record<Way, () => Promise<number>>,
    })
    return visits.map((way) => {
      const ratio = ratios(times[way], times.plain)
      return {
        what: `a film that another visitor has, ${ways[way]} to its first frame, against HTTP alone`,
        ours: span(sample(times[way])), theirs: span(sample(times.plain)), ratio: `${span(ratio)}, ${stalls[way]} stalls (HTTP alone: ${stalls.plain})`,
        bar: `≤ ${bar}, no stall, no byte wrong`, reached: ratio.median <= bar && !stalls[way] && !wrong,
      }
    })
  } finally {
    await kit.closeTo(mark)
  }
}
