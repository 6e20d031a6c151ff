/**
 * The recorder: idle ─▶ asking ─▶ recording ⇄ paused ─▶ saving ─▶ idle.
 *
 * All that belongs to one recording lives in its Session. Ending one, in whatever state, is letting go of it: nothing
 * is left behind that could touch the next. Whoever comes back from waiting first looks whether its session still is
 * the one at work.
 */
import { Emitter } from '../engine/emitter.ts'
import { isFull } from '../ui/full.ts'
import type { MemoDb } from './db.ts'
import { recordingType } from './formats.ts'
import { Hearing, type Unheard } from './hearing.ts'
import { newId, type Memo } from './memo.ts'
import { Meter, type Level } from './meter.ts'
import { keepTake, takeLock } from './take.ts'

export type RecorderState = 'idle' | 'asking' | 'recording' | 'paused' | 'saving'

/** Why a recording ended; 'full' and 'failed' have an error. */
export type Reason = 'stopped' | 'cancelled' | 'unplugged' | 'full' | 'failed'

export interface Outcome {
  reason: Reason
  /** Marked as deleted when it was cancelled; undefined when nothing was recorded, or no memo could be made yet. */
  memo?: Memo
  error?: unknown
}

export interface RecorderEvents {
  /** state, saved, microphone or unheard changed. */
  change: void
  level: Level
  ended: Outcome
}

/** What the recorder needs of a browser. */
export interface Browser {
  getUserMedia(constraints: MediaStreamConstraints): Promise<MediaStream>
  MediaRecorder: typeof MediaRecorder
  /** undefined where levels cannot be had; recording goes on without. */
  meter(stream: MediaStream): Meter | undefined
  locks: LockManager | undefined
  /** Milliseconds, monotonic. */
  now(): number
}

/** Milliseconds between chunks: what a crash may cost at most. */
export const slice = 500
/** Milliseconds between looks at whether the microphone is heard, where no level comes. */
const look = 1000
/** Milliseconds that the browser may take for the last chunk. */
const ending = 10_000

class Session {
  readonly id = newId()
  readonly started = Date.now()
  state: Exclude<RecorderState, 'idle'> = 'asking'
  stream?: MediaStream
  recorder?: MediaRecorder
  meter?: Meter
  hearing?: Hearing
  unheard?: Unheard
  looking?: ReturnType<typeof setInterval>
  ending?: ReturnType<typeof setTimeout>
  reason?: Reason
  error?: unknown
  /** Seconds that are on disk. */
  saved = 0
  chunks = 0
  /** A chunk could not be written, and what comes after it could not be played without. */
  broken = false
  writes: Promise<void> = Promise.resolve()
  /** Milliseconds recorded up to the last pause, and when it went on. */
  ran = 0
  since: number | undefined
  finish!: (memo: Memo | undefined) => void
  readonly finished = new Promise<Memo | undefined>((resolve) => (this.finish = resolve))

  release(): void {
    clearInterval(this.looking)
    clearTimeout(this.ending)
    for (const track of this.stream?.getTracks() ?? []) track.stop()
    this.meter?.close()
  }
}

export class Recorder extends Emitter<RecorderEvents> {
  readonly #db: MemoDb
  readonly #browser: Browser
  #session: Session | undefined

  constructor(db: MemoDb, browser: Browser) {
    super()
    this.#db = db
    this.#browser = browser
  }

  get state(): RecorderState {
    return this.#session?.state ?? 'idle'
  }

  /** Seconds that are safe on disk. */
  get saved(): number {
    return this.#session?.saved ?? 0
  }

  /** What the microphone in use calls itself. */
  get microphone(): string {
    return this.#session?.stream?.getAudioTracks()[0]?.label ?? ''
  }

  /** Why whoever speaks now speaks into nothing; undefined where all is well. It records all the same. */
  get unheard(): Unheard | undefined {
    return this.#session?.unheard
  }

  /**
   * Asks for the microphone and records. Rejects when there is none to be had, with the browser's own error; resolves
   * when it records, or when it was stopped or cancelled meanwhile. Does nothing while a recording is under way.
   */
  async start(deviceId?: string): Promise<void> {
    if (this.#session) return
    const session = (this.#session = new Session())
    this.emit('change', undefined)
    try {
      session.stream = await this.#listen(deviceId)
      if (this.#session === session) await this.#record(session)
    } catch (error) {
      if (this.#session === session) {
        this.#session = undefined
        this.emit('change', undefined)
        throw error
      }
    } finally {
      if (this.#session !== session && !session.reason) {
        session.release()
        session.finish(undefined)
      }
    }
  }

  pause(): void {
    const session = this.#session
    if (session?.state !== 'recording') return
    session.recorder!.requestData()
    session.recorder!.pause()
    this.#halt(session)
    if (session.meter) session.meter.gathering = false
    session.unheard = undefined
    this.#enter(session, 'paused')
  }

  resume(): void {
    const session = this.#session
    if (session?.state !== 'paused') return
    session.recorder!.resume()
    session.since = this.#browser.now()
    session.hearing!.begin()
    if (session.meter) session.meter.gathering = true
    this.#enter(session, 'recording')
  }

  /** The memo, once it is on disk; undefined when nothing had been recorded. */
  stop(): Promise<Memo | undefined> {
    return this.#end('stopped')
  }

  /** What had been recorded, as a deleted memo that can still be restored. */
  cancel(): Promise<Memo | undefined> {
    return this.#end('cancelled')
  }

  async #listen(deviceId?: string): Promise<MediaStream> {
    try {
      return await this.#browser.getUserMedia({ audio: deviceId ? { deviceId: { exact: deviceId } } : true })
    } catch (error) {
      // The input chosen some other day is not plugged in today.
      if (deviceId && ['OverconstrainedError', 'NotFoundError'].includes((error as Error).name)) return this.#listen()
      throw error
    }
  }

  async #record(session: Session): Promise<void> {
    const { MediaRecorder } = this.#browser
    const stream = session.stream!
    const mimeType = recordingType((type) => MediaRecorder.isTypeSupported(type))
    const recorder = new MediaRecorder(stream, { audioBitsPerSecond: 96_000, ...(mimeType ? { mimeType } : {}) })
    void this.#browser.locks?.request(takeLock(session.id), () => session.finished)
    void session.finished.then(this.#db.hold())
    await this.#db.beginTake({
      id: session.id,
      started: session.started,
      type: recorder.mimeType || mimeType || 'audio/webm',
    })
    if (this.#session !== session) return void (await this.#db.endTake(session.id))

    session.recorder = recorder
    recorder.ondataavailable = ({ data }) => this.#write(session, data)
    recorder.onerror = (event) => this.#giveUp(session, 'failed', (event as ErrorEvent).error)
    recorder.onstop = () => void this.#save(session)
    for (const track of stream.getTracks()) track.onended = () => this.#giveUp(session, 'unplugged')
    session.meter = this.#browser.meter(stream)
    if (session.meter) session.meter.onlevel = (level) => this.#measured(session, level)
    recorder.start(slice)
    session.since = this.#browser.now()
    session.hearing = new Hearing(stream.getAudioTracks()[0], this.#browser.now)
    session.looking = setInterval(() => {
      // Chromium gives none unasked once the machine has slept: all that is said from then on would be in memory alone.
      if (recorder.state === 'recording' && session.hearing!.overdue) recorder.requestData()
      this.#look(session)
    }, look)
    this.#enter(session, 'recording')
    // Unplugged before anybody listened.
    if (stream.getTracks().every((track) => track.readyState === 'ended')) this.#giveUp(session, 'unplugged')
  }

  #measured(session: Session, level: Level): void {
    session.hearing?.level(level)
    this.#look(session)
    this.emit('level', level)
  }

  #look(session: Session): void {
    if (session.state !== 'recording') return
    const unheard = session.hearing?.unheard
    if (unheard === session.unheard) return
    session.unheard = unheard
    this.emit('change', undefined)
  }

  #write(session: Session, data: Blob): void {
    if (!data.size) return
    session.hearing?.data()
    this.#look(session)
    const end = this.#elapsed(session) / 1000
    const peaks = session.meter?.take() ?? new Uint8Array(0)
    session.writes = session.writes.then(async () => {
      if (session.broken) return
      try {
        await this.#db.addChunk(session.id, session.chunks, { bytes: await data.arrayBuffer(), end, peaks })
        session.chunks++
        session.saved = end
        if (this.#session === session) this.emit('change', undefined)
      } catch (error) {
        session.broken = true
        this.#giveUp(session, isFull(error) ? 'full' : 'failed', error)
      }
    })
  }

  /** Something ended it that was not the user. */
  #giveUp(session: Session, reason: Reason, error?: unknown): void {
    session.reason ??= reason
    session.error ??= error
    this.#finish(session)
  }

  #finish(session: Session): void {
    this.#halt(session)
    session.unheard = undefined
    this.#enter(session, 'saving')
    if (session.recorder!.state !== 'inactive') session.recorder!.stop()
    // What is on disk becomes a memo, even where the browser never says that it has stopped.
    session.ending ??= setTimeout(() => void this.#save(session), ending)
  }

  #end(reason: Reason): Promise<Memo | undefined> {
    const session = this.#session
    if (!session) return Promise.resolve(undefined)
    if (session.state === 'asking') {
      this.#session = undefined
      this.emit('change', undefined)
      return Promise.resolve(undefined)
    }
    if (session.state !== 'saving') {
      session.reason = reason
      this.#finish(session)
    }
    return session.finished
  }

  async #save(session: Session): Promise<void> {
    const reason = (session.reason ??= 'unplugged')
    this.#enter(session, 'saving')
    session.recorder!.onstop = session.recorder!.ondataavailable = null
    session.release()
    await session.writes
    let memo: Memo | undefined
    try {
      const take = { id: session.id, started: session.started, type: session.recorder!.mimeType || 'audio/webm' }
      memo = await keepTake(this.#db, take, reason === 'cancelled')
    } catch (error) {
      session.error ??= error
      if (session.reason !== 'full') session.reason = isFull(error) ? 'full' : 'failed'
    }
    if (this.#session === session) this.#session = undefined
    session.finish(memo)
    this.emit('ended', { reason: session.reason, memo, error: session.error })
    this.emit('change', undefined)
  }

  #elapsed(session: Session): number {
    return session.ran + (session.since === undefined ? 0 : this.#browser.now() - session.since)
  }

  /** Stops the clock. */
  #halt(session: Session): void {
    session.ran = this.#elapsed(session)
    session.since = undefined
  }

  #enter(session: Session, state: Session['state']): void {
    session.state = state
    this.emit('change', undefined)
  }
}

export const thisBrowser = (): Browser => ({
  getUserMedia: (constraints) =>
    navigator.mediaDevices?.getUserMedia(constraints) ??
    Promise.reject(new DOMException('no microphone here', 'SecurityError')),
  MediaRecorder: globalThis.MediaRecorder,
  meter: (stream) => {
    try {
      return new Meter(stream)
    } catch {
      return undefined
    }
  },
  locks: navigator.locks,
  now: () => performance.now(),
})
