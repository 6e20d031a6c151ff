import { expect, it, vi } from 'vitest'
import { reach } from './reach.ts'

it.each([
  ['all', class { setLocalDescription() {} }, 'open'],
  ['nothing', undefined, 'barred'],
  ['false', false, 'barred'],
  ['what does nothing', class { createDataChannel() {} createOffer() {} setRemoteDescription() {} close() {} }, 'barred'],
])('a browser in which an extension left %s under its name', (_, left, expected) => {
  vi.stubGlobal('navigator', { onLine: true })
  vi.stubGlobal('RTCPeerConnection', left)
  expect(reach()).toBe(expected)
})
