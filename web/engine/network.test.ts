import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LinkHost } from './link/host.ts'
import type { Links } from './link/links.ts'
import { fakeConnection, type FakeConnection } from './link/fake-rtc.ts'
import { network, type NetworkOptions } from './network.ts'

const infoHash = 'a'.repeat(40)
const host: LinkHost = { known: () => [infoHash], lacking: () => [infoHash], channel() {}, failed() {} }
let made: (FakeConnection & { configuration?: RTCConfiguration })[] = []

beforeEach(() => {
  made = []
  vi.stubGlobal('RTCPeerConnection', function (configuration: RTCConfiguration) {
    const pc = fakeConnection()()
    made.push(Object.assign(pc as unknown as FakeConnection, { configuration }))
    return pc
  })
})
afterEach(() => vi.unstubAllGlobals())

function begin(options: Partial<NetworkOptions> = {}) {
  const iceServers = async () => [{ urls: 'turn:turn.example' }]
  const net = network(new Uint8Array(20), host, { iceServers, ...options }, () => {}, async () => {})
  return { net, offers: () => (net.links as Links).offers(infoHash, 1) }
}

test('offers are made also where nobody tells the servers', async () => {
  const { net, offers } = begin({ iceServers: async () => Promise.reject(new Error('The service does not answer.')) })
  expect(await offers()).toHaveLength(1)
  expect(made[0]!.configuration).toMatchObject({ iceServers: [], iceTransportPolicy: 'all' })
  net.links.destroy()
})

test('what was offered before the address was hidden, or is being made, is closed', async () => {
  const { net, offers } = begin()
  await offers()
  const late = offers()
  net.relink(true)
  expect(await late).toEqual([])
  expect(made.map(({ connectionState }) => connectionState)).toEqual(made.map(() => 'closed'))
  const before = made.length
  expect(await offers()).toHaveLength(1)
  expect(made[before]!.configuration).toEqual({ iceServers: [{ urls: 'turn:turn.example' }], iceTransportPolicy: 'relay' })
  net.relink(false)
  expect(made[before]!.connectionState).toBe('closed')
  net.links.destroy()
})

test('a connection that was made ahead of need is told how it may go', async () => {
  const idle: LinkHost = { ...host, lacking: () => [] }
  const iceServers = async () => []
  const net = network(new Uint8Array(20), idle, { iceServers, relayOnly: true }, () => {}, async () => {})
  net.links.refresh()
  await vi.waitUntil(() => made.length)
  await (net.links as Links).offers(infoHash, 1)
  expect(made).toHaveLength(1)
  expect(made[0]!.configuration).toEqual({ iceServers: [], iceTransportPolicy: 'relay' })
  net.links.destroy()
})
