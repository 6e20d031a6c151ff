/** The section at work: what its screens share, and what happens whichever of them is shown. */
import { Forgetting } from '../ui/forgetting.ts'
import { isFull, shut } from '../ui/full.ts'
import { others } from '../ui/others.ts'
import { persist } from '../ui/persist.ts'
import { bySheet, handOver } from '../ui/save.ts'
import type { Host } from '../ui/section.ts'
import { inTurn } from '../ui/turn.ts'
import { offerUndo } from '../ui/undo.ts'
import { guard } from '../ui/vigil.ts'
import { mentioned, quoted } from '../ui/words.ts'
import { partOf } from './bundle.ts'
import { MemoDb, type Take } from './db.ts'
import { Library, type Words } from './library.ts'
import { badge, torrentsOf, type Memo } from './memo.ts'
import { chosenMicrophone, explain, microphones, surroundings, type Trouble } from './microphone.ts'
import { Player, type Track } from './player.ts'
import { Receiving } from './receiving.ts'
import { Recorder, thisBrowser, type Outcome } from './recorder.ts'
import { Sending } from './sending.ts'
import { fileName } from './words.ts'
import { unplayable } from './unplayable.ts'
import { seekable } from './webm.ts'

export const paths = {
  list: '/memos',
  record: '/memos/new',
  memo: (id: string) => `/memos/${id}`,
  /** Where the transfer of what a link leads to is shown. */
  receive: (link: string) =>
    link.startsWith('magnet:') ? `/share#${new URLSearchParams({ seeds: link })}` : `/m#${partOf(link)}`,
}

export class Memos {
  readonly host: Host
  readonly library = new Library(new MemoDb(), others('memos'))
  readonly recorder = new Recorder(this.library.db, thisBrowser())
  readonly player = new Player(new Audio(), navigator.mediaSession)
  readonly receiving: Receiving
  readonly sending: Sending
  /** Why the microphone could not be had, the last time it was asked for. */
  trouble: Trouble | undefined
  /** The browser gives this page no storage. */
  homeless: unknown
  /** The memo whose title is to be written now: it was just recorded. */
  fresh: string | undefined
  readonly #forgetting = new Forgetting('memos')
  /** What was written last found no room, and the user was told. */
  #unkept = false

  constructor(host: Host) {
    this.host = host
    this.receiving = new Receiving(() => host.node(), this.library)
    this.sending = new Sending(() => host.node(), this.library, this.receiving)
    this.recorder.on('ended', (outcome) => void this.#ended(outcome))
    this.library.on('purging', (memo) => this.#forgetting.begin(torrentsOf(memo)))
    this.library.on('purged', (memo) => {
      if (badge(memo)) void this.#forget(memo).catch(reportError)
    })
    // A page that was opened meanwhile shares without it.
    this.library.on('restored', (memo) => void this.sending.goOn(memo).catch(reportError))
    // Also when it was deleted in another tab.
    this.library.on('change', () => {
      if (this.library.loaded && this.player.id && !this.library.get(this.player.id)) this.player.stop()
    })
    this.player.on('failed', ({ id, error }) => void this.#unheard(id, error))
    guard({
      awake: () => this.recorder.state === 'recording' || this.sending.busy || this.receiving.busy,
      busy: () => !['idle', 'asking'].includes(this.recorder.state) || this.sending.busy || this.library.rewriting,
      on: [this.recorder, this.sending, this.receiving],
    })
    void microphones() // so that they are known when the list is opened
    void this.#begin()
  }

  async #forget(memo: Memo): Promise<void> {
    await this.sending.forget(memo)
    this.#forgetting.end(torrentsOf(memo))
  }

  async #begin(): Promise<void> {
    try {
      await this.library.reload()
      const bundles = async () => (await this.library.db.bundles()).map(({ infoHash }) => infoHash)
      const needed = async () => [...(await this.library.list()).flatMap(torrentsOf), ...(await bundles())]
      void this.#forgetting.resume(() => this.host.node(), needed).catch(reportError)
      await this.library.findInterrupted(navigator.locks)
      await this.library.purge()
    } catch (error) {
      this.homeless = error
      this.library.emit('change', undefined)
      return
    }
    const bundles = await this.library.db.bundles()
    const off = this.library.on('change', () => this.library.memos.some(badge) && go())
    // One tab seeds all; when it closes, another one does.
    const go = () => {
      off()
      inTurn('memos-sharing', () => this.host.node(), async () => {
        // This page may have stood still while another one deleted some.
        await this.library.reload()
        await this.sending.resume()
      })
    }
    if (bundles.length || this.library.memos.some(badge)) go()
  }

  async record(): Promise<void> {
    this.trouble = undefined
    this.player.stop()
    // The one before is still being saved.
    if (this.recorder.state === 'saving') {
      await this.recorder.stop()
      if (location.pathname !== paths.record) return
    }
    if (this.homeless) {
      const why = shut(this.homeless)
      this.trouble = {
        title: why?.title ?? 'This browser keeps nothing for this page',
        steps: why ? [why.text] : [
          'A memo needs its storage. Private windows and some privacy settings switch it off.',
          'Open the page in an ordinary window, or let it keep data (cookies) in the settings.',
        ],
      }
      return this.recorder.emit('change', undefined)
    }
    try {
      await this.recorder.start(chosenMicrophone())
    } catch (error) {
      this.trouble = isFull(error)
        ? {
            title: 'This device is full',
            steps: ['Make some room, for example by deleting memos.', 'Then press Record again.'],
          }
        : explain(error, surroundings())
      this.recorder.emit('change', undefined)
    }
  }

  /** The user went elsewhere: what was being recorded is saved. */
  leaveRecording(): void {
    if (this.recorder.state === 'idle' || this.recorder.state === 'saving') return
    void this.recorder.stop().then((memo) => memo && this.saved(memo))
  }

  /** Tells whoever went elsewhere meanwhile. */
  saved(memo: Memo): void {
    this.host.toast({
      text: `Saved ${quoted(mentioned(memo.title))}`,
      action: { label: 'Open', run: () => this.host.navigate(paths.memo(memo.id)) },
    })
  }

  async #ended({ reason, memo, error }: Outcome): Promise<void> {
    // Whatever ended it may keep the list from being read too.
    await this.library.changed().catch(reportError)
    const words: Record<string, string> = {
      unplugged: 'The microphone was unplugged.',
      full: 'This device is full.',
      failed: 'The recording broke off.',
    }
    if (reason === 'cancelled' && memo) this.offerUndo([memo], 'Recording discarded')
    if (reason === 'stopped' && !memo) this.host.toast({ text: 'Nothing came from the microphone, so there is no memo.' })
    if (words[reason]) {
      const rest = memo
        ? ' What was recorded up to then is saved.'
        : reason === 'full'
          ? ' What was recorded is safe: make some room, then press Keep.'
          : ''
      if (error) reportError(error)
      this.host.toast({ text: words[reason] + rest, time: Infinity })
      if (memo && location.pathname === paths.record) this.host.navigate(paths.memo(memo.id), { replace: true })
      if (!memo) await this.library.findInterrupted(navigator.locks)
      // Keep is on the list.
      if (reason === 'full' && !memo && location.pathname === paths.record) this.host.back(paths.list)
    }
    if (memo) void persist()
  }

  async recover(take: Take, discard: boolean): Promise<void> {
    const { href } = location
    try {
      const memo = await this.library.recover(take, discard)
      if (!memo) return
      if (discard) this.offerUndo([memo], 'Recording discarded')
      else if (location.href === href) this.host.navigate(paths.memo(memo.id))
      else this.saved(memo)
    } catch (error) {
      const full = isFull(error)
      if (!full) reportError(error)
      this.host.toast({
        text: full
          ? 'This device is full. Make some room, then try again: the recording is safe.'
          : 'That did not work. The recording is still there: try again.',
      })
    }
  }

  async delete(memos: readonly Memo[]): Promise<void> {
    if (memos.some((memo) => memo.id === this.player.id)) this.player.stop()
    await this.library.remove(memos.map((memo) => memo.id))
    this.offerUndo(memos, memos.length === 1 ? 'Memo deleted' : `${memos.length} memos deleted`)
  }

  offerUndo(memos: readonly Memo[], text: string): void {
    const ids = memos.map((memo) => memo.id)
    offerUndo(this.host.toast, { ids, restore: () => this.library.restore(ids), purge: () => this.library.purge(ids) }, text)
  }

  track(memo: Memo): Track {
    return {
      id: memo.id,
      title: memo.title,
      duration: memo.duration,
      open: async () => {
        if (memo.from) return { url: await (await this.receiving.file(memo)).url() }
        const url = URL.createObjectURL(await this.sending.audio(memo))
        return { url, release: () => URL.revokeObjectURL(url) }
      },
    }
  }

  /** Plays it, or pauses it where it plays. */
  toggle(memo: Memo): void {
    if (this.player.id === memo.id && this.player.playing) this.player.pause()
    else void this.player.play(this.track(memo))
  }

  /** Says why it is not heard, and offers it as a file where another program may play it. */
  async #unheard(id: string, error: unknown): Promise<void> {
    const memo = this.library.get(id)
    if (!memo) return
    const { type, from } = memo
    const there = !!from || (await this.sending.audio(memo).then(() => true, () => false))
    const { text, elsewhere } = unplayable(error, { type, there, known: new Audio().canPlayType(type) !== '' })
    const action = { label: 'Download', run: () => void this.download(memo) }
    const whole = !from || from.done
    this.host.toast({ text, time: 10_000, ...(elsewhere && whole ? { action } : {}) })
  }

  /** As a file, with its title in it where the format has a place for that. */
  async download(memo: Memo): Promise<void> {
    if (memo.from && !memo.from.done) this.host.toast({ text: 'The download begins once all of it is here.' })
    try {
      const audio = await this.sending.audio(memo)
      const titled = memo.type.includes('webm') ? await seekable(audio, memo.title) : undefined
      const whole = titled?.blob ?? audio
      const name = fileName(memo.title, memo.type)
      if (bySheet(whole.size)) return await handOver(new File([whole], name, { type: whole.type }), this.host.toast)
      const url = URL.createObjectURL(whole)
      const link = Object.assign(document.createElement('a'), { href: url, download: name })
      link.click()
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    } catch (error) {
      // Only the engine's messages and our own are words for people.
      const { code, message } = error as { code?: unknown; message: string }
      const known = typeof code === 'string'
      if (!known) reportError(error)
      const text = known ? message : 'This memo could not be downloaded. Reload the page, then try again.'
      this.host.toast({ text, time: 10_000 })
    }
  }

  /** Words that the user wrote; those who have the memo get them too, once they are done. */
  async rewrite(id: string, words: Words, done: boolean): Promise<void> {
    let memo: Memo | undefined
    try {
      memo = await this.library.rewrite(id, words)
    } catch (error) {
      if (!isFull(error)) throw error
      if (!this.#unkept) {
        const text = 'This device is full: what you write now is not kept. Make some room, then write it again.'
        this.host.toast({ text, time: Infinity })
      }
      this.#unkept = true
      return
    }
    this.#unkept = false
    if (done && memo?.shares) await this.sending.rename(memo).catch(reportError)
  }
}
