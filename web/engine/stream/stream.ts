import { random, toHex, type Bytes } from '../bytes.ts'
import type { RangeSource } from './source.ts'

/** Most bytes of one chunk. */
const most = 1 << 20

interface Range {
  start?: number
  end?: number
}

/** Bytes [start, end) of a file, by default all; read as they are wanted. An error of the source is the stream's. */
export function readable(source: RangeSource, { start = 0, end = source.size }: Range = {}): ReadableStream<Bytes> {
  const reader = `stream ${toHex(random(8))}`
  const last = Math.min(end, source.size)
  let at = Math.max(0, start)
  return new ReadableStream<Bytes>(
    {
      async pull(controller) {
        try {
          if (at < last) {
            const bytes = await source.read(at, Math.min(last, at + most), reader)
            at += bytes.length
            controller.enqueue(bytes)
          }
          if (at < last) return
          controller.close()
        } catch (error) {
          controller.error(error)
        }
        source.release(reader)
      },
      cancel: () => source.release(reader),
    },
    { highWaterMark: 0 },
  )
}
