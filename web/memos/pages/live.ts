import { html } from 'lit'
import { PageElement } from '../../ui/element.ts'
import { birds, colour, draw, fit, pitch, shades } from '../../ui/flock.ts'
import type { Level } from '../meter.ts'
import { peakByte } from '../peaks.ts'
import type { Recorder } from '../recorder.ts'

/** Lowest level that the meter shows, dB. */
const floor = -60

/** What the microphone hears now: the flock that is being recorded, and its level. */
class Live extends PageElement {
  static override properties = { recorder: { attribute: false } }
  declare recorder: Recorder
  #heard: { loud: number; recording: boolean }[] = []
  /** How many were heard before #heard[0]: each keeps its own birds as they move along. */
  #gone = 0
  #level: Level = { rms: -100, peak: 0 }
  #last = 0
  #frame = 0
  #spoken = ''

  override connectedCallback(): void {
    super.connectedCallback()
    this.watch(this.recorder, 'level', (level) => {
      this.#level = level
      this.#last = performance.now()
      this.#heard.push({ loud: peakByte(level.peak) / 255, recording: this.recorder.state === 'recording' })
      if (this.#heard.length > 600) this.#gone += this.#heard.splice(0, 200).length
    })
    const tick = () => {
      this.#draw()
      this.#frame = requestAnimationFrame(tick)
    }
    this.#frame = requestAnimationFrame(tick)
    this.onLeave(() => cancelAnimationFrame(this.#frame))
  }

  protected override render() {
    return html`
      <canvas aria-hidden="true"></canvas>
      <div class="level" role="meter" aria-label="Level" aria-valuemin=${floor} aria-valuemax="0"><i></i></div>
    `
  }

  #draw(): void {
    const canvas = this.querySelector('canvas')
    const { clientWidth: width, clientHeight: height } = canvas ?? { clientWidth: 0, clientHeight: 0 }
    if (!canvas || !width) return
    const context = fit(canvas, width, height)
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
    const now = performance.now()
    // Between two levels the flock glides on.
    const glide = calm || !this.#heard.length ? 0 : Math.min(1, (now - this.#last) / 50)
    const flocks = [shades.map((): number[] => []), shades.map((): number[] => [])]
    for (let back = 0; back * pitch < width + pitch; back++) {
      const at = this.#heard.length - 1 - back
      const { loud, recording } = this.#heard[at] ?? { loud: 0, recording: false }
      const x = width - 6 - (back + glide) * pitch
      const column = this.#gone + at
      // The newest open their wings from the middle.
      const grow = Math.min(1, (back + glide + 0.6) / 3)
      for (const { dx, dy, radius, shade } of birds(column, loud * grow, height / 2 - 4)) {
        const sway = calm ? 0 : Math.sin(now / 420 + column * 0.35 + dy) * Math.min(2.2, Math.abs(dy) * 0.08)
        flocks[recording ? 1 : 0]![shade]!.push(x + dx, height / 2 + dy + sway, radius)
      }
    }
    for (const [kind, token] of [
      [0, '--wave-absent'],
      [1, '--wave'],
    ] as const) {
      for (const [shade, triples] of flocks[kind]!.entries()) draw(context, triples, colour(this, token), shade)
    }
    this.#meter()
  }

  #meter(): void {
    const meter = this.querySelector<HTMLElement>('.level')!
    const db = Math.max(floor, this.#level.rms)
    meter.style.setProperty('--level', String(1 - db / floor))
    meter.classList.toggle('loud', this.#level.peak >= 0.98)
    const spoken = String(Math.round(db / 3) * 3)
    if (spoken === this.#spoken) return
    this.#spoken = spoken
    meter.setAttribute('aria-valuenow', spoken)
    meter.setAttribute('aria-valuetext', `${spoken} dB`)
  }
}

customElements.define('memos-live', Live)
