import { afterEach, expect, it, vi } from 'vitest'
import { Emitter } from '../engine/emitter.ts'
import { guard, shown, unguarded } from './vigil.ts'

afterEach(() => vi.unstubAllGlobals())

class FakeLock extends EventTarget {
  released = false
  async release(): Promise<void> {
    this.released = true
  }
}

it('lets the screen go off again, however soon it was wanted on once more', async () => {
  const locks: FakeLock[] = []
  const request = async () => locks[locks.push(new FakeLock()) - 1]
  vi.stubGlobal('navigator', { wakeLock: { request } })
  vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'visible' }))
  vi.stubGlobal('addEventListener', () => {})
  let wanted = false
  const works = new Emitter<{ change: void }>()
  guard({ awake: () => wanted, busy: () => false, on: [works] })
  const want = async (now: boolean) => {
    wanted = now
    works.emit('change', undefined)
    await new Promise((resolve) => setImmediate(resolve))
  }
  for (const now of [true, false, true]) await want(now)
  locks[0]!.dispatchEvent(new Event('release'))
  await want(true)
  await want(false)
  expect(locks.map(({ released }) => released)).toEqual([true, true])
})

it('has the screen stay on while a link is shown and looked at, for ten minutes', async () => {
  vi.useFakeTimers()
  const locks: FakeLock[] = []
  const request = async () => locks[locks.push(new FakeLock()) - 1]
  vi.stubGlobal('navigator', { wakeLock: { request } })
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' })
  vi.stubGlobal('document', document)
  const look = async (visibilityState: string) => {
    document.visibilityState = visibilityState
    document.dispatchEvent(new Event('visibilitychange'))
    await vi.advanceTimersByTimeAsync(0)
  }
  const on = () => locks.map(({ released }) => !released)
  const end = shown()
  await look('hidden')
  expect(on()).toEqual([false])
  await look('visible')
  expect(on()).toEqual([false, true])
  await vi.advanceTimersByTimeAsync(10 * 60_000)
  expect(on()).toEqual([false, false])
  end()
  shown()()
  await look('visible')
  expect(on()).toEqual([false, false, false])
  vi.useRealTimers()
})

it('asks who leaves only while something would be lost, in the words of older browsers too, and nobody who saves a file', () => {
  vi.stubGlobal('document', new EventTarget())
  const page = new EventTarget()
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
  let busy = false
  guard({ awake: () => false, busy: () => busy, on: [] })
  const leave = () => {
    const event = Object.defineProperty(new Event('beforeunload', { cancelable: true }), 'returnValue', { value: '', writable: true })
    page.dispatchEvent(event)
    return [event.defaultPrevented, event.returnValue]
  }
  expect(leave()).toEqual([false, ''])
  busy = true
  expect(leave()).toEqual([true, true])
  let saved: unknown[] = []
  unguarded(() => (saved = leave()))
  expect([saved, leave()]).toEqual([[false, ''], [true, true]])
})
