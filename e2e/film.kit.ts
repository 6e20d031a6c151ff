/** A real film, made here: VP8 that Chromium encodes, in a WebM with its duration and an index. */
import type { Kit } from './harness/index.ts'
import { enter } from './harness/index.ts'

declare const lab: typeof import('./pages/film.page.ts')

/** Frames per second. */
const rate = 25

/** About that many seconds and bytes per second. Every player that plays WebM plays it, and may seek in it. */
export async function film(kit: Kit, seconds: number, speed: number): Promise<Buffer> {
  const [width, height] = [320, 240]
  const mark = kit.mark
  try {
    const place = await kit.lab(new URL('./pages/film.page.ts', import.meta.url))
    const { page } = await kit.person('chromium')
    await enter(page, place)
    const frames = await page.evaluate((...all) => lab.encode(...all), seconds * rate, rate, width, height, speed * 8)
    return webm(frames.map(({ key, data }) => ({ key, data: Buffer.from(data, 'base64') })), width, height)
  } finally {
    await kit.closeTo(mark)
  }
}

/** Matroska (RFC 9559), as much of it as WebM has: the index before what it points to, and a cluster for each key frame. */
function webm(frames: { key: boolean; data: Buffer }[], width: number, height: number): Buffer {
  const clusters: Buffer[] = []
  const starts: number[] = []
  const time = (frame: number) => (frame * 1000) / rate
  for (let i = 0; i < frames.length; ) {
    const first = i
    const blocks: Buffer[] = []
    do {
      const head = Buffer.from([0x81, 0, 0, frames[i]!.key ? 0x80 : 0])
      head.writeInt16BE(time(i - first), 1)
      blocks.push(element('a3', head, frames[i]!.data))
    } while (++i < frames.length && !frames[i]!.key)
    starts.push(time(first))
    clusters.push(element('1f43b675', number('e7', time(first)), ...blocks))
  }
  const duration = Buffer.alloc(8)
  duration.writeDoubleBE(time(frames.length))
  const info = element('1549a966', number('2ad7b1', 1_000_000), element('4489', duration), text('4d80', 'e2e'), text('5741', 'e2e'))
  const picture = element('e0', number('b0', width), number('ba', height))
  const tracks = element('1654ae6b', element('ae', number('d7', 1), number('73c5', 1), number('9c', 0), text('86', 'V_VP8'), number('83', 1), picture))
  // Every number is as long as another, so the index is as long whatever it says.
  const index = (places: number[]) =>
    element('1c53bb6b', ...places.map((place, i) => element('bb', number('b3', starts[i]!), element('b7', number('f7', 1), number('f1', place)))))
  let at = info.length + tracks.length + index(starts).length
  const places = clusters.map(({ length }) => (at += length) - length)
  const head = element(
    '1a45dfa3', number('4286', 1), number('42f7', 1), number('42f2', 4), number('42f3', 8), text('4282', 'webm'), number('4287', 2), number('4285', 2),
  )
  return Buffer.concat([head, element('18538067', info, tracks, index(places), ...clusters)])
}

function element(id: string, ...data: Buffer[]): Buffer {
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE(BigInt(data.reduce((sum, { length }) => sum + length, 0)))
  size[0] = 1
  return Buffer.concat([Buffer.from(id, 'hex'), size, ...data])
}

function number(id: string, value: number): Buffer {
  const data = Buffer.alloc(8)
  data.writeBigUInt64BE(BigInt(value))
  return element(id, data)
}

const text = (id: string, value: string) => element(id, Buffer.from(value))
