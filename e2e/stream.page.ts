import { serveRanges } from '../web/engine/stream/serve.ts'
import type { RangeSource } from '../web/engine/stream/source.ts'
import { fileURL } from '../web/engine/stream/url.ts'

const infoHash = 'd'.repeat(40)
const rate = 44_100
const seconds = 120
const head = 44
/** Bytes of the sound that is played here: more than what the service worker gives at once. */
export const size = head + seconds * rate * 2

/** Bytes of a WAV file, as they lie anywhere in it. */
function wav(start: number, end: number): Uint8Array<ArrayBuffer> {
  const header = new DataView(new ArrayBuffer(head))
  const text = (at: number, text: string) => [...text].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)))
  text(0, 'RIFF')
  header.setUint32(4, size - 8, true)
  text(8, 'WAVEfmt ')
  header.setUint32(16, 16, true)
  header.setUint16(20, 1, true)
  header.setUint16(22, 1, true)
  header.setUint32(24, rate, true)
  header.setUint32(28, rate * 2, true)
  header.setUint16(32, 2, true)
  header.setUint16(34, 16, true)
  text(36, 'data')
  header.setUint32(40, size - head, true)
  return Uint8Array.from({ length: end - start }, (_, i) => {
    const at = start + i
    if (at < head) return header.getUint8(at)
    const sample = Math.round(Math.sin((at - (at % 2)) / 60) * 8000) & 0xffff
    return at % 2 ? sample >> 8 : sample & 0xff
  })
}

/** What is "here", as ranges of bytes; reads of anything else wait. */
const here: [number, number][] = []
let changed: (() => void)[] = []
const reads: number[] = []
const released = new Set<string>()
const readers = new Set<string>()

export function arrive(start: number, end: number): void {
  here.push([start, end])
  for (const wake of changed) wake()
}

const source: RangeSource = {
  name: 'tone.wav',
  type: 'audio/wav',
  size,
  async read(start, end, reader) {
    reads.push(start)
    readers.add(reader)
    for (;;) {
      const range = here.find(([from, to]) => from <= start && start < to)
      if (range) return wav(start, Math.min(end, range[1]))
      await new Promise<void>((resolve) => changed.push(resolve))
      changed = []
    }
  },
  release: (reader) => void released.add(reader),
}

export const log = () => ({
  furthest: Math.max(0, ...reads),
  readers: readers.size,
  released: released.size,
})

/** Registers the service worker. With has, this tab can supply the sound; type and name are what it claims to be. */
export async function start(has: boolean, type = source.type, name = source.name): Promise<string | undefined> {
  await navigator.serviceWorker.register('/sw.js')
  serveRanges(async (hash, file) => (has && hash === infoHash && file === 0 ? { ...source, type, name } : undefined))
  return fileURL(infoHash, 0, name)
}

let audio: HTMLAudioElement

export function play(url: string, at = 0): void {
  audio = document.body.appendChild(new Audio(url))
  // A machine for tests may have no sound; Firefox then plays only what is not to be heard.
  audio.muted = true
  if (at) audio.currentTime = at
  void audio.play().catch(() => undefined)
}

export const seek = (to: number) => void (audio.currentTime = to)
export const player = () => ({
  time: audio.currentTime,
  ended: audio.ended,
  duration: audio.duration,
  error: audio.error?.message ?? null,
})

export async function get(url: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(url, { headers, method })
  return {
    status: response.status,
    length: response.headers.get('Content-Length'),
    range: response.headers.get('Content-Range'),
    type: response.headers.get('Content-Type'),
    bytes: [...new Uint8Array(await response.arrayBuffer())].slice(0, 8),
  }
}

/** Reads a little, then no more. */
export async function taste(url: string): Promise<void> {
  const reader = (await fetch(url)).body!.getReader()
  await reader.read()
  await reader.cancel()
}

/** Whether this origin would run the file as a script. */
export const run = (url: string) =>
  new Promise<string>((resolve) => {
    const script = document.head.appendChild(document.createElement('script'))
    script.onload = () => resolve('ran')
    script.onerror = () => resolve('refused')
    script.src = url
  })
