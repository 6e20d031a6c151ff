import { html } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { birds, colour, draw, fit, onScheme, pitch, shades } from '../../ui/flock.ts'

export const empty = () => html`
  <div class="empty">
    <memos-skein></memos-skein>
    <h2>Record something</h2>
    <p>A thought, a tune, a message. It stays on this device until you send somebody the link.</p>
  </div>
`

/** Beside a list of which nothing is chosen. */
export const unchosen = () => html`
  <div class="empty">
    <memos-skein></memos-skein>
    <p>Choose a memo to hear it.</p>
  </div>
`

/** The flock of an empty page: a sound that nobody has made yet. */
class Skein extends PageElement {
  override connectedCallback(): void {
    super.connectedCallback()
    const sizes = new ResizeObserver(() => this.#draw())
    sizes.observe(this)
    this.onLeave(() => sizes.disconnect())
    this.onLeave(onScheme(() => this.#draw()))
  }

  protected override render() {
    return html`
      <canvas aria-hidden="true"></canvas>
    `
  }

  #draw(): void {
    const canvas = this.querySelector('canvas')
    const { clientWidth: width, clientHeight: height } = this
    if (!canvas || !width) return
    const context = fit(canvas, width, height)
    const count = Math.floor(width / pitch)
    const flock: number[][] = shades.map(() => [])
    for (let i = 0; i < count; i++) {
      const t = i / count
      // Two swells that hang together, the greater one first, in a bow that sinks and rises.
      const swell = (at: number, width: number) => Math.exp(-(((t - at) / width) ** 2))
      const loud =
        Math.sin(Math.PI * t) ** 0.6 * (0.92 * swell(0.33, 0.17) + 0.6 * swell(0.72, 0.13) + 0.16 * swell(0.53, 0.2))
      const y = height * (0.5 + 0.13 * Math.cos(5.4 * t + 0.5))
      for (const { dx, dy, radius, shade } of birds(i + 7, loud, height * 0.42))
        flock[shade]!.push((i + 0.5) * pitch + dx, y + dy, radius)
    }
    for (const [shade, triples] of flock.entries()) draw(context, triples, colour(this, '--wave'), shade)
  }
}

customElements.define('memos-skein', Skein)
