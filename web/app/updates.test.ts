import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Toast } from '../ui/toasts.ts'
import { register } from './updates.ts'

class Worker extends EventTarget {
  state = 'installing'

  tell(state: string): void {
    this.state = state
    this.dispatchEvent(new Event('statechange'))
  }
}

const registration = () => Object.assign(new EventTarget(), { installing: null as Worker | null, waiting: null as Worker | null })
const container = () => Object.assign(new EventTarget(), { controller: null as Worker | null, register: async () => there })
let there: ReturnType<typeof registration>
let serviceWorker: ReturnType<typeof container>
let told: string[]

beforeEach(() => {
  there = registration()
  serviceWorker = container()
  told = []
  vi.stubGlobal('navigator', { serviceWorker })
  vi.stubGlobal('document', new EventTarget())
})
afterEach(() => vi.unstubAllGlobals())

const open = () => register(({ text }: Toast) => void told.push(text))

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
