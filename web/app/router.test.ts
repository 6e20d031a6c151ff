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
  const twice = () => [0, 0].forEach(() => router.back('/list'))
  for (const times of [1, 2]) {
    router.navigate('/one')
    twice()
    expect(back).toHaveBeenCalledTimes(times)
    location.pathname = '/list'
    events.dispatchEvent(new Event('popstate'))
  }
  // It led out of the app, and the page is back as it was.
  router.navigate('/one')
  twice()
  events.dispatchEvent(new Event('pageshow'))
  twice()
  expect(back).toHaveBeenCalledTimes(4)
})
