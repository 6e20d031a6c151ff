import { expect, it, vi } from 'vitest'
import { concat, type Bytes } from '../bytes.ts'
import { Exchange } from './exchange.ts'

const hash = (n: number) => n.toString(16).padStart(40, '0')

interface Side {
  exchange: Exchange
  known: Set<string>
  lacking: Set<string>
  /** Types and numbers of tokens of what it sent. */
  sent: [type: number, tokens: number][]
  /** Told that the other side has more. */
  more: number
  broken: boolean
}

/** Both ends of a control channel. */
function pair(): [Side, Side] {
  const sides = [true, false].map((initiator) => {
    const side: Omit<Side, 'exchange'> = { known: new Set(), lacking: new Set(), sent: [], more: 0, broken: false }
    const send = (message: Bytes) => {
      side.sent.push([message[0]!, (message.length - 1) / 16])
      queueMicrotask(() => sides[initiator ? 1 : 0]!.exchange.receive(message.slice().buffer))
    }
    const host = { known: () => side.known, lacking: () => side.lacking, channel: () => {}, failed: () => {} }
    const exchange: Exchange = new Exchange({
      initiator, host, send,
      ready: () => {},
      more: () => side.more++,
      broken: () => (side.broken = true),
    })
    return Object.assign(side, { exchange })
  })
  return sides as [Side, Side]
}

const [hello, want, have, drop] = [0, 1, 2, 3]

it('tells what is asked for, and once', async () => {
  const [a, b] = pair()
  a.lacking.add(hash(1)).add(hash(2))
  for (const n of [1, 3, 4]) b.known.add(hash(n))
  b.lacking.add(hash(3))
  await vi.waitUntil(() => a.more && b.sent.length > 2)
  b.exchange.refresh()
  a.exchange.refresh()
  a.known.add(hash(3))
  a.exchange.refresh()
  await vi.waitUntil(() => b.more)
  expect(a.sent).toEqual([[hello, 1], [want, 2], [have, 1]])
  expect(b.sent).toEqual([[hello, 1], [want, 1], [have, 1]])
  expect([1, 2, 3, 4].map((n) => a.exchange.has(hash(n)))).toEqual([true, false, false, false])
  expect(b.exchange.has(hash(3))).toBe(true)
})

it('asks again for what it asked for once, got, and lacks again', async () => {
  const [a, b] = pair()
  b.known.add(hash(1))
  a.lacking.add(hash(1))
  await vi.waitUntil(() => a.exchange.has(hash(1)))
  a.lacking.clear()
  a.exchange.refresh()
  await vi.waitUntil(() => a.sent.at(-1)![0] === drop)
  expect(a.exchange.has(hash(1))).toBe(false)
  a.lacking.add(hash(1))
  a.exchange.refresh()
  await vi.waitUntil(() => a.exchange.has(hash(1)))
})

it('tells again of what left here and came back', async () => {
  const [a, b] = pair()
  b.known.add(hash(1))
  a.lacking.add(hash(1))
  await vi.waitUntil(() => a.more === 1)
  b.known.clear()
  b.exchange.refresh()
  b.known.add(hash(2)) // while the first is under way
  b.exchange.refresh()
  await new Promise(setImmediate)
  b.known.add(hash(1))
  b.exchange.refresh()
  await vi.waitUntil(() => a.more === 2)
})

it('asks for no more at once than the other side takes, in messages as long as it takes', async () => {
  const [a, b] = pair()
  for (let n = 0; n < 16_500; n++) a.lacking.add(hash(n))
  b.known.add(hash(16_000))
  await vi.waitUntil(() => a.more || b.broken, { timeout: 50_000 })
  expect(b.broken).toBe(false)
  expect(a.sent.slice(1).reduce((sum, [, tokens]) => sum + tokens, 0)).toBe(16_384)
})

it('a hello of another length is an error', () => {
  const [a] = pair()
  a.exchange.receive(concat([Uint8Array.of(hello!), new Uint8Array(32)]).buffer)
  expect(a.broken).toBe(true)
})
