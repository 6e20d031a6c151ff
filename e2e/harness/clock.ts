import type { Page } from 'puppeteer-core'

/**
 * Puts a page's clocks forward, as when a laptop wakes: for what a page judges by how long ago something was. Timers go
 * on as they are. Ends when the page is loaded again.
 */
export const later = (page: Page, seconds: number): Promise<void> =>
  page.evaluate((seconds) => {
    for (const clock of [Date, performance]) {
      const now = clock.now.bind(clock)
      clock.now = () => now() + seconds * 1000
    }
  }, seconds)
