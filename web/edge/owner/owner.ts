/**
 * The owner's page: /.starling/#KEY. It asks /.starling/figures.json (edge/stats.go) every few seconds and draws it. The
 * key is behind '#', which browsers send to no server; it is shown only in the header of those requests.
 */
import { choice, follow, tiles } from '../../plots/page.ts'
import { bytes, count, percent, Plot, type Bucket, type Spec } from '../../plots/plot.ts'

interface Figure extends Bucket {
  served: number
  peers: number
  http: number
  kept: number
  sent: number
  liars: number
  stalls: number
  links: number
  visitors: number
  causes: number[]
}

interface Figures {
  since: number
  total: Figure
  minutes: { each: number; buckets: Figure[] | null }
  hours: { each: number; buckets: Figure[] | null }
  causes: string[]
  now: { at: number; version: string; assets: number; bytes: number; torrents: number; visitors: number }
}

const every = 5_000
/** Where there are figures of less time, in seconds, the page begins with the last hour. */
const dayFrom = 2 * 3600
const reasons: Record<string, string> = {
  alone: 'nobody to ask', view: 'came into view', deadline: 'peers too slow', late: 'video: due soon', stale: 'the file has changed', failed: 'a fault',
}

let span: 'minutes' | 'hours' = 'minutes'
let last = 1440
let figures: Figures | undefined

const find = (id: string) => document.getElementById(id)!

/** P2P bytes ÷ all bytes. */
const offload = ({ peers, served }: Figure) => (peers + served ? peers / (peers + served) : 0)

/** The last stretches of time, with empty ones where nothing is known; few enough to be seen. */
function recent({ [span]: { each, buckets }, now }: Figures): Figure[] {
  const empty = (at: number): Figure =>
    ({ at, served: 0, peers: 0, http: 0, kept: 0, sent: 0, liars: 0, stalls: 0, links: 0, visitors: 0, causes: [] })
  const bars = Math.min(last, 72)
  const wide = each * Math.ceil(last / bars)
  const end = Math.floor(now.at / wide) * wide
  const all = Array.from({ length: bars }, (_, i) => empty(end - (bars - 1 - i) * wide))
  for (const bucket of buckets ?? []) {
    const into = all[bars - 1 - Math.floor((end + wide - 1 - bucket.at) / wide)]
    if (!into) continue
    for (const name of ['served', 'peers', 'http', 'kept', 'sent', 'liars', 'stalls'] as const) into[name] += bucket[name]
    for (const name of ['links', 'visitors'] as const) into[name] = Math.max(into[name], bucket[name])
    bucket.causes.forEach((value, i) => (into.causes[i] = (into.causes[i] ?? 0) + value))
  }
  return all
}

const plots = new Map(['Offload', 'Bytes', 'Visitors', 'Over HTTP, by cause'].map((title) => [title, new Plot<Figure>(title)]))
find('plots').append(...[...plots.values()].map(({ element }) => element))

function show(): void {
  if (!figures) return
  const buckets = recent(figures)
  const all = buckets.reduce((sum, { peers, served, liars, stalls }) => {
    return { ...sum, peers: sum.peers + peers, served: sum.served + served, liars: sum.liars + liars, stalls: sum.stalls + stalls }
  }, { ...buckets[0]!, peers: 0, served: 0, liars: 0, stalls: 0 })
  tiles(find('tiles'), [
    ['Offload', percent(offload(all))],
    ['Origin egress saved', bytes(all.peers)],
    ['Served here', bytes(all.served)],
    ['Visitors now', count(figures.now.visitors)],
    ['Liars banned', count(all.liars)],
    ['Videos that waited', count(all.stalls)],
    ['Assets', `${figures.now.assets} · ${bytes(figures.now.bytes)}`],
  ])
  const names = figures.causes
  const totals = names.map((_, i) => buckets.reduce((sum, { causes }) => sum + (causes[i] ?? 0), 0))
  const main = names.map((_, i) => i).sort((a, b) => totals[b]! - totals[a]!)
  const specs: Record<string, Spec<Figure>> = {
    'Offload': { unit: percent, top: 1, parts: [['from peers', offload]] },
    'Bytes': { unit: bytes, parts: [['from peers', ({ peers }) => peers], ['served here', ({ served }) => served]] },
    'Visitors': { unit: count, parts: [['at most, at once', ({ visitors }) => visitors]] },
    'Over HTTP, by cause': {
      unit: count, parts: [
        ...main.slice(0, 4).map((i): Spec<Figure>['parts'][number] => [reasons[names[i]!] ?? names[i]!, ({ causes }) => causes[i] ?? 0]),
        ['other', ({ causes }) => main.slice(4).reduce((sum, i) => sum + (causes[i] ?? 0), 0)],
      ],
    },
  }
  for (const [title, plot] of plots) plot.show(specs[title]!, buckets)
}

const stretches = document.querySelectorAll<HTMLButtonElement>('button[data-span]')
choice(stretches, (button) => {
  span = button.dataset.span as typeof span
  last = Number(button.dataset.last)
  show()
})
const key = location.hash.slice(1)
follow<Figures>('figures.json', key ? { Authorization: `Bearer ${key}` } : {}, every, find('say'), (answer) => {
  const young = !figures && answer.now.at - answer.since < dayFrom
  figures = answer
  // In a day, what has just begun is a line at the edge.
  if (young) stretches[0]!.click()
  else show()
})
