import 'fake-indexeddb/auto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MemoDb } from './db.ts'
import { Library, takeLength } from './library.ts'
import type { Meter } from './meter.ts'
import { Recorder, type Browser, type Outcome } from './recorder.ts'

class FakeTrack {
  readyState = 'live'
  muted = false
  label = 'Test microphone'
  onended: (() => void) | null = null
  stop(): void {
    this.readyState = 'ended'
  }
  unplug(): void {
    this.readyState = 'ended'
    this.onended?.()
  }
}

class FakeStream {
  readonly track = new FakeTrack()
  getTracks = () => [this.track]
  getAudioTracks = () => [this.track]
}

class FakeMediaRecorder {
  static made: FakeMediaRecorder[] = []
  /** Never says that it has stopped. */
  static stuck = false
  static isTypeSupported = (type: string) => type.startsWith('audio/ogg')
  state = 'inactive'
  readonly mimeType: string
  ondataavailable: ((event: { data: Blob }) => void) | undefined
  onstop: (() => void) | undefined
  onerror: ((event: unknown) => void) | undefined

  constructor(_stream: FakeStream, options: { mimeType: string }) {
    this.mimeType = options.mimeType
    FakeMediaRecorder.made.push(this)
  }
  start(): void {
    this.state = 'recording'
  }
  pause(): void {
    this.state = 'paused'
  }
  resume(): void {
    this.state = 'recording'
  }
  /** What it has and gives when it is asked. */
  pending = ''
  requestData(): void {
    const text = this.pending
    this.pending = ''
    this.data(text)
  }
  data(text: string): void {
    this.ondataavailable?.({ data: new Blob([text]) })
  }
  stop(): void {
    if (this.state === 'inactive') throw new DOMException('', 'InvalidStateError')
    this.state = 'inactive'
    if (FakeMediaRecorder.stuck) return
    queueMicrotask(() => {
      this.data('.')
      this.onstop?.()
    })
  }
}

let db: MemoDb
let time: number
let streams: FakeStream[]
let prompts: { allow(): void; deny(name?: string): void }[]
let browser: Browser
let recorder: Recorder
let outcomes: Outcome[]
let count = 0

beforeEach(async () => {
  db = new MemoDb(`recorder-${count++}`)
  FakeMediaRecorder.stuck = false
  ;[time, streams, prompts, outcomes, FakeMediaRecorder.made] = [0, [], [], [], []]
  const fake = {
    getUserMedia: () =>
      new Promise((resolve, reject) => {
        prompts.push({
          allow: () => resolve(streams[streams.push(new FakeStream()) - 1]!),
          deny: (name = 'NotAllowedError') => reject(new DOMException('', name)),
        })
      }),
    MediaRecorder: FakeMediaRecorder,
    meter: () => undefined,
    locks: undefined,
    now: () => time,
  }
  browser = fake as unknown as Browser
  recorder = new Recorder(db, browser)
  recorder.on('ended', (outcome) => outcomes.push(outcome))
})

afterEach(() => {
  vi.useRealTimers()
  return db.close()
})

const live = () => streams.filter((stream) => stream.track.readyState === 'live').length

async function record(): Promise<FakeMediaRecorder> {
  const started = recorder.start()
  prompts.at(-1)!.allow()
  await started
  expect(recorder.state).toBe('recording')
  return FakeMediaRecorder.made.at(-1)!
}

/** Waits until that many seconds are on disk. */
const saved = (seconds: number) =>
  new Promise<void>((resolve) => {
    const off = recorder.on('change', () => {
      if (recorder.saved >= seconds) resolve(off())
    })
  })

describe('the recorder', () => {
  it('makes a memo of what was said, with its true type and time', async () => {
    const fake = await record()
    time = 500
    fake.data('Hel')
    time = 1000
    const memo = (await recorder.stop())!
    expect(memo).toMatchObject({ duration: 1, type: 'audio/ogg;codecs=opus', description: '' })
    expect(await (await db.audio(memo.id))!.text()).toBe('Hel.')
    expect(await db.takes()).toEqual([])
    expect([recorder.state, live(), outcomes[0]?.reason]).toEqual(['idle', 0, 'stopped'])
  })

  it('counts only what is on disk', async () => {
    const fake = await record()
    time = 700
    expect(recorder.saved).toBe(0)
    const wrote = saved(0.7)
    fake.data('x')
    expect(recorder.saved).toBe(0)
    await wrote
    expect((await db.chunks((await db.takes())[0]!.id, 0, 9)).length).toBe(1)
    await recorder.stop()
  })

  it('leaves out pauses', async () => {
    const fake = await record()
    time = 1000
    recorder.pause()
    expect(recorder.state).toBe('paused')
    time = 60_000
    recorder.resume()
    time = 60_500
    fake.data('x')
    expect((await recorder.stop())!.duration).toBe(1.5)
  })

  it('makes of a cancelled recording a deleted memo, which can be restored', async () => {
    const fake = await record()
    fake.data('x')
    const memo = (await recorder.cancel())!
    const library = new Library(db)
    await library.reload()
    expect(library.memos).toEqual([])
    await library.restore([memo.id])
    expect(library.get(memo.id)?.id).toBe(memo.id)
    expect(await (await db.audio(memo.id))!.text()).toBe('x.')
  })

  it('keeps what there is when the microphone is unplugged', async () => {
    const fake = await record()
    fake.data('x')
    const ended = new Promise<Outcome>((resolve) => recorder.once('ended', resolve))
    streams[0]!.track.unplug()
    expect(await ended).toMatchObject({ reason: 'unplugged', memo: { type: 'audio/ogg;codecs=opus' } })
    expect(recorder.state).toBe('idle')
  })

  it('keeps all that there is when the browser breaks it off, also what was not on disk yet', async () => {
    const fake = await record()
    fake.data('x')
    const ended = new Promise<Outcome>((resolve) => recorder.once('ended', resolve))
    const error = new DOMException('', 'UnknownError')
    fake.onerror!({ error })
    const { reason, error: told, memo } = await ended
    expect([reason, told, await (await db.audio(memo!.id))!.text()]).toEqual(['failed', error, 'x.'])
  })

  it('has ended where the microphone was unplugged before anybody listened', async () => {
    const started = recorder.start()
    prompts[0]!.allow()
    streams[0]!.track.readyState = 'ended'
    const ended = new Promise<Outcome>((resolve) => recorder.once('ended', resolve))
    await started
    expect((await ended).reason).toBe('unplugged')
  })

  it('takes another microphone where the one that was chosen some other day is gone, but not where it is refused', async () => {
    const asked = vi.spyOn(browser, 'getUserMedia')
    const refused = recorder.start('chosen')
    prompts[0]!.deny()
    await expect(refused).rejects.toMatchObject({ name: 'NotAllowedError' })
    const started = recorder.start('chosen')
    prompts[1]!.deny('OverconstrainedError')
    await vi.waitUntil(() => prompts.length === 3)
    prompts[2]!.allow()
    await started
    expect(asked.mock.calls.map(([{ audio }]) => audio)).toEqual([{ deviceId: { exact: 'chosen' } }, { deviceId: { exact: 'chosen' } }, true])
    await recorder.cancel()
  })

  it('keeps what there is when the device is full, and says so', async () => {
    const fake = await record()
    const wrote = saved(1)
    time = 1000
    fake.data('kept')
    await wrote
    // What comes after what was lost would fit, and could not be played.
    vi.spyOn(db, 'addChunk').mockRejectedValueOnce(new DOMException('', 'QuotaExceededError'))
    const ended = new Promise<Outcome>((resolve) => recorder.once('ended', resolve))
    fake.data('lost')
    const outcome = await ended
    expect(outcome).toMatchObject({ reason: 'full', memo: { duration: 1 } })
    expect(await (await db.audio(outcome.memo!.id))!.text()).toBe('kept')
    expect((await record()).state).toBe('recording')
    await recorder.stop()
  })

  it('leaves the chunks where they are when not even the memo can be written', async () => {
    const fake = await record()
    fake.data('x')
    const end = db.endTake.bind(db)
    db.endTake = () => Promise.reject(new DOMException('', 'QuotaExceededError'))
    expect(await recorder.stop()).toBeUndefined()
    db.endTake = end
    expect(outcomes[0]?.reason).toBe('full')
    const library = new Library(db)
    await library.findInterrupted(undefined)
    expect((await library.recover(library.interrupted[0]!))?.size).toBe(2)
  })
})

describe('a microphone that is not heard', () => {
  const meter = { gathering: true, onlevel: undefined, take: () => new Uint8Array(0), close: () => undefined } as unknown as Meter
  let told: (string | undefined)[]

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    browser.meter = () => meter
    told = []
    recorder.on('change', () => {
      if (recorder.unheard !== told.at(-1)) told.push(recorder.unheard)
    })
  })

  /** Seconds in which the microphone gives chunks and levels. */
  async function hear(seconds: number, peak: number, fake?: FakeMediaRecorder): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      time += 1000
      fake?.data('x')
      meter.onlevel!({ rms: -100, peak })
      await vi.advanceTimersByTimeAsync(1000)
    }
  }

  it('the user is told while it records, and not any more when there is sound', async () => {
    const fake = await record()
    await hear(8, 0, fake)
    expect([told, recorder.state]).toEqual([['muted'], 'recording'])
    await hear(3, 0.1, fake)
    expect([told, recorder.state]).toEqual([['muted', undefined], 'recording'])
    expect((await recorder.stop())!.duration).toBe(11)
  })

  it('muted by its own switch, it is told of at the next look, where no level comes', async () => {
    await record()
    streams[0]!.track.muted = true
    time += 2000
    await vi.advanceTimersByTimeAsync(1000)
    expect(told).toEqual(['muted'])
    recorder.pause()
    expect(told).toEqual(['muted', undefined])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(recorder.unheard).toBeUndefined()
    await recorder.cancel()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('nothing comes from it: that is told, until something comes; a pause is not counted', async () => {
    const fake = await record()
    await hear(6, 0)
    expect([told, recorder.saved]).toEqual([['nothing'], 0])
    fake.data('x')
    recorder.pause()
    time += 60_000
    recorder.resume()
    await hear(2, 0.1)
    expect(told.at(-1)).toBeUndefined()
    await recorder.stop()
  })
})

it('is asked for what it has when that does not come by itself any more, as after the machine has slept', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const fake = await record()
  for (const [seconds, asked] of [[1, false], [2, true], [3, false], [4, true]] as const) {
    time = seconds * 1000
    fake.pending += seconds
    const wrote = saved(seconds)
    await vi.advanceTimersByTimeAsync(1000)
    expect(fake.pending === '').toBe(asked)
    if (asked) await wrote
  }
  expect(recorder.unheard).toBeUndefined()
  expect(await (await db.audio((await recorder.stop())!.id))!.text()).toBe('1234.')
})

it('what is on disk becomes a memo, also where the browser never says that it has stopped', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const fake = await record()
  time = 1000
  const wrote = saved(1)
  fake.data('x')
  await wrote
  FakeMediaRecorder.stuck = true
  const stopped = recorder.stop()
  expect(recorder.state).toBe('saving')
  await vi.advanceTimersByTimeAsync(10_000)
  const memo = (await stopped)!
  expect([await (await db.audio(memo.id))!.text(), recorder.state, live()]).toEqual(['x', 'idle', 0])
  fake.data('late')
  fake.onstop?.()
  expect([recorder.state, outcomes.length]).toEqual(['idle', 1])
})

it('a recorder that has stopped by itself does not keep Stop from saving', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const fake = await record()
  fake.data('x')
  fake.state = 'inactive'
  const stopped = recorder.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  expect((await stopped)?.size).toBe(1)
})

describe('the ways the original lost recordings', () => {
  it('Cancel before recording does not discard the next one', async () => {
    await recorder.cancel()
    const asking = recorder.start()
    await recorder.cancel()
    prompts[0]!.allow()
    await asking
    expect([recorder.state, live()]).toEqual(['idle', 0])
    ;(await record()).data('next')
    const memo = (await recorder.stop())!
    expect(memo.deleted).toBeUndefined()
    expect(await (await db.audio(memo.id))!.text()).toBe('next.')
  })

  it('a denial does not discard the next one', async () => {
    const asking = recorder.start()
    prompts[0]!.deny()
    await expect(asking).rejects.toMatchObject({ name: 'NotAllowedError' })
    expect(recorder.state).toBe('idle')
    ;(await record()).data('next')
    expect((await recorder.stop())!.deleted).toBeUndefined()
  })

  it('Stop while the permission prompt is open starts no hot microphone', async () => {
    const asking = recorder.start()
    expect(await recorder.stop()).toBeUndefined()
    expect(recorder.state).toBe('idle')
    prompts[0]!.allow()
    await asking
    expect([live(), FakeMediaRecorder.made.length, (await db.takes()).length]).toEqual([0, 0, 0])
  })

  it('Record pressed again orphans no stream, whichever prompt is answered first', async () => {
    const first = recorder.start()
    await recorder.stop()
    const second = recorder.start()
    prompts[1]!.allow()
    await second
    prompts[0]!.allow()
    await first
    expect([recorder.state, live(), FakeMediaRecorder.made.length]).toEqual(['recording', 1, 1])
    await recorder.start()
    expect(prompts.length).toBe(2)
    await recorder.stop()
    expect(live()).toBe(0)
  })

  it('a late denial of an abandoned prompt does not end the recording that followed', async () => {
    const first = recorder.start()
    await recorder.cancel()
    await record()
    prompts[0]!.deny()
    await first
    expect(recorder.state).toBe('recording')
    await recorder.stop()
  })

  it('Stop while the recording is being set up leaves nothing behind', async () => {
    const begin = db.beginTake.bind(db)
    db.beginTake = async (take) => {
      await begin(take)
      await recorder.stop()
    }
    const started = recorder.start()
    prompts[0]!.allow()
    await started
    expect([recorder.state, live(), (await db.takes()).length]).toEqual(['idle', 0, 0])
  })

  it('Stop twice, or Cancel after Stop, makes one memo, and keeps it', async () => {
    ;(await record()).data('x')
    const [a, b, c] = await Promise.all([recorder.stop(), recorder.stop(), recorder.cancel()])
    expect([a!.id, a!.deleted]).toEqual([b!.id, undefined])
    expect(c!.id).toBe(a!.id)
    expect((await db.memos()).length).toBe(1)
  })
})

it('holds a lock from before the first byte until all is kept, so that no other tab takes it for one cut off', async () => {
  const held = new Map<string, Promise<unknown>>()
  browser.locks = {
    request: (name: string, hold: () => Promise<unknown>) => {
      held.set(name, hold().then(() => held.delete(name)))
    },
    query: async () => ({ held: [...held.keys()].map((name) => ({ name })) }),
  } as unknown as LockManager
  const begin = db.beginTake.bind(db)
  db.beginTake = async (take) => {
    expect([...held.keys()]).toEqual([`memo-take-${take.id}`])
    await begin(take)
  }
  const media = await record()
  media.data('x')
  const other = new Library(db)
  await other.findInterrupted(browser.locks)
  expect([other.interrupted, (await db.takes()).length]).toEqual([[], 1])
  const end = db.endTake.bind(db)
  let kept = 0
  db.endTake = async (...args) => {
    kept = held.size
    return end(...args)
  }
  expect((await recorder.stop())?.size).toBe(2)
  await Promise.all(held.values())
  expect([kept, held.size]).toEqual([1, 0])
})

describe('after a crash', () => {
  it('offers what is on disk, once', async () => {
    await db.beginTake({ id: 'cut', started: 5, type: 'audio/ogg' })
    await db.addChunk('cut', 0, { bytes: new TextEncoder().encode('ab').buffer, end: 0.5, peaks: Uint8Array.of(9) })
    await db.addChunk('cut', 1, { bytes: new TextEncoder().encode('cd').buffer, end: 1.1, peaks: Uint8Array.of(8) })
    await db.beginTake({ id: 'empty', started: 6, type: 'audio/ogg' })
    await db.beginTake({ id: 'hollow', started: 7, type: 'audio/ogg' })
    await db.addChunk('hollow', 0, { bytes: new ArrayBuffer(0), end: 0.5, peaks: new Uint8Array(0) })
    const library = new Library(db)
    const shown: number[] = []
    library.on('change', () => shown.push(library.interrupted.length))
    await library.findInterrupted(undefined)
    expect(library.interrupted.map((take) => take.id)).toEqual(['cut', 'hollow'])
    expect((await db.takes()).map((take) => take.id)).toEqual(['cut', 'hollow'])
    expect(await library.recover(library.interrupted[1]!)).toBeUndefined()
    expect([library.memos, (await db.takes()).map((take) => take.id)]).toEqual([[], ['cut']])
    const memo = (await library.recover(library.interrupted[0]!))!
    expect([shown, library.interrupted.length, library.memos.length]).toEqual([[2, 1, 0], 0, 1])
    expect(memo).toMatchObject({ created: 5, duration: 1.1, size: 4, peaks: Uint8Array.of(9, 8) })
    expect(await (await db.audio(memo.id))!.text()).toBe('abcd')
    await library.findInterrupted(undefined)
    expect([library.interrupted.length, library.memos.length]).toEqual([0, 1])
  })

  it('keeps all of a long one, in order, and takes of others apart', async () => {
    const { length } = Array.from({ length: 245 })
    for (const id of ['a', 'long', 'z']) await db.beginTake({ id, started: 5, type: 'audio/ogg' })
    const chunk = (i: number) => ({
      bytes: Uint8Array.of(i, i >> 8).buffer, end: (i + 1) / 2, peaks: Uint8Array.of(i & 0xff),
    })
    await Promise.all(Array.from({ length }, (_, i) => db.addChunk('long', i, chunk(i))))
    for (const id of ['a', 'z']) await db.addChunk(id, 0, chunk(500))
    const library = new Library(db)
    await library.findInterrupted(undefined)
    const take = library.interrupted.find(({ id }) => id === 'long')!
    expect(await takeLength(db, take)).toBe(length / 2)
    expect(await takeLength(db, { ...take, id: 'nobody' })).toBe(0)
    expect(await library.recover(take)).toMatchObject({ duration: length / 2, size: 2 * length })
    const audio = new Uint16Array(await (await db.audio('long'))!.arrayBuffer())
    expect(audio).toEqual(Uint16Array.from({ length }, (_, i) => i))
    expect(library.interrupted.map(({ id }) => id)).toEqual(['a', 'z'])
    expect([await db.chunks('long', 0, 1), (await db.chunks('a', 0, 9)).length]).toEqual([[], 1])
  })

  it('lets a discarded one be brought back', async () => {
    await db.beginTake({ id: 'cut', started: 5, type: 'audio/ogg' })
    await db.addChunk('cut', 0, { bytes: new ArrayBuffer(2), end: 0.5, peaks: new Uint8Array(0) })
    const library = new Library(db)
    await library.findInterrupted(undefined)
    const memo = (await library.recover(library.interrupted[0]!, true))!
    expect(library.memos).toEqual([])
    await library.restore([memo.id])
    expect(library.memos.length).toBe(1)
  })

  it('does not offer what another tab is recording', async () => {
    await db.beginTake({ id: 'live', started: 5, type: 'audio/ogg' })
    await db.addChunk('live', 0, { bytes: new ArrayBuffer(2), end: 0.5, peaks: new Uint8Array(0) })
    const locks = { query: () => Promise.resolve({ held: [{ name: 'memo-take-live' }], pending: [] }) }
    const library = new Library(db)
    await library.findInterrupted(locks as unknown as LockManager)
    expect(library.interrupted).toEqual([])
  })
})
