/**
 * Several files as one .zip, made while it is read: nothing is compressed, so its size is known before (APPNOTE 6.3.10).
 *
 *   for each file: local header ‖ its bytes ‖ data descriptor (its CRC is known only then); at the end the directory
 *
 * Fields that do not fit 32 (or 16) bits are all ones, and stand in a ZIP64 field.
 */
export interface ZipEntry {
  /** '/' between its parts; clean. */
  path: string
  /** Bytes. */
  size: number
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>
}

type Bytes = Uint8Array<ArrayBuffer>

const max32 = 0xffffffff
const max16 = 0xffff
/** Bytes of a chunk, but for the last. */
const least = 64 << 10
/** The CRC follows the data; names are UTF-8. */
const flags = 0x0808

/** date: when the files are said to have been changed, in local time. */
export function zip(entries: readonly ZipEntry[], date = new Date()): { size: number; stream: ReadableStream<Bytes> } {
  return { size: sizeOf(entries), stream: fromChunks(gathered(chunks(entries, stamp(date)))) }
}

async function* chunks(entries: readonly ZipEntry[], time: number): AsyncGenerator<Bytes> {
  const directory: Bytes[] = []
  let at = 0
  for (const { path, size, stream } of entries) {
    const name = new TextEncoder().encode(path)
    const long = size >= max32
    const head = local(name, long, time)
    yield head
    let crc = 0
    let seen = 0
    for await (const chunk of size ? streamed(stream()) : []) {
      crc = crc32(chunk, crc)
      seen += chunk.length
      yield chunk
    }
    if (seen !== size) throw new Error(`${path} is not as long as it was said to be`)
    yield descriptor(crc, size, long)
    directory.push(central({ name, crc, size, at, time }))
    at += head.length + size + (long ? 24 : 16)
  }
  yield* directory
  yield end(entries.length, directory.reduce((sum, { length }) => sum + length, 0), at)
}

function sizeOf(entries: readonly ZipEntry[]): number {
  let at = 0
  let directory = 0
  for (const { path, size } of entries) {
    const name = new TextEncoder().encode(path).length
    const long = size >= max32
    directory += 46 + name + extraOf(size, at).length
    at += 30 + name + (long ? 20 : 0) + size + (long ? 24 : 16)
  }
  return at + directory + (isLarge(entries.length, directory, at) ? 76 : 0) + 22
}

function local(name: Bytes, long: boolean, time: number): Bytes {
  // Sizes of a long file are given in 64 bits behind its data: the field says so.
  const extra = long ? record([2, 1], [2, 16], [8, 0], [8, 0]) : new Uint8Array()
  const size = long ? max32 : 0
  return concat(
    record([4, 0x04034b50], [2, long ? 45 : 20], [2, flags], [2, 0], [4, time], [4, 0], [4, size], [4, size]),
    record([2, name.length], [2, extra.length]),
    name,
    extra,
  )
}

const descriptor = (crc: number, size: number, long: boolean): Bytes =>
  record([4, 0x08074b50], [4, crc], [long ? 8 : 4, size], [long ? 8 : 4, size])

function central({ name, crc, size, at, time }: { name: Bytes; crc: number; size: number; at: number; time: number }): Bytes {
  const extra = extraOf(size, at)
  const version = extra.length ? 45 : 20
  const short = Math.min(size, max32)
  return concat(
    // Made on a system that has Unix's modes: an ordinary file, 0644.
    record([4, 0x02014b50], [2, 0x0300 | version], [2, version], [2, flags], [2, 0], [4, time], [4, crc]),
    record([4, short], [4, short], [2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0]),
    record([4, 0o100644 * 0x10000], [4, Math.min(at, max32)]),
    name,
    extra,
  )
}

function extraOf(size: number, at: number): Bytes {
  const fields: Field[] = []
  if (size >= max32) fields.push([8, size], [8, size])
  if (at >= max32) fields.push([8, at])
  return fields.length ? record([2, 1], [2, 8 * fields.length], ...fields) : new Uint8Array()
}

const isLarge = (count: number, size: number, at: number): boolean => count >= max16 || size >= max32 || at >= max32

function end(count: number, size: number, at: number): Bytes {
  const short = Math.min(count, max16)
  const last = record([4, 0x06054b50], [4, 0], [2, short], [2, short], [4, Math.min(size, max32)], [4, Math.min(at, max32)], [2, 0])
  if (!isLarge(count, size, at)) return last
  return concat(
    record([4, 0x06064b50], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, size], [8, at]),
    record([4, 0x07064b50], [4, 0], [8, at + size], [4, 1]),
    last,
  )
}

/** Bytes, and the number that they hold, little-endian. */
type Field = [length: 2 | 4 | 8, value: number]

function record(...fields: Field[]): Bytes {
  const bytes = new Uint8Array(fields.reduce((sum, [length]) => sum + length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const [length, value] of fields) {
    if (length === 2) view.setUint16(at, value, true)
    else if (length === 4) view.setUint32(at, value, true)
    else view.setBigUint64(at, BigInt(value), true)
    at += length
  }
  return bytes
}

function concat(...parts: Bytes[]): Bytes {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** MS-DOS time and date, in one number. */
function stamp(date: Date): number {
  const day = ((Math.max(1980, date.getFullYear()) - 1980) << 9) | ((date.getMonth() + 1) << 5) | date.getDate()
  const time = (date.getHours() << 11) | (date.getMinutes() << 5) | (date.getSeconds() >> 1)
  return day * 0x10000 + time
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n
})

/** Of bytes that follow those whose CRC-32 is before. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before
  for (let i = 0; i < bytes.length; i++) crc = table[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return ~crc >>> 0
}

/** Small chunks together, as each costs whoever takes it a message. */
async function* gathered(chunks: AsyncIterable<Bytes>): AsyncGenerator<Bytes> {
  let parts: Bytes[] = []
  let length = 0
  for await (const chunk of chunks) {
    parts.push(chunk)
    length += chunk.length
    if (length < least) continue
    yield parts.length > 1 ? concat(...parts) : chunk
    parts = []
    length = 0
  }
  if (length) yield concat(...parts)
}

/** Not all browsers can iterate over streams. */
async function* streamed(stream: ReadableStream<Bytes>): AsyncGenerator<Bytes> {
  const reader = stream.getReader()
  let over = false
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) {
        over = true
        return
      }
      yield value
    }
  } finally {
    if (!over) await reader.cancel()
  }
}

function fromChunks(chunks: AsyncGenerator<Bytes>): ReadableStream<Bytes> {
  return new ReadableStream(
    {
      async pull(controller) {
        const { value, done } = await chunks.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: async () => void (await chunks.return(undefined)),
    },
    { highWaterMark: 0 },
  )
}
