/**
 * Makes the WebM that MediaRecorder writes seekable (RFC 8794 EBML, RFC 9559 Matroska).
 *
 *   as recorded: EBML │ Segment, size unknown │ Info │ Tracks │ Cluster │ Cluster │ …
 *   afterwards:  EBML │ Segment, size known   │ Info + Duration │ Tracks │ Cues │ the same clusters
 *
 * Only the head is written anew; the clusters' bytes are taken over as they lie on disk. Anything unexpected leaves
 * the whole as it is: undefined.
 */
const id = {
  ebml: 0x1a45dfa3,
  segment: 0x18538067,
  seekHead: 0x114d9b74,
  void: 0xec,
  crc: 0xbf,
  info: 0x1549a966,
  tracks: 0x1654ae6b,
  tags: 0x1254c367,
  cues: 0x1c53bb6b,
  cluster: 0x1f43b675,
  scale: 0x2ad7b1,
  duration: 0x4489,
  title: 0x7ba9,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
  blockGroup: 0xa0,
  block: 0xa1,
  cuePoint: 0xbb,
  cueTime: 0xb3,
  cuePositions: 0xb7,
  cueTrack: 0xf7,
  cueCluster: 0xf1,
}
const topLevel = new Set([id.cluster, id.cues, id.tags, id.seekHead, id.info, id.tracks])
const maxHead = 256 * 1024
const maxClusters = 200_000
const maxCues = 4096
const window = 256 * 1024

type Bytes = Uint8Array<ArrayBuffer>

export interface Seekable {
  blob: Blob
  /** Seconds. */
  duration: number
}

/** title is written into the file, where given. */
export async function seekable(blob: Blob, title?: string): Promise<Seekable | undefined> {
  try {
    return await rebuild(blob, title)
  } catch (error) {
    if (error instanceof Unexpected) return undefined
    throw error
  }
}

class Unexpected extends Error {}

interface Element {
  id: number
  /** Where its data starts. */
  data: number
  /** Where it ends; Infinity when its size is unknown. */
  end: number
}

/** Reads along a blob, a window at a time. */
class Reader {
  readonly size: number
  readonly #blob: Blob
  #start = 0
  #bytes: Bytes = new Uint8Array(0)

  constructor(blob: Blob) {
    this.#blob = blob
    this.size = blob.size
  }

  /** At least count bytes from at on, or all there are. */
  async at(at: number, count: number): Promise<Bytes> {
    if (at < this.#start || Math.min(at + count, this.size) > this.#start + this.#bytes.length) {
      this.#bytes = new Uint8Array(await this.#blob.slice(at, at + Math.max(window, count)).arrayBuffer())
      this.#start = at
    }
    return this.#bytes.subarray(at - this.#start)
  }

  /** undefined at the end, or where the rest is too short for an element's head. */
  async element(at: number): Promise<Element | undefined> {
    return element(await this.at(at, 12), at)
  }

  async data({ data, end }: Element): Promise<Bytes> {
    if (end > this.size || end - data > maxHead) throw new Unexpected()
    return (await this.at(data, end - data)).slice(0, end - data)
  }
}

function element(bytes: Uint8Array, at: number): Element | undefined {
  const idLength = Math.clz32(bytes[0] ?? 0) - 23
  if (idLength > 4) return undefined
  const sizeLength = Math.clz32(bytes[idLength] ?? 0) - 23
  if (sizeLength > 8 || idLength + sizeLength > bytes.length) return undefined
  const first = bytes[idLength]! & (0xff >> sizeLength)
  let size = first
  let unknown = first === 0xff >> sizeLength
  for (let i = 1; i < sizeLength; i++) {
    size = size * 256 + bytes[idLength + i]!
    unknown &&= bytes[idLength + i] === 0xff
  }
  const data = at + idLength + sizeLength
  return { id: uint(bytes.subarray(0, idLength)), data, end: unknown ? Infinity : data + size }
}

const uint = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum * 256 + byte, 0)

/** What the clusters hold: where each is and when it starts, in the file's ticks. */
interface Scan {
  clusters: { at: number; time: number }[]
  track: number
  end: number
}

async function rebuild(blob: Blob, title?: string): Promise<Seekable> {
  const reader = new Reader(blob)
  const head = await reader.element(0)
  if (head?.id !== id.ebml || !(head.end < maxHead)) throw new Unexpected()
  const segment = await reader.element(head.end)
  if (segment?.id !== id.segment) throw new Unexpected()

  let info: Bytes | undefined
  const kept: Bytes[] = []
  let at = segment.data
  for (let next = await reader.element(at); next?.id !== id.cluster; next = await reader.element(at)) {
    if (!next || next.end > maxHead) throw new Unexpected()
    if (next.id === id.info) info = await reader.data(next)
    else if (next.id === id.tracks || next.id === id.tags) kept.push(write(next.id, await reader.data(next)))
    else if (next.id !== id.seekHead && next.id !== id.void && next.id !== id.crc && next.id !== id.cues)
      throw new Unexpected()
    at = next.end
  }
  if (!info) throw new Unexpected()
  const { clusters, track, end } = await scan(reader, at, segment.end)
  const fields = children(info)
  const scale = uint(fields.find((field) => field.id === id.scale)?.bytes ?? new Uint8Array([0x0f, 0x42, 0x40]))
  if (!scale || !end) throw new Unexpected()

  const rewritten = [id.duration, id.void, id.crc, ...(title ? [id.title] : [])]
  const newInfo = write(
    id.info,
    ...fields.filter((field) => !rewritten.includes(field.id)).map((field) => write(field.id, field.bytes)),
    ...(title ? [write(id.title, new TextEncoder().encode(title))] : []),
    write(id.duration, float(end)),
  )
  const every = Math.ceil(clusters.length / maxCues)
  const cued = clusters.filter((_, i) => i % every === 0)
  // The length of Cues does not depend on the positions in it, so they can be counted from it.
  const cues = (before: number) =>
    write(
      id.cues,
      ...cued.map((cluster) =>
        write(
          id.cuePoint,
          write(id.cueTime, big(cluster.time)),
          write(
            id.cuePositions,
            write(id.cueTrack, Uint8Array.of(track)),
            write(id.cueCluster, big(before + cluster.at - at)),
          ),
        ),
      ),
    )
  const length = [newInfo, ...kept, cues(0)].reduce((sum, part) => sum + part.length, 0)
  const size = big(length + blob.size - at)
  size[0] = 1
  const ebml = await reader.data({ id: id.ebml, data: 0, end: head.end })
  const parts = [ebml, idBytes(id.segment), size, newInfo, ...kept, cues(length), blob.slice(at)]
  return { blob: new Blob(parts, { type: blob.type }), duration: (end * scale) / 1e9 }
}

async function scan(reader: Reader, first: number, segmentEnd: number): Promise<Scan> {
  const found: Scan = { clusters: [], track: 0, end: 0 }
  let [last, step] = [-1, 0]
  let at = first
  const stop = Math.min(reader.size, segmentEnd)
  while (at < stop) {
    const next = await reader.element(at)
    if (!next) break // Cut off in the middle of an element's head: what came before it stands.
    const cluster = found.clusters.at(-1)
    if (next.id === id.cluster) {
      if (found.clusters.push({ at, time: 0 }) > maxClusters) throw new Unexpected()
      at = next.data
    } else if (next.id === id.blockGroup) {
      at = next.data
    } else if (topLevel.has(next.id) || !cluster || next.end === Infinity) {
      throw new Unexpected()
    } else {
      if (next.id === id.timestamp)
        cluster.time = uint((await reader.at(next.data, 8)).subarray(0, Math.min(8, next.end - next.data)))
      else if (next.id === id.simpleBlock || next.id === id.block) {
        const block = await reader.at(next.data, 3)
        if (block.length < 3) break
        if (block[0]! < 0x80) throw new Unexpected()
        found.track ||= block[0]! & 0x7f
        const time = cluster.time + new DataView(block.buffer, block.byteOffset).getInt16(1)
        if (time > last) {
          if (last >= 0) step = time - last
          last = time
        }
      }
      at = next.end
    }
  }
  found.end = last < 0 ? 0 : last + step
  return found
}

/** The elements inside one, in bytes that are all here. */
function children(bytes: Bytes): { id: number; bytes: Bytes }[] {
  const found = []
  for (let at = 0; at < bytes.length;) {
    const next = element(bytes.subarray(at), at)
    if (!next || next.end > bytes.length) throw new Unexpected()
    found.push({ id: next.id, bytes: bytes.subarray(next.data, next.end) })
    at = next.end
  }
  return found
}

function write(element: number, ...parts: Bytes[]): Bytes {
  const size = big(parts.reduce((sum, part) => sum + part.length, 0))
  size[0] = 1
  const all = [idBytes(element), size, ...parts]
  const bytes = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of all) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

function idBytes(element: number): Bytes {
  const bytes = []
  for (let rest = element; rest; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Uint8Array.from(bytes)
}

/** Eight bytes, big-endian. */
function big(value: number): Bytes {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(Math.max(0, Math.round(value))))
  return bytes
}

function float(value: number): Bytes {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setFloat64(0, value)
  return bytes
}
