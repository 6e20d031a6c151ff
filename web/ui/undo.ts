/** Deleting, and having it back for a while. */
import { isFull } from './full.ts'
import type { Toast } from './toasts.ts'

/** Milliseconds that Undo is offered: whoever has the page read aloud must hear of it, and find it. */
export const undoTime = 20_000

/** Before the ids, in the name of the lock that a tab holds while it offers Undo: under a sheet or a pointer that takes longer. */
const offered = 'undo '

/** Something that may be deleted. */
interface Deletable {
  readonly id: string
  /** When the user deleted it, where that could be noted down with it. */
  readonly deleted?: number
}

/** What is out of sight, and not yet gone. */
export class Deletions {
  /** Deleted here, where the device is too full for that to be noted down. */
  readonly #unnoted = new Set<string>()

  has({ id, deleted }: Deletable): boolean {
    return !!deleted || this.#unnoted.has(id)
  }

  /**
   * Tells, of what is read afterwards, whether it was deleted so long ago that no tab offers Undo for it any more, and none says
   * that it does; or by a clock that was ahead, and was set right since.
   */
  async over(now: number): Promise<(one: Deletable) => boolean> {
    const { held = [] } = (await globalThis.navigator?.locks?.query().catch(() => undefined)) ?? {}
    const names = held.flatMap(({ name }) => (name?.startsWith(offered) ? name : []))
    return ({ id, deleted }) => Math.abs(now - (deleted ?? now)) >= 6 * undoTime && !names.some((name) => name.includes(id))
  }

  async add(id: string, noted: Promise<unknown>): Promise<void> {
    await noted.catch((error: unknown) => {
      if (!isFull(error)) throw error
      this.#unnoted.add(id)
    })
  }

  /** It is back, or gone. False where it is the database that knows of it, and other tabs with it. */
  forget(id: string): boolean {
    return this.#unnoted.delete(id)
  }
}

export interface Deleted {
  readonly ids: readonly string[]
  restore(): Promise<void>
  purge(): Promise<void>
}

/** Offers to have something back; where there is no room for that, once more. time: milliseconds. */
export function offerUndo(toast: (toast: Toast) => void, deleted: Deleted, text: string, time = undoTime): void {
  let done!: () => void
  const held = new Promise<void>((resolve) => (done = resolve))
  const { locks } = globalThis.navigator ?? {}
  locks?.request(offered + deleted.ids.join(' '), { mode: 'shared' }, () => held).catch(() => {})
  const restore = async (): Promise<void> => {
    try {
      await deleted.restore()
    } catch (error) {
      if (!isFull(error)) reportError(error)
      offerUndo(toast, deleted, 'That did not work, as this device may be full. Make some room, then try again.', Infinity)
    }
  }
  const action = { label: 'Undo', run: () => void restore().finally(done) }
  toast({ text, time, action, closed: () => void deleted.purge().finally(done) })
}
