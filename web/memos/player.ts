/** The one player of the page: it goes on while the user moves between screens. */
import { Emitter } from '../engine/emitter.ts'

export interface Track {
  /** The memo's id. */
  id: string
  title: string
  /** Seconds, as the memo says: MediaRecorder's files do not always know. */
  duration: number
  open(): Promise<Sound>
}

export interface Sound {
  url: string
  /** The player needs the URL no longer. */
  release?(): void
}

export interface PlayerEvents {
  change: void
  /** While it plays, at every frame that is drawn. */
  time: void
  /** The sound could not be played. */
  failed: { id: string; error: unknown }
}

/** Beside the title where a device shows what plays, on its lock screen for one. */
const artwork: MediaImage[] = [{ src: '/icon-512.png', sizes: '512x512', type: 'image/png' }]

export const rates = [0.8, 1, 1.25, 1.5, 1.75, 2]

export class Player extends Emitter<PlayerEvents> {
  readonly #audio: HTMLAudioElement
  readonly #session: MediaSession | undefined
  #track: Track | undefined
  #sound: Sound | undefined
  #opening = 0
  /** Where it is to begin, seconds, while the sound is opened. */
  #from: number | undefined
  #rate = 1
  #frame = 0

  constructor(audio: HTMLAudioElement, session?: MediaSession) {
    super()
    this.#audio = audio
    this.#session = session
    audio.preservesPitch = true
    for (const event of [
      'play',
      'pause',
      'timeupdate',
      'seeked',
      'durationchange',
      'ended',
      'waiting',
      'playing',
      'ratechange',
    ]) {
      audio.addEventListener(event, () => this.#changed())
    }
    audio.addEventListener('error', () => this.#fail(audio.error))
  }

  /** The keys of headsets and keyboards: ours while something is loaded, and else of whatever plays in the page. */
  #keys(ours: boolean): void {
    const actions: [MediaSessionAction, MediaSessionActionHandler][] = [
      ['play', () => void this.resume()],
      ['pause', () => this.pause()],
      ['seekbackward', ({ seekOffset }) => this.seek(this.time - (seekOffset ?? 15))],
      ['seekforward', ({ seekOffset }) => this.seek(this.time + (seekOffset ?? 15))],
      ['seekto', ({ seekTime }) => this.seek(seekTime ?? this.time)],
      ['stop', () => this.stop()],
    ]
    for (const [action, handler] of actions) this.#session?.setActionHandler(action, ours ? handler : null)
  }

  /** The id of what is loaded. */
  get id(): string | undefined {
    return this.#track?.id
  }

  get playing(): boolean {
    return !!this.#track && !this.#audio.paused && !this.#audio.ended
  }

  /** It plays, but waits for data. */
  get waiting(): boolean {
    return this.playing && this.#audio.readyState < HTMLMediaElement.HAVE_FUTURE_DATA
  }

  get time(): number {
    return this.#track ? (this.#from ?? this.#audio.currentTime) : 0
  }

  get duration(): number {
    const known = this.#audio.duration
    return this.#track ? (Number.isFinite(known) && known > 0 ? known : this.#track.duration) : 0
  }

  get rate(): number {
    return this.#rate
  }

  set rate(rate: number) {
    this.#rate = Math.min(2, Math.max(0.8, rate))
    this.#audio.playbackRate = this.#rate
    this.#changed()
  }

  /** Plays from where it was, or from the given second on. */
  async play(track: Track, from?: number): Promise<void> {
    if (this.#track?.id !== track.id) {
      this.stop()
      const opening = ++this.#opening
      this.#track = track
      this.#from = from ?? 0
      this.#keys(true)
      this.#changed()
      try {
        const sound = await track.open()
        if (opening !== this.#opening) return sound.release?.()
        this.#sound = sound
        this.#audio.src = sound.url
      } catch (error) {
        if (opening === this.#opening) this.#fail(error)
        return
      }
      this.#audio.defaultPlaybackRate = this.#audio.playbackRate = this.#rate
      from = this.#from || undefined
      this.#from = undefined
    }
    if (from !== undefined) this.seek(from)
    if (this.#session) this.#session.metadata = new MediaMetadata({ title: track.title, artist: 'Starling', artwork })
    await this.resume()
  }

  async resume(): Promise<void> {
    if (!this.#sound) return
    await this.#audio.play().catch((error: Error) => {
      if (error.name === 'AbortError') return
      // The press was too long ago: loading took its time. What is loaded stays for the next one.
      if (error.name !== 'NotAllowedError') this.#fail(this.#audio.error ?? error)
      else if (this.#track) this.emit('failed', { id: this.#track.id, error })
    })
  }

  pause(): void {
    this.#audio.pause()
  }

  seek(seconds: number): void {
    if (!this.#track) return
    const to = Math.min(Math.max(0, seconds), this.duration)
    if (this.#sound) this.#audio.currentTime = to
    else this.#from = to
    this.#changed()
  }

  /** Lets go of what is loaded. */
  stop(): void {
    this.#opening++
    if (this.#track) this.#keys(false)
    if (this.#session) this.#session.metadata = null
    this.#track = this.#from = undefined
    this.#audio.pause()
    if (this.#sound) {
      this.#sound.release?.()
      this.#audio.removeAttribute('src')
      this.#audio.load()
    }
    this.#sound = undefined
    this.#changed()
  }

  #fail(error: unknown): void {
    const id = this.#track?.id
    if (!id) return
    this.stop()
    this.emit('failed', { id, error })
  }

  #changed(): void {
    if (this.#session) {
      this.#session.playbackState = !this.#track ? 'none' : this.playing ? 'playing' : 'paused'
      const duration = this.duration
      if (this.#track && duration > 0) {
        this.#session.setPositionState?.({
          duration,
          playbackRate: this.#rate,
          position: Math.min(this.time, duration),
        })
      }
    }
    this.emit('change', undefined)
    if (this.playing && !this.#frame) this.#tick()
  }

  #tick(): void {
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0
      this.emit('time', undefined)
      if (this.playing) this.#tick()
    })
  }
}
