/** What is measured: raw channels, stock webtorrent 3, and Starling. */
import { enter, type Lab } from '../e2e/harness/lab.ts'
import type { Person, PersonOptions } from '../e2e/harness/browser.ts'
import type { Kit } from '../e2e/harness/kit.ts'

export const pages = {
  raw: new URL('./pages/raw.page.ts', import.meta.url),
  webtorrent: new URL('./pages/webtorrent.page.ts', import.meta.url),
  starling: new URL('./pages/starling.page.ts', import.meta.url),
}

/** Without these headers no page may measure its memory. */
const isolation = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }

export interface PairOptions extends PersonOptions {
  /** What is done to them before they see the page. */
  before?: (giver: Person, taker: Person) => Promise<void>
}

/**
 * Runs with a giver and a taker on that page, and puts all away afterwards. Each has a browser of their own, as on two
 * machines; what the pages of others report is not our business.
 */
export async function pair<T>(
  kit: Kit,
  page: URL,
  run: (giver: Person, taker: Person, lab: Lab) => Promise<T>,
  { before, ...options }: PairOptions = {},
): Promise<T> {
  const mark = kit.mark
  const someone: PersonOptions = { own: true, allow: page === pages.starling ? [] : [/./], ...options }
  try {
    const lab = await kit.lab(page, { headers: isolation, built: true })
    const [giver, taker] = [await kit.person('chromium', someone), await kit.person('chromium', someone)]
    await before?.(giver, taker)
    await enter(giver.page, lab)
    await enter(taker.page, lab)
    return await run(giver, taker, lab)
  } finally {
    await kit.closeTo(mark)
  }
}
