import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { serveRanges } from './serve.ts'
import type { RangeSource } from './source.ts'

const infoHash = 'b'.repeat(40)
const data = Uint8Array.from({ length: 1 << 20 }, (_, i) => i & 0xff)

/** A source that writes down what is asked of it. */
function source(read?: RangeSource['read']) {
  const reads: [number, number, string][] = []
  const released: string[] = []
  const it: RangeSource = {
    name: 'memo.webm',
    type: 'audio/webm',
    size: data.length,
    async read(start, end, reader) {
      reads.push([start, end, reader])
      return (await read?.(start, end, reader)) ?? data.subarray(start, end)
    },
    release: (reader) => void released.push(reader),
  }
  return { it, reads, released }
}

let container: EventTarget
beforeEach(() => {
  container = Object.assign(new EventTarget(), { startMessages: () => undefined })
  vi.stubGlobal('navigator', { serviceWorker: container })
})
afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

function ask(message: unknown = { type: 'starling:range', infoHash, file: 0 }) {
  const { port1, port2 } = new MessageChannel()
  const heard: unknown[] = []
  port1.onmessage = ({ data }) => void heard.push(data)
  container.dispatchEvent(Object.assign(new Event('message'), { data: message, ports: [port2] }))
  return { port: port1, heard, next: (count: number) => vi.waitFor(() => expect(heard).toHaveLength(count)) }
}

test('says that it looks, then what it has, then bytes when they are asked for', async () => {
  const { it, reads, released } = source()
  const stop = serveRanges(async (hash, file) => (hash === infoHash && file === 0 ? it : undefined))
  const { port, heard, next } = ask()
  await next(2)
  expect(heard).toEqual(['looking', { name: 'memo.webm', type: 'audio/webm', size: data.length }])
  expect(reads).toEqual([])
  port.postMessage({ start: 10, end: 20 })
  await next(3)
  expect(heard[2]).toEqual(data.slice(10, 20))
  port.postMessage({ start: 20, end: data.length })
  await next(4)
  expect((heard[3] as Uint8Array).length).toBeLessThan(data.length / 2)
  expect(new Set(reads.map(([, , reader]) => reader)).size).toBe(1)
  port.postMessage('release')
  await vi.waitFor(() => expect(released).toEqual([reads[0]![2]]))
  expect(data.length).toBe(1 << 20)
  stop()
})

test('every request is a reader of its own', async () => {
  const { it, reads } = source()
  const stop = serveRanges(async () => it)
  for (const { port, next } of [ask(), ask()]) {
    await next(2)
    port.postMessage({ start: 0, end: 1 })
    await next(3)
    port.close()
  }
  expect(new Set(reads.map(([, , reader]) => reader)).size).toBe(2)
  stop()
})

test('says no for what it does not have, or cannot find', async () => {
  const stop = serveRanges(async (_, file) => {
    if (file) throw new Error('gone')
    return undefined
  })
  for (const file of [0, 1]) {
    const { port, heard, next } = ask({ type: 'starling:range', infoHash, file })
    await next(2)
    expect(heard).toEqual(['looking', null])
    port.close()
  }
  stop()
})

test('two in one page give one answer: of the one that has it', async () => {
  const { it } = source()
  const stops = [
    serveRanges(() => Promise.reject(new Error('gone'))), serveRanges(async () => undefined),
    serveRanges(async () => it), serveRanges(async () => it),
  ]
  const { port, heard, next } = ask()
  await next(2)
  port.postMessage({ start: 10, end: 20 })
  await next(3)
  expect(heard).toEqual(['looking', { name: 'memo.webm', type: 'audio/webm', size: data.length }, data.slice(10, 20)])
  port.postMessage('release')
  for (const stop of stops) stop()
})

test('when one of two in a page stops, the other one answers on', async () => {
  const { it } = source()
  const stops = [serveRanges(async () => it), serveRanges(async () => it)]
  stops[0]!()
  const { port, heard, next } = ask()
  await next(2)
  expect(heard[1]).toMatchObject({ size: data.length })
  port.close()
  stops[1]!()
})

test('passes an error on', async () => {
  const { it } = source(async () => Promise.reject(new Error('removed')))
  const stop = serveRanges(async () => it)
  const { port, heard, next } = ask()
  await next(2)
  port.postMessage({ start: 0, end: 1 })
  await next(3)
  // In words, as Safari 16 sends no Errors.
  expect(heard[2]).toEqual(expect.stringContaining('removed'))
  port.postMessage('release')
  stop()
})

test('forgets a reader that asks for nothing, and takes it up again', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { it, reads, released } = source()
  const stop = serveRanges(async () => it)
  const { port, next } = ask()
  const read = async (count: number) => {
    port.postMessage({ start: 0, end: 1 })
    await next(count)
  }
  await next(2)
  await read(3)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(released).toEqual([reads[0]![2]])
  await read(4)
  expect(reads).toHaveLength(2)
  port.postMessage('release')
  await vi.waitFor(() => expect(released).toHaveLength(2))
  stop()
})

test('does not forget a reader that goes on asking', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const { it, released } = source()
  const stop = serveRanges(async () => it)
  const { port, next } = ask()
  await next(2)
  for (let count = 3; count < 7; count++) {
    port.postMessage({ start: 0, end: 1 })
    await next(count)
    await vi.advanceTimersByTimeAsync(20_000)
  }
  expect(released).toEqual([])
  port.postMessage('release')
  await vi.waitFor(() => expect(released).toHaveLength(1))
  stop()
})

test('listens no more when stopped, and to nothing else', async () => {
  const find = vi.fn(async () => undefined)
  const stop = serveRanges(find)
  for (const message of [null, 'starling:range', { type: 'other' }]) ask(message).port.close()
  const alone = { data: { type: 'starling:range', infoHash, file: 0 }, ports: [] }
  container.dispatchEvent(Object.assign(new Event('message'), alone))
  stop()
  ask().port.close()
  expect(find).not.toHaveBeenCalled()
})

test('where there are no service workers, nothing is served', () => {
  vi.stubGlobal('navigator', {})
  serveRanges(async () => undefined)()
})
