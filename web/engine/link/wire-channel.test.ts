import { describe, expect, it, vi } from 'vitest'
import type { Bytes } from '../bytes.ts'
import type { LinkInfo } from './channel.ts'
import { FakeChannel, FakeConnection } from './fake-rtc.ts'
import { WireChannel } from './wire-channel.ts'

/** An open channel, and what its owner was handed of it: the first byte of each message. */
function open(first?: (channel: WireChannel) => void) {
  const dc = new FakeChannel(new FakeConnection(), '', '')
  dc.readyState = 'open'
  const channel: WireChannel = new WireChannel(dc as unknown as RTCDataChannel, {} as LinkInfo, false, {
    first: () => first?.(channel),
    over: () => {},
  })
  const got: number[] = []
  const listen = () => (channel.onmessage = (data) => got.push(data[0]!))
  const come = (byte: number, length = 1) => dc.onmessage!({ data: new Uint8Array(length).fill(byte).buffer })
  return { dc, channel, got, listen, come }
}

const settle = () => new Promise(setImmediate)

describe('what comes before anybody listens', () => {
  it('is kept, and nothing overtakes it', async () => {
    const { got, listen, come } = open()
    come(1)
    come(2)
    listen()
    come(3)
    await Promise.resolve()
    come(4)
    await settle()
    come(5)
    expect(got).toEqual([1, 2, 3, 4, 5])
  })

  it('is not kept without end', async () => {
    const { channel, got, listen, come } = open()
    for (let round = 0; round < 3; round++) {
      channel.onmessage = undefined
      come(round, 700 << 10)
      listen()
      await settle()
    }
    expect(got).toEqual([0, 1, 2])
    channel.onmessage = undefined
    come(3, 700 << 10)
    expect(channel.open).toBe(true)
    come(4, 700 << 10)
    expect(channel.open).toBe(false)
  })

  it('is forgotten when the channel ends', async () => {
    const { channel, got, listen, come } = open()
    come(1)
    listen()
    channel.close()
    come(2)
    await settle()
    expect(got).toEqual([])
  })
})

it('a channel that is ended for its first message hands on nothing', () => {
  const { got, listen, come } = open((channel) => channel.end())
  listen()
  come(1)
  expect(got).toEqual([])
})

it('a channel ends with text, which the wire has not', async () => {
  const { dc, channel } = open()
  channel.onclose = vi.fn()
  dc.onmessage!({ data: 'text' })
  expect(channel.open).toBe(false)
  channel.close()
  await settle()
  expect(dc.readyState).toBe('closed')
  expect(channel.onclose).toHaveBeenCalledTimes(1)
})

it('what is longer than a message may be goes in several', () => {
  const { dc, channel } = open()
  const sent: Bytes[] = []
  dc.send = (data) => void sent.push(data as Bytes)
  channel.maxMessage = 4
  channel.send(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9))
  expect(sent.map((data) => [...data])).toEqual([[1, 2, 3, 4], [5, 6, 7, 8], [9]])
})

it('its owner is told when it may send more, and no more once it ended', () => {
  const { dc, channel } = open()
  channel.ondrain = vi.fn()
  dc.onbufferedamountlow!()
  expect(channel.ondrain).toHaveBeenCalledTimes(1)
  channel.end()
  dc.onbufferedamountlow!()
  expect(channel.ondrain).toHaveBeenCalledTimes(1)
})
