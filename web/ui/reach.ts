/** barred: WebRTC is switched off in this browser, so that others are found and none is reached. */
export type Reach = 'open' | 'offline' | 'barred'

export function reach(): Reach {
  if (!navigator.onLine) return 'offline'
  return 'RTCPeerConnection' in globalThis ? 'open' : 'barred'
}
