import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Bytes } from '../bytes.ts'
import { encode } from '../torrent/bencode.ts'
import { makeInfo } from '../torrent/making.ts'
import { parseInfo, type Info } from '../torrent/metainfo.ts'
import { WebSeed } from './webseed.ts'

const pieceLength = 65_536
const data = Uint8Array.from({ length: 5 * pieceLength + 1000 }, (_, i) => (i * 31) ^ (i >> 9))
const single = parseInfo(makeInfo({
  name: 'a b.bin', files: [{ path: 'a b.bin', size: data.length }], pieceLength, hashes: new Uint8Array(120),
}))

type Answer = (request: IncomingMessage, response: ServerResponse, content: Uint8Array) => void

/** As a good server does: ranges of what it has. */
const ranges: Answer = (request, response, content) => {
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range!)!
  response.writeHead(206, { 'content-range': `bytes ${start}-${end}/${content.length}` })
  response.end(content.subarray(Number(start), Number(end) + 1))
}

let server: Server
let base: string
/** What each request asked for. */
let asked: string[]
let files: Record<string, Uint8Array>
let answer: Answer

beforeEach(async () => {
  asked = []
  files = { '/f.bin': data }
  answer = ranges
  server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.range}`)
    const content = files[request.url!]
    if (content) answer(request, response, content)
    else response.writeHead(404).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(() => {
  vi.useRealTimers()
  server.closeAllConnections()
  return new Promise((resolve) => server.close(resolve))
})

const never = new AbortController().signal

/** Fetches, and gives the indices that came, having checked their bytes. */
async function fetched(seed: WebSeed, first: number, count: number, whole: Uint8Array = data,
  signal = never): Promise<number[]> {
  const indices: number[] = []
  await seed.fetchPieces(first, count, (index, piece) => {
    expect(Buffer.compare(piece, whole.subarray(index * pieceLength, (index + 1) * pieceLength))).toBe(0)
    indices.push(index)
  }, signal)
  return indices
}

describe('a file', () => {
  test('a run of pieces is one request', async () => {
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    expect(await fetched(seed, 1, 3)).toEqual([1, 2, 3])
    expect(await fetched(seed, 5, 9)).toEqual([5])
    expect(asked).toEqual([`/f.bin bytes=65536-262143`, `/f.bin bytes=327680-328679`])
    expect(seed).toMatchObject({ failed: false, retryAt: 0 })
  })

  test("in a folder: the torrent's name is appended", async () => {
    files = { '/dir/a%20b.bin': data }
    expect(await fetched(new WebSeed({ url: `${base}/dir/`, info: single }), 0, 1)).toEqual([0])
  })

  test('a piece is given as soon as it is whole', async () => {
    let go!: () => void
    answer = (_request, response) => {
      response.writeHead(206).write(data.subarray(0, pieceLength + 5))
      go = () => response.end(data.subarray(pieceLength + 5, 2 * pieceLength))
    }
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    const indices: number[] = []
    await seed.fetchPieces(0, 2, (index) => {
      indices.push(index)
      if (index === 0) go()
    }, never)
    expect(indices).toEqual([0, 1])
  })

  test('from a server without ranges', async () => {
    answer = (_request, response, content) => response.writeHead(200).end(content)
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    expect(await fetched(seed, 0, 6)).toEqual([0, 1, 2, 3, 4, 5])
    // The rest is not waited for.
    const closed = new Promise<void>((resolve) => {
      answer = (_request, response, content) => {
        response.on('close', resolve)
        response.writeHead(200).write(content)
      }
    })
    expect(await fetched(seed, 2, 2)).toEqual([2, 3])
    await closed
  })

  test('elsewhere', async () => {
    answer = (request, response) => {
      files['/moved'] = data
      answer = ranges
      response.writeHead(302, { location: '/moved' }).end()
      expect(request.headers.range).toBe('bytes=65536-131071')
    }
    expect(await fetched(new WebSeed({ url: `${base}/f.bin`, info: single }), 1, 1)).toEqual([1])
    expect(asked[1]).toBe('/moved bytes=65536-131071')
  })
})

describe('several files', () => {
  const parts: [string, number][] = [['one', 100_000], ['none', 0], ['sub/zwei ü', 50_000],
    ['three', data.length - 150_000]]
  const info = parseInfo(makeInfo({
    name: 'my dir', files: parts.map(([path, size]) => ({ path, size })), pieceLength, hashes: new Uint8Array(120),
  }))
  beforeEach(() => {
    files = {
      '/t/my%20dir/one': data.subarray(0, 100_000), '/t/my%20dir/sub/zwei%20%C3%BC': data.subarray(100_000, 150_000),
      '/t/my%20dir/three': data.subarray(150_000),
    }
  })

  test.each(['/t', '/t/'])('one request for each that is touched, under %s', async (path) => {
    const seed = new WebSeed({ url: base + path, info })
    expect(await fetched(seed, 1, 2)).toEqual([1, 2])
    expect(asked).toEqual([
      '/t/my%20dir/one bytes=65536-99999', '/t/my%20dir/sub/zwei%20%C3%BC bytes=0-49999',
        '/t/my%20dir/three bytes=0-46607',
    ])
    expect(await fetched(seed, 3, 1)).toEqual([3])
    expect(asked.slice(3)).toEqual(['/t/my%20dir/three bytes=46608-112143'])
    expect(await fetched(seed, 0, 6)).toEqual([0, 1, 2, 3, 4, 5])
  })

  test('padding is zeros and asked of nobody', async () => {
    const padded: Info = parseInfo(encode({
      name: 'd', 'piece length': pieceLength, pieces: new Uint8Array(60), files: [
        { path: ['a'], length: 1000 }, { path: ['.pad', '1'], length: pieceLength - 1000, attr: 'p' },
        { path: ['b'], length: pieceLength }, { path: ['.pad', '2'], length: 100, attr: 'p' },
      ],
    }))
    files = { '/d/a': data.subarray(0, 1000), '/d/b': data.subarray(1000, 1000 + pieceLength) }
    const whole = new Uint8Array(2 * pieceLength + 100)
    whole.set(files['/d/a']!)
    whole.set(files['/d/b']!, pieceLength)
    expect(await fetched(new WebSeed({ url: base, info: padded }), 0, 3, whole)).toEqual([0, 1, 2])
    expect(asked).toEqual(['/d/a bytes=0-999', '/d/b bytes=0-65535'])
  })
})

describe('what goes wrong', () => {
  const status = (code: number): Answer => (_request, response) => void response.writeHead(code).end('words')

  test.each<[string, Answer]>([
    ['404', status(404)], ['403', status(403)], ['416', status(416)],
    ['another range than asked', (_request, response) => void response.writeHead(206,
      { 'content-range': `bytes 0-9/${data.length}` }).end('0123456789')],
    ['another size of file', (_request, response) => void response.writeHead(206,
      { 'content-range': 'bytes 65536-131071/131072' }).end(data.subarray(65_536, 131_072))],
  ])('%s: given up', async (_, given) => {
    answer = given
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    await expect(fetched(seed, 1, 1)).rejects.toThrow()
    expect(seed.failed).toBe(true)
    await expect(fetched(seed, 1, 1)).rejects.toThrow()
    expect(asked).toHaveLength(1)
  })

  test.each<[string, Answer]>([
    ['500', status(500)], ['503', status(503)], ['429', status(429)], ['204', status(204)],
    ['a body too short', (_request, response) => void response.writeHead(206).end(data.subarray(65_536, 70_000))],
    ['a whole file too short', (_request, response) => void response.writeHead(200).end(data.subarray(0, 70_000))],
    ['a connection cut', (_request, response) => void response.writeHead(206).write('x', () => response.destroy())],
  ])('%s: tried again after a while, and longer each time', async (_, given) => {
    answer = given
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    vi.useFakeTimers({ toFake: ['Date', 'performance'] })
    let last = 0
    for (let i = 0; i < 3; i++) {
      await expect(fetched(seed, 1, 1)).rejects.toThrow()
      expect(seed.failed).toBe(false)
      const pause = seed.retryAt - performance.now()
      expect(pause).toBeGreaterThanOrEqual(last)
      last = pause
      await expect(fetched(seed, 1, 1)).rejects.toThrow()
      expect(asked).toHaveLength(i + 1)
      // Somebody sets the clock: forward, back, and back again.
      vi.setSystemTime(Date.now() + [5, -5, -5][i]! * 3_600_000)
      await expect(fetched(seed, 1, 1)).rejects.toThrow()
      expect(asked).toHaveLength(i + 1)
      vi.advanceTimersByTime(pause)
    }
    answer = ranges
    expect(await fetched(seed, 1, 1)).toEqual([1])
  })

  test('for long: it is asked every few minutes, and is as good as any once it is back', async () => {
    answer = status(500)
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    vi.useFakeTimers({ toFake: ['performance'] })
    const pauses: number[] = []
    for (let i = 0; i < 20; i++) {
      expect(seed.failing).toBe(i >= 8)
      await expect(fetched(seed, 1, 1)).rejects.toThrow('500')
      pauses.push(seed.retryAt - performance.now())
      vi.advanceTimersByTime(pauses.at(-1)!)
    }
    for (const pause of pauses.slice(10)) expect([pause >= 150_000, pause <= 300_000]).toEqual([true, true])
    answer = ranges
    expect(await fetched(seed, 1, 1)).toEqual([1])
    expect(seed).toMatchObject({ failed: false, failing: false })
  })

  test('without a network it is not its fault, and it is asked again soon', async () => {
    vi.stubGlobal('navigator', { onLine: false })
    onTestFinished(() => void vi.unstubAllGlobals())
    vi.useFakeTimers({ toFake: ['performance'] })
    const cut = async () => { throw new TypeError('Failed to fetch') }
    const seed = new WebSeed({ url: 'https://seed.example/x', info: single, fetch: cut })
    for (let i = 0; i < 20; i++) {
      await expect(fetched(seed, 1, 1)).rejects.toThrow('Failed to fetch')
      const pause = seed.retryAt - performance.now()
      expect(pause).toBeLessThanOrEqual(1_000)
      vi.advanceTimersByTime(pause)
    }
    expect(seed.failing).toBe(false)
  })

  test('what came before is kept', async () => {
    answer = (_request, response) => void response.writeHead(206).end(data.subarray(0, pieceLength + 10))
    const indices: number[] = []
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    await expect(seed.fetchPieces(0, 3, (index) => indices.push(index), never)).rejects.toThrow('too little')
    expect(indices).toEqual([0])
  })

  test('more than was asked for is not taken', async () => {
    answer = (_request, response) => void response.writeHead(206).end(data.subarray(65_536))
    expect(await fetched(new WebSeed({ url: `${base}/f.bin`, info: single }), 1, 2)).toEqual([1, 2])
  })

  test('silence', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const reached = new Promise<void>((resolve) => (answer = () => resolve()))
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    const failed = expect(fetched(seed, 1, 1)).rejects.toThrow('silent')
    await reached
    vi.advanceTimersByTime(20_000)
    await failed
    expect(seed.retryAt).toBeGreaterThan(performance.now())
  })

  test.each([
    ['trickle', 100, 'silent'],
    ['slow line', 1_000, 'too little'],
  ])('a %s', async (_, each, words) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    let sent = 0
    const body = new ReadableStream({
      pull(controller) {
        vi.advanceTimersByTime(1_000)
        if (sent < pieceLength / 2) controller.enqueue(new Uint8Array(each))
        else controller.close()
        sent += each
      },
    })
    const slow = async (_: unknown, { signal }: RequestInit) =>
      new Response(body.pipeThrough(new TransformStream(), { signal: signal! }), { status: 206 })
    const seed = new WebSeed({ url: 'https://seed.example/x', info: single, fetch: slow as typeof fetch })
    await expect(fetched(seed, 1, 1)).rejects.toThrow(words)
    if (words === 'silent') expect(sent).toBeLessThan(3_000)
  })

  test('a large file on a server without ranges: not read over and over', async () => {
    const size = 100 << 20
    const large = parseInfo(makeInfo({
      name: 'a', files: [{ path: 'a', size }], pieceLength: 1 << 20, hashes: new Uint8Array(2000),
    }))
    answer = (_request, response) => void response.writeHead(200).write('x')
    const seed = new WebSeed({ url: `${base}/f.bin`, info: large })
    await expect(fetched(seed, 50, 1)).rejects.toThrow()
    expect(seed.failed).toBe(true)
  })

  test('a piece of it was wrong', async () => {
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    seed.giveUp()
    await expect(fetched(seed, 0, 1)).rejects.toThrow()
    expect(asked).toEqual([])
  })
})

describe('abort', () => {
  test('in mid-body is no failure, and the connection goes', async () => {
    const closed = new Promise<void>((resolve) => {
      answer = (_request, response) => {
        response.on('close', resolve)
        response.writeHead(206).write(data.subarray(0, pieceLength))
      }
    })
    const seed = new WebSeed({ url: `${base}/f.bin`, info: single })
    const stop = new AbortController()
    await expect(seed.fetchPieces(0, 2, () => stop.abort(), stop.signal)).rejects.toThrow()
    await closed
    expect(seed).toMatchObject({ failed: false, retryAt: 0 })
    await expect(fetched(seed, 0, 1, data, stop.signal)).rejects.toThrow()
    answer = ranges
    expect(await fetched(seed, 0, 1)).toEqual([0])
  })
})

test('a fetch of its own', async () => {
  const own = vi.fn<typeof fetch>(() => Promise.resolve(new Response(data.slice(0, pieceLength) as Bytes,
    { status: 206 })))
  expect(await fetched(new WebSeed({ url: 'https://seed.example/x', info: single, fetch: own }), 0, 1)).toEqual([0])
  expect(own).toHaveBeenCalledWith('https://seed.example/x', expect.objectContaining({ credentials: 'omit' }))
})
