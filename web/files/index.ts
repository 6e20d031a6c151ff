/** The section as the shell sees it: all that loads with the app. The rest comes when it is needed. */
import { html } from 'lit'
import { icons } from '../ui/icons.ts'
import type { Host, Section } from '../ui/section.ts'

let host: Host
let loading: Promise<typeof import('./section.ts')> | undefined

function load(): Promise<typeof import('./section.ts')> {
  loading ??= import('./section.ts')
  // Offline, say: the next call tries again.
  loading.catch(() => (loading = undefined))
  return loading
}

/** Whether something was left here to go on with; see parcels.ts. */
function marked(): boolean {
  try {
    return localStorage.getItem('files') !== null
  } catch {
    return false
  }
}

export const section: Section = {
  id: 'files',
  title: 'Files',
  icon: icons.file,
  path: '/files',
  owns: ({ pathname }) => pathname === '/f' || /^\/files(\/[\w-]+)?$/.test(pathname),
  start: (given) => {
    host = given
    return load().then(
      () => undefined,
      () =>
        host.toast({
          text: 'This part of the app could not be loaded. Check your connection.',
          time: Infinity,
          action: { label: 'Reload', run: () => location.reload() },
        }),
    )
  },
  wake: (host) => {
    const look = () => void (marked() && load().then(({ begin }) => begin(host), () => undefined))
    look()
    // Another tab may have come to have something, and be closed.
    addEventListener('storage', look)
  },
  view: (url) => html`<files-section .host=${host} .url=${url}></files-section>`,
  leave: () => undefined,
}
