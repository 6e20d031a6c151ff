import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { seekable } from './webm.ts'

const hex = (text: string) => Uint8Array.from(text.match(/\S\S/g)!, (pair) => parseInt(pair, 16))
/** An element of up to 126 bytes. */
const el = (id: string, ...parts: Uint8Array[]) => {
  const data = parts.flatMap((part) => [...part])
  return Uint8Array.from([...hex(id), 0x80 | data.length, ...data])
}
const unknown = (id: string) => Uint8Array.from([...hex(id), 0x01, ...Array(7).fill(0xff)])
const block = (time: number, fill = 7) => el('a3', Uint8Array.of(0x81, time >> 8, time & 255, 0x80, fill, fill))

const ebml = el('1a45dfa3', el('4282', new TextEncoder().encode('webm')))
const info = el('1549a966', el('2ad7b1', hex('0f4240')), el('4d80', new TextEncoder().encode('muxer')))
const tracks = el('1654ae6b', el('ae', el('d7', Uint8Array.of(1))))
const cluster = (time: number, ...blocks: Uint8Array[]) => [
  unknown('1f43b675'),
  el('e7', Uint8Array.of(time >> 8, time & 255)),
  ...blocks,
]
const clusters = [
  ...cluster(0, block(0), block(60), block(120)),
  ...cluster(1000, block(0), block(60), block(500), block(560)),
]
const recorded = (...parts: Uint8Array[]) =>
  new Blob([ebml, unknown('18538067'), ...parts] as BlobPart[], { type: 'audio/webm;codecs=opus' })
const bytesOf = async (blob: Blob) => new Uint8Array(await blob.arrayBuffer())

const find = (all: Uint8Array, part: Uint8Array, from = 0) => {
  for (let i = from; i <= all.length - part.length; i++) if (part.every((byte, j) => all[i + j] === byte)) return i
  return -1
}

describe('a recorded WebM', () => {
  it('gets duration, cues and a size, and keeps its clusters byte for byte', async () => {
    const mended = (await seekable(recorded(info, tracks, ...clusters)))!
    expect(mended.duration).toBeCloseTo(1.62)
    expect(mended.blob.type).toBe('audio/webm;codecs=opus')
    const all = await bytesOf(mended.blob)
    const view = new DataView(all.buffer)
    const duration = find(all, hex('4489'))
    expect(view.getFloat64(duration + 10)).toBe(1620)
    expect(find(all, new TextEncoder().encode('muxer'))).toBeGreaterThan(0)

    const segment = find(all, hex('18538067')) + 12
    expect(Number(view.getBigUint64(segment - 8) & 0xffffffffffffffn)).toBe(all.length - segment)
    const first = find(all, hex('1f43b675'))
    expect([...all.subarray(first)]).toEqual(clusters.flatMap((part) => [...part]))

    const positions = []
    for (let at = find(all, hex('f1 01')); at >= 0 && at < first; at = find(all, hex('f1 01'), at + 1))
      positions.push(Number(view.getBigUint64(at + 9)))
    expect(positions).toEqual([first - segment, find(all, hex('1f43b675'), first + 1) - segment])
    expect(all[find(all, hex('f7 01')) + 9]).toBe(1) // the track
  })

  it('is read a part at a time however long it is', async () => {
    const large = (time: number) => {
      const data = new Uint8Array(20_000)
      data.set([0x81, time >> 8, time & 255, 0x80])
      return Uint8Array.from([...hex('a3 01'), 0, 0, 0, 0, 0, data.length >> 8, data.length & 255, ...data])
    }
    const blob = recorded(info, tracks, ...[0, 1, 2, 3].flatMap((i) => cluster(i * 1000, ...Array.from({ length: 15 }, (_, j) => large(j * 60)))))
    const parts = vi.spyOn(Blob.prototype, 'arrayBuffer')
    const mended = (await seekable(blob))!
    const longest = Math.max(...(await Promise.all(parts.mock.results.map(({ value }) => value as Promise<ArrayBuffer>))).map(({ byteLength }) => byteLength))
    parts.mockRestore()
    expect([blob.size > 1e6, longest < 300_000, mended.duration]).toEqual([true, true, 3.9])
    const [all, view] = [await bytesOf(mended.blob), new DataView(await mended.blob.arrayBuffer())]
    const [segment, first] = [find(all, hex('18538067')) + 12, find(all, hex('1f43b675'))]
    const cued = []
    for (let at = find(all, hex('f1 01')); at >= 0 && at < first; at = find(all, hex('f1 01'), at + 1))
      cued.push([...all.subarray(segment + Number(view.getBigUint64(at + 9))).subarray(0, 4)])
    expect(cued).toEqual(Array(4).fill([...hex('1f43b675')]))
    // Of the eleventh block of the last cluster only the beginning is left.
    expect((await seekable(blob.slice(0, blob.size - 100_000)))?.duration).toBeCloseTo(3.66)
  })

  it('of a single sound, and of thousands of clusters', async () => {
    expect((await seekable(recorded(info, tracks, ...cluster(0, block(100)))))!.duration).toBe(0.1)
    const many = Array.from({ length: 4097 }, (_, i) => cluster(i * 10, block(0), block(5))).flat()
    const mended = (await seekable(recorded(info, tracks, ...many)))!
    const head = Buffer.from(await mended.blob.slice(0, -4097 * 26).arrayBuffer()).toString('latin1')
    const cues = head.split('\xbb\x01').length - 1
    expect([mended.duration, cues]).toEqual([40.97, 2049])
  })

  it('can be given a title, as often as wanted', async () => {
    const once = (await seekable(recorded(info, tracks, ...clusters), 'Wren'))!
    const twice = (await seekable(once.blob, 'Robin'))!
    const text = new TextDecoder('latin1').decode(await bytesOf(twice.blob))
    expect([text.includes('Robin'), text.includes('Wren')]).toEqual([true, false])
    expect(twice.duration).toBeCloseTo(1.62)
    expect(await bytesOf((await seekable(once.blob, 'Wren'))!.blob)).toEqual(await bytesOf(once.blob))
  })

  it('may have more in it than Chromium writes, and keeps what stays true', async () => {
    const tags = el('1254c367', el('7373', hex('0102')))
    const half = el('1549a966', el('4489', hex('41200000')), el('2ad7b1', hex('07a120'))) // ticks of half a millisecond
    const group = el('a0', block(80).with(0, 0xa1), el('75a2', hex('05')))
    const mended = (await seekable(recorded(
      el('114d9b74', el('4dbb', hex('00'))), el('ec', hex('0000')), half, tracks, tags, ...cluster(0, block(0), block(60), group),
    )))!
    expect(mended.duration).toBeCloseTo(0.05)
    const all = await bytesOf(mended.blob)
    expect(find(all, hex('7373 82 0102'))).toBeGreaterThan(0)
    expect([find(all, hex('114d9b74')), find(all, hex('41200000'))]).toEqual([-1, -1])
    expect(new DataView(all.buffer).getFloat64(find(all, hex('4489')) + 10)).toBe(100)
  })

  it('cut off in the middle of a block still gets what is there', async () => {
    const all = await bytesOf(recorded(info, tracks, ...clusters))
    const mended = await seekable(new Blob([all.subarray(0, all.length - 3)]))
    expect(mended?.duration).toBeCloseTo(1.62)
  })

  it('is left alone when anything is not as expected', async () => {
    expect(await seekable(new Blob([]))).toBeUndefined()
    expect(await seekable(new Blob(['RIFF....WAVE']))).toBeUndefined()
    expect(await seekable(recorded(info, tracks))).toBeUndefined()
    expect(await seekable(recorded(tracks, ...clusters))).toBeUndefined()
    expect(await seekable(recorded(info, tracks, ...clusters, el('1c53bb6b', Uint8Array.of(1))))).toBeUndefined()
    expect(await seekable(recorded(info, tracks, ...cluster(0)))).toBeUndefined()
    expect(await seekable(recorded(hex('1549a966 0800 ffff ffff ffff ff'), tracks, ...clusters))).toBeUndefined()
  })

  it('never hangs or throws on damaged bytes', async () => {
    const good = await bytesOf(recorded(info, tracks, ...clusters))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 }),
        fc.nat(good.length),
        async (damage, length) => {
          const bytes = good.slice(0, length)
          for (const [at, byte] of damage) if (at < length) bytes[at] = byte
          const mended = await seekable(new Blob([bytes]))
          if (mended) expect(mended.blob.size).toBeLessThan(length + 4096)
        },
      ),
    )
  })
})
