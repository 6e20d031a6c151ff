import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Toast } from '../ui/toasts.ts'
import { register } from './updates.ts'

class Worker extends EventTarget {
  state = 'installing'
  readonly postMessage = vi.fn()

  tell(state: string): void {
    this.state = state
    this.dispatchEvent(new Event('statechange'))
  }
}

const registration = () => Object.assign(new EventTarget(), { installing: null as Worker | null, waiting: null as Worker | null })
const container = () => Object.assign(new EventTarget(), { controller: null as Worker | null, register: async () => there, getRegistration: async () => there })
let there: ReturnType<typeof registration>
let serviceWorker: ReturnType<typeof container>
let told: string[]
let run: () => void
let reload: ReturnType<typeof vi.fn>

beforeEach(() => {
  there = registration()
  serviceWorker = container()
  told = []
  vi.stubGlobal('navigator', { serviceWorker })
  vi.stubGlobal('document', new EventTarget())
  vi.stubGlobal('location', { reload: (reload = vi.fn()) })
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const open = () =>
  register(({ text, action }: Toast) => {
    told.push(text)
    run = action!.run
  })

function found(): Worker {
  const worker = (there.installing = new Worker())
  there.dispatchEvent(new Event('updatefound'))
  return worker
}

it('of a first visit nothing is told, even where the first worker is in charge before it is said to have installed', async () => {
  await open()
  const worker = found()
  serviceWorker.controller = worker
  worker.tell('installed')
  expect(told).toEqual([])
  // Another tab of the same visit is opened before this one hears that it does not wait any more.
  there.waiting = worker
  await open()
  expect(told).toEqual([])
})

it('a newer version is offered once, whether it installs now or has waited', async () => {
  serviceWorker.controller = new Worker()
  there.waiting = new Worker()
  await open()
  expect(told).toEqual(['App updated'])
  found().tell('installed')
  expect(told).toEqual(['App updated'])
})

it('a newer version that installs under an open page is offered', async () => {
  serviceWorker.controller = new Worker()
  await open()
  found().tell('installed')
  expect(told).toEqual(['App updated'])
})

it.each([
  ['waits for what plays in the pages', 'installed', 1],
  ['is about to take over, and then tells', 'activating', 0],
])('Reload, where the newer version %s', async (_, state, times) => {
  serviceWorker.controller = new Worker()
  const waiting = (there.waiting = new Worker())
  waiting.state = 'installed'
  await open()
  run()
  await vi.advanceTimersByTimeAsync(0)
  expect(waiting.postMessage).toHaveBeenCalledExactlyOnceWith({ type: 'starling:update' })
  waiting.tell(state)
  await vi.advanceTimersByTimeAsync(5000)
  expect(reload).toHaveBeenCalledTimes(times)
})
