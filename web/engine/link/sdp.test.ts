import { expect, it } from 'vitest'
import { fakeSdp } from './fake-rtc.ts'
import { plausible } from './sdp.ts'

it.each<[string, unknown, boolean]>([
  ['one for data channels', fakeSdp('a'), true],
  ['one of older browsers', 'v=0\r\nm=application 9 DTLS/SCTP 5000\r\n', true],
  ['nothing', undefined, false],
  ['an object', { length: 1 }, false],
  ['no version', fakeSdp('a').slice(5), false],
  ['no section', 'v=0\r\n', false],
  ['two sections', fakeSdp('a') + 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n', false],
  ['media only', 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n', false],
  ['another application', 'v=0\r\nm=application 9 UDP/BFCP *\r\n', false],
  ['one that is too long', fakeSdp('a') + 'a'.repeat(64 << 10), false],
])('a session description that is %s', (_, sdp, expected) => {
  expect(plausible(sdp)).toBe(expected)
})
