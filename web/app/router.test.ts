import { afterEach, expect, it, vi } from 'vitest'
import { Router } from './router.ts'

afterEach(() => void vi.unstubAllGlobals())

it('goes back once, however often that is pressed before it is there', () => {
  const [events, location, back] = [new EventTarget(), new URL('https://host/list'), vi.fn()]
  const history = {
    state: null as unknown,
    back,
    replaceState: (state: unknown) => (history.state = state),
    pushState(state: unknown, _: string, url: URL) {
      history.state = state
      location.href = url.href
    },
  }
  const addEventListener = events.addEventListener.bind(events)
  for (const [name, value] of Object.entries({ location, history, addEventListener, document: events, scrollY: 0 }))
    vi.stubGlobal(name, value)
  const router = new Router(() => {})
  router.start()
  for (const [times, then] of [[1, 'popstate'], [2, 'pageshow'], [3, 'popstate']] as const) {
    if (times !== 3) router.navigate('/one')
    for (let i = 0; i < 2; i++) router.back('/list')
    expect(back).toHaveBeenCalledTimes(times)
    if (then === 'popstate') location.pathname = '/list'
    events.dispatchEvent(new Event(then))
  }
})
