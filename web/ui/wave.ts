import { html } from 'lit'
import { PageElement } from './element.ts'
import { birds, colour, columns, draw, fit, onScheme, pitch, shades } from './flock.ts'
import { clock } from './words.ts'

/**
 * The drawing of a sound, and where in it the player is: a slider, with arrows of five seconds. Tells of a change by
 * the user with a CustomEvent 'seek' whose detail is in seconds; while it is dragged, with 'scrub', which says where it
 * would go, and undefined once it is let go of.
 */
export class Wave extends PageElement {
  static override properties = {
    peaks: { attribute: false },
    duration: { type: Number },
    time: { type: Number },
    playing: { type: Boolean },
    loaded: { type: Number },
    label: {},
  }
  /** See memos/peaks.ts. */
  declare peaks: Uint8Array
  /** Seconds. */
  declare duration: number
  declare time: number
  /** Its time runs on by itself. */
  declare playing: boolean
  /** The share of it that is here, 0 to 1: the rest is drawn faintly. */
  declare loaded: number
  declare label: string

  #size = { width: 0, height: 0 }
  /** The flock for #size and #drawn: per shade, x, y, radius triples in order of x. */
  #flock: number[][] = []
  #drawn: Uint8Array | undefined
  #dragging: number | undefined
  /** What time was when it was drawn last. */
  #last = 0

  constructor() {
    super()
    this.peaks = new Uint8Array(0)
    this.duration = this.time = 0
    this.playing = false
    this.loaded = 1
    this.label = 'Position'
  }

  override connectedCallback(): void {
    super.connectedCallback()
    const sizes = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect
      this.#size = { width, height }
      this.#drawn = undefined
      this.requestUpdate()
    })
    sizes.observe(this)
    this.onLeave(() => sizes.disconnect())
    this.onLeave(onScheme(() => this.requestUpdate()))
    this.addEventListener('keydown', this.#key)
    this.addEventListener('pointerdown', this.#down)
    this.addEventListener('pointermove', this.#move)
    this.addEventListener('pointerup', this.#up)
    this.addEventListener('pointercancel', this.#cancel)
    this.setAttribute('role', 'slider')
    this.tabIndex = 0
  }

  readonly #key = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const to = {
      ArrowLeft: this.time - 5,
      ArrowDown: this.time - 5,
      ArrowRight: this.time + 5,
      ArrowUp: this.time + 5,
      PageDown: this.time - 15,
      PageUp: this.time + 15,
      Home: 0,
      End: this.duration,
    }[event.key]
    if (to === undefined) return
    event.preventDefault()
    this.#seek(to)
  }

  readonly #down = (event: PointerEvent): void => {
    if (event.button) return
    this.setPointerCapture(event.pointerId)
    this.#drag(event)
  }

  readonly #move = (event: PointerEvent): void => {
    if (this.#dragging !== undefined) this.#drag(event)
  }

  readonly #up = (): void => {
    const to = this.#dragging
    this.#hold(undefined)
    if (to !== undefined) this.#seek(to)
  }

  readonly #cancel = (): void => this.#hold(undefined)

  #hold(seconds: number | undefined): void {
    this.#dragging = seconds
    this.requestUpdate()
    this.dispatchEvent(new CustomEvent('scrub', { detail: seconds }))
  }

  #drag(event: PointerEvent): void {
    const { left, width } = this.getBoundingClientRect()
    this.#hold((Math.min(1, Math.max(0, (event.clientX - left) / width)) || 0) * this.duration)
  }

  #seek(seconds: number): void {
    this.dispatchEvent(new CustomEvent('seek', { detail: Math.min(this.duration, Math.max(0, seconds)) }))
  }

  protected override render() {
    return html`
      <canvas aria-hidden="true"></canvas>
    `
  }

  protected override updated(): void {
    const time = Math.min(this.duration, this.#dragging ?? this.time)
    const ran = time - this.#last
    this.#last = time
    // The keys go further, and a page that is busy less far.
    const runsOn = this.playing && this.#dragging === undefined && ran >= 0 && ran < 4
    // Where it has the focus, screen readers would read every second aloud, over the sound.
    if (!runsOn || document.activeElement !== this) this.#tell(time)
    this.#draw(this.duration > 0 ? time / this.duration : 0)
  }

  #tell(time: number): void {
    this.ariaLabel = this.label
    this.setAttribute('aria-valuemin', '0')
    this.setAttribute('aria-valuemax', String(Math.floor(this.duration)))
    this.setAttribute('aria-valuenow', String(Math.floor(time)))
    this.setAttribute('aria-valuetext', `${clock(time)} of ${clock(this.duration)}`)
  }

  #draw(played: number): void {
    const { width, height } = this.#size
    const canvas = this.querySelector('canvas')
    if (!canvas || !width) return
    if (this.#drawn !== this.peaks) this.#arrange()
    const context = fit(canvas, width, height)
    const [ink, accent] = [colour(this, '--wave'), colour(this, '--accent')]
    const at = played * width
    const part = (from: number, to: number, ink: string, only?: number) => {
      context.save()
      context.beginPath()
      context.rect(from, 0, to - from, height)
      context.clip()
      for (const [shade, triples] of this.#flock.entries()) draw(context, triples, ink, only ?? shade)
      context.restore()
    }
    const here = Math.max(at, this.loaded * width)
    part(0, at, accent)
    part(at, here, ink)
    if (here < width) part(here, width, colour(this, '--wave-absent'))
    if (played > 0 || this.#dragging !== undefined) {
      context.fillStyle = accent
      context.fillRect(Math.min(width - 1.5, Math.max(0, at - 0.75)), 0, 1.5, height)
    }
  }

  #arrange(): void {
    const { width, height } = this.#size
    const loud = columns(this.peaks, Math.max(1, Math.floor(width / pitch)))
    this.#flock = shades.map(() => [])
    for (const [i, value] of loud.entries()) {
      const x = (i + 0.5) * (width / loud.length)
      for (const { dx, dy, radius, shade } of birds(i, value, height / 2 - 3))
        this.#flock[shade]!.push(x + dx, height / 2 + dy, radius)
    }
    this.#drawn = this.peaks
  }
}

customElements.define('ui-wave', Wave)
