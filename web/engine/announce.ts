/** The tracker of the server that serves this page. */
export function trackerOf(page: string): string {
  return new URL('/announce', page).href.replace(/^http/, 'ws')
}
