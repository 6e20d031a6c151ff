/**
 * The owner's page: /.starling/#KEY. It asks /.starling/figures.json (edge/stats.go) every few seconds and draws it. The
 * key is behind '#', which browsers send to no server; it is shown only in the header of those requests.
 */
interface Bucket {
  /** Seconds since 1970. */
  at: number
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
  total: Bucket
  minutes: { each: number; buckets: Bucket[] | null }
  hours: { each: number; buckets: Bucket[] | null }
  causes: string[]
  now: { version: string; assets: number; bytes: number; torrents: number; visitors: number }
}

interface Plot {
  title: string
  unit: (value: number) => string
  /** Names and values, stacked from the bottom up. */
  parts: [name: string, value: (bucket: Bucket) => number][]
  /** The highest value there can be. */
  top?: number
}

const every = 5_000
const reasons: Record<string, string> = {
  alone: 'nobody to ask', view: 'came into view', deadline: 'peers too slow', late: 'video: due soon', stale: 'the file has changed', failed: 'a fault',
}

let span: 'minutes' | 'hours' = 'minutes'
let last = 1440
let figures: Figures | undefined

const find = (id: string) => document.getElementById(id)!
const key = location.hash.slice(1)

function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value >= 100 || !unit ? Math.round(value) : value.toPrecision(2)} ${units[unit]}`
}

const percent = (value: number) => `${Math.round(value * 100)} %`
const count = (value: number) => String(Math.round(value))
/** P2P bytes ÷ all bytes. */
const offload = ({ peers, served }: Bucket) => (peers + served ? peers / (peers + served) : 0)

function make<K extends keyof HTMLElementTagNameMap>(name: K, text = '', className = ''): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  element.textContent = text
  if (className) element.className = className
  return element
}

function draw(name: string, attributes: Record<string, string | number>, text = ''): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, String(value))
  element.textContent = text
  return element
}

/** The last stretches of time, with empty ones where nothing is known; few enough to be seen. */
function recent({ [span]: { each, buckets } }: Figures): Bucket[] {
  const empty = (at: number): Bucket =>
    ({ at, served: 0, peers: 0, http: 0, kept: 0, sent: 0, liars: 0, stalls: 0, links: 0, visitors: 0, causes: [] })
  const bars = Math.min(last, 72)
  const wide = each * Math.ceil(last / bars)
  const end = Math.floor(Date.now() / 1000 / wide) * wide
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

function plot({ title, unit, parts, top }: Plot, buckets: Bucket[]): HTMLElement {
  const [width, height, left] = [480, 150, 68]
  const figure = make('figure')
  const caption = make('figcaption')
  caption.append(make('h2', title))
  parts.forEach(([name], i) => caption.append(make('span', name, `key c${i}`)))
  const sums = buckets.map((bucket) => parts.reduce((sum, [, value]) => sum + value(bucket), 0))
  const most = top ?? Math.max(...sums, 1)
  const svg = draw('svg', { viewBox: `0 0 ${width} ${height + 18}`, role: 'img', 'aria-label': `${title}: at most ${unit(Math.max(...sums))}` })
  for (const share of [0, 0.5, 1]) {
    const y = height - share * (height - 8)
    svg.append(draw('line', { x1: left, x2: width, y1: y, y2: y }), draw('text', { x: left - 6, y: y + 4, 'text-anchor': 'end' }, unit(share * most)))
  }
  const step = (width - left) / buckets.length
  buckets.forEach((bucket, i) => {
    let y = height
    parts.forEach(([name, value], part) => {
      const tall = (Math.min(value(bucket), most) / most) * (height - 8)
      if (!tall) return
      y -= tall
      const bar = draw('rect', { x: left + i * step, y, width: Math.max(1, step - 1), height: tall, class: `c${part}` })
      bar.append(draw('title', {}, `${new Date(bucket.at * 1000).toLocaleString()}: ${unit(value(bucket))} ${name}`))
      svg.append(bar)
    })
  })
  const time = (at: number) => new Date(at * 1000).toLocaleString(undefined, last > 60 && span === 'hours' ? { day: 'numeric', month: 'short' } : { hour: 'numeric', minute: '2-digit' })
  svg.append(draw('text', { x: left, y: height + 14 }, time(buckets[0]!.at)), draw('text', { x: width, y: height + 14, 'text-anchor': 'end' }, 'now'))
  figure.append(caption, svg)
  return figure
}

function show(): void {
  if (!figures) return
  const buckets = recent(figures)
  const all = buckets.reduce((sum, { peers, served, liars, stalls }) => {
    return { ...sum, peers: sum.peers + peers, served: sum.served + served, liars: sum.liars + liars, stalls: sum.stalls + stalls }
  }, { ...buckets[0]!, peers: 0, served: 0, liars: 0, stalls: 0 })
  const tiles: [string, string][] = [
    ['Offload', percent(offload(all))],
    ['Origin egress saved', bytes(all.peers)],
    ['Served here', bytes(all.served)],
    ['Visitors now', count(figures.now.visitors)],
    ['Liars banned', count(all.liars)],
    ['Videos that waited', count(all.stalls)],
    ['Assets', `${figures.now.assets} · ${bytes(figures.now.bytes)}`],
  ]
  find('tiles').replaceChildren(...tiles.map(([name, value]) => {
    const tile = make('div')
    tile.append(make('dt', name), make('dd', value))
    return tile
  }))
  const names = figures.causes
  const totals = names.map((_, i) => buckets.reduce((sum, { causes }) => sum + (causes[i] ?? 0), 0))
  const main = names.map((_, i) => i).sort((a, b) => totals[b]! - totals[a]!)
  const plots: Plot[] = [
    { title: 'Offload', unit: percent, top: 1, parts: [['from peers', offload]] },
    { title: 'Bytes', unit: bytes, parts: [['from peers', ({ peers }) => peers], ['served here', ({ served }) => served]] },
    { title: 'Visitors', unit: count, parts: [['at most, at once', ({ visitors }) => visitors]] },
    {
      title: 'Over HTTP, by cause', unit: count, parts: [
        ...main.slice(0, 4).map((i): Plot['parts'][number] => [reasons[names[i]!] ?? names[i]!, ({ causes }) => causes[i] ?? 0]),
        ['other', ({ causes }) => main.slice(4).reduce((sum, i) => sum + (causes[i] ?? 0), 0)],
      ],
    },
  ]
  find('plots').replaceChildren(...plots.map((one) => plot(one, buckets)))
}

async function load(): Promise<void> {
  try {
    const response = await fetch('figures.json', { headers: key ? { Authorization: `Bearer ${key}` } : {}, cache: 'no-store' })
    if (!response.ok) throw new Error(await response.text())
    figures = (await response.json()) as Figures
    find('say').textContent = ''
    show()
  } catch (error) {
    find('say').textContent = error instanceof TypeError ? 'The site does not answer. Trying again.' : (error as Error).message
  }
  setTimeout(() => void load(), every)
}

for (const button of document.querySelectorAll<HTMLButtonElement>('button[data-span]')) {
  button.addEventListener('click', () => {
    for (const other of document.querySelectorAll('button[data-span]')) other.setAttribute('aria-pressed', String(other === button))
    span = button.dataset.span as typeof span
    last = Number(button.dataset.last)
    show()
  })
}
void load()
