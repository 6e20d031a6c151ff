import { afterEach, beforeEach, expect, it, vi } from 'vitest'

let reach: typeof import('./reach.ts').reach

beforeEach(async () => {
  vi.resetModules()
  ;({ reach } = await import('./reach.ts'))
})
afterEach(() => vi.unstubAllGlobals())

const direct = class { setLocalDescription() {} }

it.each([
  ['all', direct, 'open'],
  ['nothing', undefined, 'barred'],
  ['false', false, 'barred'],
  ['what does nothing', class { createDataChannel() {} createOffer() {} setRemoteDescription() {} close() {} }, 'barred'],
])('a browser in which an extension left %s under its name', (_, left, expected) => {
  vi.stubGlobal('navigator', { onLine: true })
  vi.stubGlobal('RTCPeerConnection', left)
  expect(reach()).toBe(expected)
})

it.each([
  ['denied', 'apart'],
  ['prompt', 'asked'],
  ['granted', 'open'],
])('a browser that keeps pages off the local network, by either name of the permission: %s', async (state, expected) => {
  vi.stubGlobal('RTCPeerConnection', direct)
  for (const known of ['local-network', 'local-network-access']) {
    vi.resetModules()
    const { reach } = await import('./reach.ts')
    const query = vi.fn(async ({ name }: { name: string }) => {
      if (name !== known) throw new TypeError('no such permission')
      return { state }
    })
    vi.stubGlobal('navigator', { onLine: true, permissions: { query } })
    reach()
    await vi.waitUntil(() => query.mock.calls.some(([{ name }]) => name === known))
    await vi.waitUntil(() => reach() === expected)
    vi.stubGlobal('navigator', { onLine: false })
    expect(reach()).toBe('offline')
  }
})

it.each(['QuotaExceededError', 'SecurityError'])('an address that is to be hidden is so, also where that cannot be noted down (%s)', async (name) => {
  const refuse = () => {
    throw new DOMException('', name)
  }
  const full = name === 'QuotaExceededError'
  vi.stubGlobal('localStorage', { getItem: full ? () => null : refuse, setItem: refuse, removeItem: full ? () => {} : refuse })
  vi.stubGlobal('navigator', { onLine: true })
  vi.stubGlobal('RTCPeerConnection', direct)
  const { hide } = await import('./hiding.ts')
  for (const on of [true, false]) {
    hide(on)
    expect(reach()).toBe(on ? 'hidden' : 'open')
  }
})

it('what was hidden here is not any more once another tab takes that back', async () => {
  const kept = new Map<string, string>()
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  })
  const { hidden, hide } = await import('./hiding.ts')
  hide(true)
  expect(hidden()).toBe(true)
  kept.clear()
  expect(hidden()).toBe(false)
})
