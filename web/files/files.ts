/** The section at work: what its screens share, and what happens whichever of them is shown. */
import type { Torrent, TorrentFile } from 'starling'
import { Forgetting } from '../ui/forgetting.ts'
import { keepsNothing } from '../ui/full.ts'
import { others } from '../ui/others.ts'
import { persist } from '../ui/persist.ts'
import type { Host } from '../ui/section.ts'
import { inTurn } from '../ui/turn.ts'
import { offerUndo } from '../ui/undo.ts'
import { guard } from '../ui/vigil.ts'
import { mentioned, quoted } from '../ui/words.ts'
import { drop, purge, type Shared } from '../sw/shared.ts'
import { chosen, dropped, maxFiles, TooMany } from './chosen.ts'
import { FilesDb } from './db.ts'
import { Downloads } from './downloads.ts'
import { leadsTo } from './links.ts'
import { paths, torrentsOf, type Parcel } from './parcel.ts'
import { mark, Parcels } from './parcels.ts'
import { Receiving } from './receiving.ts'
import { Sending } from './sending.ts'
import { countOf } from './words.ts'

export class Files {
  readonly host: Host
  readonly parcels = new Parcels(new FilesDb(), others('files'))
  readonly receiving: Receiving
  readonly sending: Sending
  readonly downloads = new Downloads((toast) => this.host.toast(toast))
  /** By their ids: what other apps shared and is sent, of which a copy is still being made. */
  readonly handed = new Set<string>()
  readonly #forgetting = new Forgetting('files')
  /** The parcels have been read, where the browser lets them. */
  readonly ready: Promise<void>
  /** The browser gives this page no storage. */
  homeless: unknown

  constructor(host: Host) {
    this.host = host
    this.receiving = new Receiving(() => host.node(), this.parcels)
    this.sending = new Sending(() => host.node(), this.parcels)
    this.parcels.on('change', () => remember(this.parcels.all.length > 0))
    this.parcels.on('purging', (parcel) => this.#forgetting.begin(torrentsOf(parcel)))
    this.parcels.on('purged', (parcel) => void this.#forget(parcel).catch(reportError))
    // A page that was opened meanwhile goes on without it.
    this.parcels.on('restored', (parcel) => {
      if (parcel.from) this.receiving.goOn(parcel.from.link)
      void this.sending.goOn(parcel)
    })
    this.downloads.on('done', ({ name }) => host.toast({ text: `${quoted(mentioned(name))} is with your downloads.` }))
    this.downloads.on('failed', (download) => {
      const text = `${quoted(mentioned(download.name))} was not downloaded to its end.`
      host.toast({ text, time: Infinity, action: { label: 'Try again', run: () => this.downloads.again(download) } })
    })
    guard({
      awake: () => this.sending.busy || this.receiving.busy || this.downloads.all.length > 0,
      busy: () => this.sending.busy || this.downloads.all.length > 0,
      on: [this.sending, this.receiving, this.downloads],
    })
    this.ready = this.parcels.reload().catch((error: unknown) => {
      this.homeless = error
    })
    void this.#begin().catch(reportError)
  }

  async #forget(parcel: Parcel): Promise<void> {
    await (parcel.sent ? this.sending : this.receiving).forget(parcel)
    this.#forgetting.end(torrentsOf(parcel))
  }

  async #begin(): Promise<void> {
    await this.ready
    if (this.homeless) return this.parcels.emit('change', undefined)
    const needed = async () => (await this.parcels.list()).flatMap(torrentsOf)
    void this.#forgetting.resume(() => this.host.node(), needed).catch(reportError)
    await Promise.all([this.parcels.purge(), purge().catch(reportError)])
    const off = this.parcels.on('change', () => this.parcels.all.length && go())
    // One tab seeds all; when it closes, another one does.
    const go = () => {
      off()
      inTurn('files-sharing', () => this.host.node(), async () => {
        // This page may have stood still while another one deleted some.
        await this.parcels.reload()
        for (const { from } of this.parcels.all) if (from) this.receiving.goOn(from.link)
        await this.sending.resume()
      })
    }
    if (this.parcels.all.length) go()
  }

  /** Makes a link to what was chosen, and goes to its page. */
  async send(what: FileList | DataTransfer): Promise<void> {
    try {
      const files = what instanceof FileList ? chosen(what) : await dropped(what)
      if (!files.length) return
      const { id } = await this.#send(files)
      if (location.pathname === paths.home) this.host.navigate(paths.sent(id))
    } catch (error) {
      this.#refuse(error)
    }
  }

  /** The same with what another app shared; there it is kept until this section has a copy. */
  async sendShared(shared: Shared, files: readonly File[]): Promise<void> {
    try {
      const { id } = await this.#send(files, () => void drop(shared.id).catch(reportError))
      this.handed.add(shared.id)
      if (location.href.endsWith(paths.shared(shared.id))) this.host.navigate(paths.sent(id), { replace: true })
    } catch (error) {
      this.#refuse(error)
    }
  }

  async #send(files: readonly File[], copied?: () => void): Promise<Parcel> {
    if (files.length > maxFiles) throw new TooMany()
    const parcel = await this.sending.send(files, copied)
    void persist()
    return parcel
  }

  /** Opens the link in what was pasted or dropped, if there is one. */
  open(text: string): boolean {
    const path = leadsTo(text)
    if (path) this.host.navigate(path)
    return !!path
  }

  /** The files of a parcel that are not at hand any more, chosen again. */
  async again(parcel: Parcel, list: FileList): Promise<void> {
    try {
      if (await this.sending.again(parcel, chosen(list))) return
      const text =
        parcel.count === 1
          ? 'This is not the same file: the link would not lead to it.'
          : 'These are not the same files: the link would not lead to them.'
      this.host.toast({ text })
    } catch (error) {
      this.#refuse(error)
    }
  }

  async download(file: TorrentFile): Promise<void> {
    await this.downloads.download(file).catch((error: unknown) => this.#refuse(error))
  }

  async downloadAll(torrent: Torrent): Promise<void> {
    await this.downloads.downloadAll(torrent).catch((error: unknown) => this.#refuse(error))
  }

  async delete(parcel: Parcel): Promise<void> {
    const { id } = parcel
    await this.parcels.remove(id)
    const deleted = { ids: [id], restore: () => this.parcels.restore([id]), purge: () => this.parcels.purge(id) }
    offerUndo(this.host.toast, deleted, `Deleted ${quoted(mentioned(parcel.name))}`)
  }

  #refuse(error: unknown): void {
    const many = `These are more than ${countOf(maxFiles)}. Put them into one archive first, or send fewer at once.`
    // Only the engine's own messages are words for people.
    const { code, message } = error as { code?: unknown; message: string }
    if (code === 'aborted') return // as was wished
    const known = typeof code === 'string' || error instanceof TooMany || keepsNothing(error)
    if (!known) reportError(error)
    const text =
      error instanceof TooMany ? many
      : keepsNothing(error) ? 'This browser keeps nothing for this page, and so it cannot send. Use an ordinary window.'
      : known ? message
      : 'That did not work. Reload the page to try again.'
    this.host.toast({ text, time: Infinity })
  }
}

function remember(any: boolean): void {
  try {
    if (any) localStorage.setItem(mark, '1')
    else localStorage.removeItem(mark)
  } catch {
    // Then what is here goes on when the section is opened.
  }
}
