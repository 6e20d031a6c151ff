/** The section as the shell sees it. */
import { html } from 'lit'
import { icons } from '../ui/icons.ts'
import type { Host, Section } from '../ui/section.ts'
import { Memos, paths } from './memos.ts'
import './pages/screens.ts'
import type { Route } from './pages/screens.ts'

let memos: Memos | undefined

/** Goes on with what was under way. */
const begin = (host: Host): Memos => (memos ??= new Memos(host))

/** As the article's app writes its links; what they lead to goes behind the #, where no server hears of it again. */
const unsaid = ({ pathname, search, searchParams, href }: URL): URL =>
  new URL(pathname === '/share' && searchParams.has('seeds') ? `${pathname}#${search.slice(1)}` : href, href)

function routeOf({ pathname, hash, href }: URL): Route {
  if (pathname === paths.list) return { page: 'list' }
  if (pathname === paths.record) return { page: 'record' }
  if (pathname === '/m') return { page: 'receive', links: hash.length > 1 ? [href] : [] }
  if (pathname === '/share')
    return { page: 'receive', links: new URLSearchParams(hash.slice(1)).getAll('seeds').slice(0, 100) }
  return { page: 'memo', id: pathname.slice('/memos/'.length) }
}

export const section: Section = {
  id: 'memos',
  title: 'Memos',
  icon: icons.wave,
  path: paths.list,
  owns: ({ pathname }) =>
    pathname === paths.list || pathname === '/m' || pathname === '/share' || /^\/memos\/[\w-]+$/.test(pathname),
  start: (host) => void begin(host),
  // Whatever page is open shares what was shared.
  wake: (host) => void begin(host),
  view: (address) => {
    const url = unsaid(address)
    if (url.href !== address.href) history.replaceState(history.state, '', url)
    const route = routeOf(url)
    if (route.page !== 'record') memos?.leaveRecording()
    return html`<memos-screens .memos=${memos} .route=${route}></memos-screens>`
  },
  leave: () => memos?.leaveRecording(),
}
