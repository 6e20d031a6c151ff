/**
 * The tracker's page of figures: /stats. It asks the same address for JSON (internal/httpd/stats.go) every few seconds and
 * draws it. A day has more minutes than a screen has room for, so each bar stands for several.
 *
 *   {since, last, minutes: {webrtc: [oldest, …, last], …}} ─► buckets ─► plots
 */
import { choice, follow, tiles } from '../plots/page.ts'
import { count, percent, Plot, when, type Bucket, type Spec } from '../plots/plot.ts'

/** Levels: the most there were at once. */
const levels = ['webrtc', 'ipv4', 'ipv6', 'swarms', 'sockets'] as const
/** How often something happened. */
const counts = ['websocketAnnounces', 'httpAnnounces', 'udpAnnounces', 'offers', 'answers', 'dropped', 'refused', 'mistaken'] as const

type Name = (typeof levels)[number] | (typeof counts)[number]

interface Day {
  /** Seconds since 1970: when counting began, and when the last minute began, which has not ended. */
  since: number
  last: number
  minutes: Record<Name, number[]>
}

type Minutes = Bucket & Record<Name, number>

const every = 10_000
/** The most bars of one plot. */
const bars = 96

let stretch = 1440
let day: Day | undefined

const find = (id: string) => document.getElementById(id)!

/** The last minutes in so many buckets, with zeros where nothing is known; counts per minute. */
function recent({ last, minutes }: Day): Minutes[] {
  const each = Math.ceil(stretch / bars)
  const buckets: Minutes[] = []
  // Buckets begin at full quarters of an hour and the like, whenever one looks.
  const end = Math.floor(last / 60 / each) * each
  for (let first = end - Math.ceil(stretch / each) * each + each; first <= end; first += each) {
    const bucket = { at: first * 60 } as Minutes
    const over = Math.min(each, last / 60 - first + 1)
    for (const name of [...levels, ...counts]) {
      const values = minutes[name]
      const from = values.length - 1 - (last / 60 - first)
      const own = values.slice(Math.max(0, from), Math.max(0, from + each))
      bucket[name] = levels.includes(name as never) ? Math.max(0, ...own) : own.reduce((sum, value) => sum + value, 0) / over
    }
    buckets.push(bucket)
  }
  return buckets
}

const specs: Record<string, Spec<Minutes>> = {
  'Peers': { unit: count, parts: [['WebRTC', (m) => m.webrtc], ['IPv4', (m) => m.ipv4], ['IPv6', (m) => m.ipv6]] },
  'Swarms': { unit: count, parts: [['swarms', (m) => m.swarms]] },
  'Announces per minute': { unit: count, parts: [['WebSocket', (m) => m.websocketAnnounces], ['HTTP', (m) => m.httpAnnounces], ['UDP', (m) => m.udpAnnounces]] },
  'Offers passed on per minute': {
    unit: count,
    parts: [['answered in time', (m) => m.answers], ['not answered', (m) => Math.max(0, m.offers - m.answers - m.dropped)], ['receiver too slow', (m) => m.dropped]],
  },
  'Connections': { unit: count, parts: [['connections', (m) => m.sockets]] },
  'Turned away per minute': { unit: count, parts: [['too many or too often', (m) => m.refused], ['mistaken requests', (m) => m.mistaken]] },
}
const plots = new Map(Object.keys(specs).map((title) => [title, new Plot<Minutes>(title)]))
find('plots').append(...[...plots.values()].map(({ element }) => element))

function show(): void {
  if (!day) return
  const { since, minutes } = day
  const now = (name: Name) => minutes[name].at(-1)!
  /** Of the last whole minute, if there is one. */
  const rate = (name: Name) => minutes[name].at(-2) ?? now(name)
  const total = (name: Name) => minutes[name].reduce((sum, value) => sum + value, 0)
  tiles(find('tiles'), [
    ['Peers', count(now('webrtc') + now('ipv4') + now('ipv6'))],
    ['Swarms', count(now('swarms'))],
    ['Connections', count(now('sockets'))],
    ['Announces per minute', count(rate('websocketAnnounces') + rate('httpAnnounces') + rate('udpAnnounces'))],
    ['Offers, this day', count(total('offers'))],
    ['Answered in time', total('offers') ? percent(Math.min(1, total('answers') / total('offers'))) : '–'],
  ])
  const buckets = recent(day)
  for (const [title, plot] of plots) plot.show(specs[title]!, buckets)
  find('since').textContent = `Counted since ${when(since, { dateStyle: 'medium', timeStyle: 'short' })}.`
}

choice(document.querySelectorAll<HTMLButtonElement>('button[data-minutes]'), (button) => {
  stretch = Number(button.dataset.minutes)
  show()
})
follow<Day>('stats', { Accept: 'application/json' }, every, find('say'), (answer) => {
  day = answer
  show()
})
