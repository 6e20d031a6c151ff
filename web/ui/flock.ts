/**
 * Sound drawn as a flock: each moment is a column of birds, as many and as far from the middle as it is loud. The same
 * column is always the same birds, so that a flock that scrolls or is played does not flicker.
 */

/** Between columns, CSS pixels. */
export const pitch = 4
/** Shades, faintest first. */
export const shades = [0.42, 0.68, 1]

export interface Bird {
  /** From the column's middle, CSS pixels. */
  dx: number
  /** From the middle line, CSS pixels. */
  dy: number
  radius: number
  /** Index into shades. */
  shade: number
}

/** Between 0 and 1, the same for the same two integers. */
function chance(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35)
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d)
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39)
  return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32
}

/** The birds of one column. loud: 0 to 1; reach: how far from the middle the loudest go, CSS pixels. */
export function birds(column: number, loud: number, reach: number): Bird[] {
  const spread = loud * reach
  const count = 1 + Math.round(spread / 3.4)
  return Array.from({ length: count }, (_, i) => {
    if (i === 0)
      return { dx: 0, dy: (chance(column, 0) - 0.5) * Math.min(2, spread), radius: 1, shade: loud > 0.06 ? 2 : 0 }
    const [side, far, aside, size] = [1, 2, 3, 4].map((salt) => chance(column, i * 7 + salt)) as [
      number,
      number,
      number,
      number,
    ]
    // Dense in the middle, a few stragglers outside.
    const out = ((i - far) / (count - 1)) ** 1.15
    return {
      dx: (aside - 0.5) * pitch * 1.5,
      dy: (side < 0.5 ? -1 : 1) * out * spread,
      radius: 0.75 + size * 0.75 * (1.15 - out * 0.5),
      shade: out > 0.82 ? 0 : out > 0.5 ? 1 : 2,
    }
  })
}

/** How loud each column is, 0 to 1, the loudest moment of all filling the height. peaks: 0 to 255. */
export function columns(peaks: Uint8Array, count: number): Float32Array {
  const loud = new Float32Array(count)
  if (!peaks.length) return loud
  const top = Math.max(64, ...peaks)
  for (let i = 0; i < count; i++) {
    const from = Math.floor((i * peaks.length) / count)
    const to = Math.max(from + 1, Math.floor(((i + 1) * peaks.length) / count))
    loud[i] = Math.max(...peaks.subarray(from, to)) / top
  }
  return loud
}

/** A canvas as large as its element, in device pixels; its context is scaled to CSS pixels and cleared. */
export function fit(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const scale = devicePixelRatio || 1
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)]
  if (canvas.width !== w) canvas.width = w
  if (canvas.height !== h) canvas.height = h
  const context = canvas.getContext('2d')!
  context.setTransform(scale, 0, 0, scale, 0, 0)
  context.clearRect(0, 0, width, height)
  return context
}

/** Draws birds given as x, y, radius triples, all in one shade. */
export function draw(context: CanvasRenderingContext2D, triples: number[], colour: string, shade: number): void {
  if (!triples.length) return
  context.globalAlpha = shades[shade]!
  context.fillStyle = colour
  context.beginPath()
  for (let i = 0; i < triples.length; i += 3) {
    const [x, y, radius] = [triples[i]!, triples[i + 1]!, triples[i + 2]!]
    context.moveTo(x + radius, y)
    context.arc(x, y, radius, 0, 7)
  }
  context.fill()
  context.globalAlpha = 1
}

/** The value of a colour token where an element stands. */
export const colour = (element: Element, token: string): string =>
  getComputedStyle(element).getPropertyValue(token).trim()

/** Calls then whenever colours may have changed; the returned function stops that. */
export function onScheme(then: () => void): () => void {
  const dark = matchMedia('(prefers-color-scheme: dark)')
  dark.addEventListener('change', then)
  return () => dark.removeEventListener('change', then)
}
