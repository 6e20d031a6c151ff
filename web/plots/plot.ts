/**
 * Plots of figures by stretches of time, for the pages of those who run a server: /stats (web/stats), and the owner's page
 * of a site (web/edge/owner).
 *
 *   buckets, oldest first ─► Plot ─► bars, stacked │ what there was at the cursor │ a table
 *
 * The cursor follows a pointer or a finger. For keyboards and screen readers it is a slider, whose value is what there was
 * then. Nothing here needs style attributes, which these pages' policies forbid.
 */
export interface Bucket {
  /** When it began, in seconds since 1970. */
  at: number
}

export interface Spec<B extends Bucket> {
  unit: (value: number) => string
  /** Names and values, stacked from the bottom up. */
  parts: [name: string, value: (bucket: B) => number][]
  /** The highest value there can be. */
  top?: number
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 })
export const count = (value: number) => compact.format(value)
export const percent = (value: number) => `${Math.round(value * 100)} %`

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  while (Math.round(value) >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value >= 99.5 || !unit ? Math.round(value) : value.toPrecision(2)} ${units[unit]}`
}

/** Which bucket has that time in it, or is the nearest to it. */
export function holding(buckets: readonly Bucket[], at: number): number {
  return Math.max(0, buckets.findLastIndex((bucket) => bucket.at <= at))
}

/** With the hour as people here count it, in English as all of the page is. at: seconds since 1970. */
export function when(at: number, options: Intl.DateTimeFormatOptions): string {
  const { hourCycle } = new Intl.DateTimeFormat(undefined, { hour: 'numeric' }).resolvedOptions()
  return new Date(at * 1000).toLocaleString('en-GB', { ...options, hourCycle })
}

export function make<K extends keyof HTMLElementTagNameMap>(name: K, text = '', className = ''): HTMLElementTagNameMap[K] {
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

/** The next number above that has a plain half, for scales that are read at a glance. */
function round(value: number): number {
  if (value <= 1) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value)!
}

const height = 168
const above = 10
const below = 22
const axis = 52

/** One plot, which is in element. */
export class Plot<B extends Bucket> {
  readonly element = make('figure')
  readonly #keys = make('div', '', 'keys')
  readonly #reading = make('p', '', 'reading')
  readonly #slider = make('div', '', 'slider')
  readonly #table = make('details')
  readonly #rows = make('table')
  #spec: Spec<B> = { unit: count, parts: [] }
  #buckets: B[] = []
  /** Which bucket is looked at; the last one unless somebody looks. */
  #cursor: number | undefined
  #drawn = ''

  readonly #title: string

  constructor(title: string) {
    this.#title = title
    const head = make('div', '', 'head')
    head.append(make('h2', title), this.#keys)
    this.#reading.ariaHidden = 'true' // it is the slider's value
    const slider = this.#slider
    slider.role = 'slider'
    slider.tabIndex = 0
    slider.ariaLabel = `${title}, by time`
    slider.ariaValueMin = '0'
    slider.addEventListener('keydown', (event) => this.#key(event))
    slider.addEventListener('pointermove', (event) => this.#point(event))
    slider.addEventListener('pointerdown', (event) => this.#point(event))
    slider.addEventListener('pointerleave', () => this.#look(undefined))
    // Who has come to it by keyboard reads one bucket, not every few seconds what the last one is by then.
    slider.addEventListener('focus', () => this.#look(this.#cursor ?? this.#buckets.length - 1))
    slider.addEventListener('blur', () => this.#look(undefined))
    new ResizeObserver(() => this.#draw()).observe(slider)
    const scroll = make('div', '', 'scroll')
    scroll.tabIndex = 0
    scroll.role = 'region'
    scroll.ariaLabel = `${title}, as a table`
    scroll.append(this.#rows)
    this.#table.append(make('summary', 'As a table'), scroll)
    this.#table.addEventListener('toggle', () => this.#list())
    this.element.append(head, this.#reading, slider, this.#table)
  }

  /** Shows other figures; there is at least one bucket. */
  show(spec: Spec<B>, buckets: B[]): void {
    // What is looked at stays so while time goes on.
    const at = this.#cursor === undefined ? undefined : this.#buckets[this.#cursor]!.at
    this.#spec = spec
    this.#buckets = buckets
    if (at !== undefined) this.#cursor = holding(buckets, at)
    const keyed = spec.parts.filter(([name]) => !this.#isWhole(name))
    this.#keys.replaceChildren(...keyed.map(([name], i) => make('span', name, `key c${i}`)))
    this.#slider.ariaValueMax = String(buckets.length - 1)
    this.#draw()
    this.#list()
  }

  #time(at: number): string {
    const days = this.#buckets.at(-1)!.at - this.#buckets[0]!.at > 2 * 86_400
    const time: Intl.DateTimeFormatOptions = { hour: 'numeric', minute: '2-digit' }
    return when(at, days ? { ...time, day: 'numeric', month: 'short' } : time)
  }

  /** One part that is called as the whole needs no key, and no name behind its number. */
  #isWhole(name: string): boolean {
    return name.toLowerCase() === this.#title.toLowerCase()
  }

  #words(bucket: B): string {
    const { unit, parts } = this.#spec
    return `${this.#time(bucket.at)}: ${parts.map(([name, value]) => unit(value(bucket)) + (this.#isWhole(name) ? '' : ` ${name}`)).join(', ')}`
  }

  #look(cursor: number | undefined): void {
    this.#cursor = cursor === undefined ? undefined : Math.max(0, Math.min(this.#buckets.length - 1, cursor))
    this.#draw()
  }

  #key(event: KeyboardEvent): void {
    const last = this.#buckets.length - 1
    const now = this.#cursor ?? last
    const to = { ArrowLeft: now - 1, ArrowDown: now - 1, ArrowRight: now + 1, ArrowUp: now + 1, PageDown: now - 10, PageUp: now + 10, Home: 0, End: last }[event.key]
    if (to === undefined) return
    event.preventDefault()
    this.#look(to)
  }

  #point({ clientX }: PointerEvent): void {
    const { left, width } = this.#slider.getBoundingClientRect()
    this.#look(Math.floor(((clientX - left - axis) / (width - axis)) * this.#buckets.length))
  }

  #draw(): void {
    const buckets = this.#buckets
    const width = this.#slider.clientWidth
    if (!buckets.length || !width) return
    const { unit, parts, top } = this.#spec
    const at = this.#cursor ?? buckets.length - 1
    this.#reading.textContent = this.#words(buckets[at]!)
    this.#slider.ariaValueNow = String(at)
    this.#slider.ariaValueText = this.#reading.textContent
    const values = parts.map(([, value]) => buckets.map(value))
    const drawn = JSON.stringify([width, this.#cursor, buckets[0]!.at, parts.map(([name]) => name), values])
    if (drawn === this.#drawn) return
    this.#drawn = drawn

    const sums = buckets.map((_, i) => values.reduce((sum, of) => sum + of[i]!, 0))
    const most = top ?? round(Math.max(...sums))
    const floor = height - below
    const tall = (value: number) => (Math.min(value, most) / most) * (floor - above)
    const step = (width - axis) / buckets.length
    const svg = draw('svg', { width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' })
    // There is no half of one byte.
    for (const share of unit(most / 2) === unit(most) ? [0, 1] : [0, 0.5, 1]) {
      const y = Math.round(floor - tall(share * most)) + 0.5
      svg.append(draw('line', { x1: axis, x2: width, y1: y, y2: y, class: share ? 'grid' : 'floor' }), draw('text', { x: axis - 8, y: y + 4, 'text-anchor': 'end' }, unit(share * most)))
    }
    const gap = step > 5 ? 1 : 0
    const feet = buckets.map(() => floor)
    values.forEach((of, part) => {
      let path = ''
      of.forEach((value, i) => {
        if (!value) return
        const foot = feet[i]!
        const head = foot - tall(value)
        feet[i] = head
        const x = axis + i * step
        path += `M${x.toFixed(1)} ${foot.toFixed(1)}V${head.toFixed(1)}H${(x + step - gap).toFixed(1)}V${foot.toFixed(1)}z`
      })
      svg.append(draw('path', { d: path, class: `c${part}` }))
    })
    if (this.#cursor !== undefined) {
      const x = axis + (this.#cursor + 0.5) * step
      svg.append(draw('line', { x1: x, x2: x, y1: above, y2: floor, class: 'cursor' }))
    }
    const middle = Math.floor(buckets.length / 2)
    svg.append(
      draw('text', { x: axis, y: height - 5 }, this.#time(buckets[0]!.at)),
      draw('text', { x: axis + (middle + 0.5) * step, y: height - 5, 'text-anchor': 'middle' }, this.#time(buckets[middle]!.at)),
      draw('text', { x: width, y: height - 5, 'text-anchor': 'end' }, 'now'),
    )
    this.#slider.replaceChildren(svg)
  }

  #list(): void {
    if (!this.#table.open) return
    const { unit, parts } = this.#spec
    const row = (cells: HTMLElement[]) => {
      const tr = make('tr')
      tr.append(...cells)
      return tr
    }
    const header = (text: string, scope: string) => Object.assign(make('th', text), { scope })
    this.#rows.replaceChildren(
      row([header('From', 'col'), ...parts.map(([name]) => header(name, 'col'))]),
      ...this.#buckets.toReversed().map((bucket) => row([header(this.#time(bucket.at), 'row'), ...parts.map(([, value]) => make('td', unit(value(bucket))))])),
    )
  }
}
