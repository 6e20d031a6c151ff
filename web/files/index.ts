/** The section as the shell sees it: all that loads with the app. The rest comes when it is needed. */
import { html } from 'lit'
import { icons } from '../ui/icons.ts'
import type { Host, Section } from '../ui/section.ts'
import { FilesDb } from './db.ts'

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

/** The same by the rows themselves: a browser that is killed loses what was marked in its last seconds. */
async function kept(): Promise<boolean> {
  const all = await indexedDB.databases?.()
  if (!all?.some(({ name }) => name === 'files')) return false
  const db = new FilesDb()
  return (await db.parcels().finally(() => db.close())).length > 0
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
    const go = () => void load().then(({ begin }) => begin(host), () => undefined)
    const look = () => void (marked() && go())
    look()
    if (!marked()) void kept().then((any) => any && go(), () => undefined)
    // Another tab may have come to have something, and be closed.
    addEventListener('storage', look)
  },
  view: (url) => html`<files-section .host=${host} .url=${url}></files-section>`,
  leave: () => undefined,
}
