import { hidden } from './hiding.ts'

/**
 * barred: WebRTC is switched off in this browser, so that others are found and none is reached. apart: the user refused this
 * page the local network, so that nobody in it is reached who refused too. asked: the browser may be asking for that now;
 * one that knows the permission does not say whether it goes by it yet. hidden: nobody is reached but through the server.
 */
export type Reach = 'open' | 'asked' | 'apart' | 'hidden' | 'offline' | 'barred'

/** What Chrome calls it, today's name first. https://wicg.github.io/local-network-access/ */
const names = ['local-network', 'local-network-access']
let permission: PermissionStatus | undefined
let looking: Promise<void> | undefined

async function look(): Promise<void> {
  for (const name of names) {
    permission ??= await navigator.permissions?.query({ name: name as PermissionName }).catch(() => undefined)
  }
  // Chromium brings it up to date only where somebody listens.
  if (permission) permission.onchange = () => {}
}

/** What this device lets the page reach. At its first call nothing is known yet of permissions. */
export function reach(): Reach {
  looking ??= look()
  if (!navigator.onLine) return 'offline'
  // Extensions leave the name there, with nothing behind it, or with something that does nothing.
  if (!globalThis.RTCPeerConnection?.prototype?.setLocalDescription) return 'barred'
  if (hidden()) return 'hidden'
  if (permission?.state === 'denied') return 'apart'
  return permission?.state === 'prompt' ? 'asked' : 'open'
}
