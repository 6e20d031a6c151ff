/** Deleting, and having it back for a while. */
import { isFull } from './full.ts'
import type { Toast } from './toasts.ts'

/** Milliseconds that Undo is offered. */
export const undoTime = 10_000

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

  /** Was deleted so long ago that no tab offers Undo for it any more; or by a clock that was ahead, and was set right since. */
  over({ deleted }: Deletable, now: number): boolean {
    return Math.abs(now - (deleted ?? now)) >= 6 * undoTime
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
  restore(): Promise<void>
  purge(): Promise<void>
}

/** Offers to have something back; where there is no room for that, once more. time: milliseconds. */
export function offerUndo(toast: (toast: Toast) => void, deleted: Deleted, text: string, time = undoTime): void {
  const restore = async (): Promise<void> => {
    try {
      await deleted.restore()
    } catch (error) {
      if (!isFull(error)) reportError(error)
      offerUndo(toast, deleted, 'That did not work, as this device may be full. Make some room, then try again.', Infinity)
    }
  }
  toast({ text, time, action: { label: 'Undo', run: () => void restore() }, closed: () => void deleted.purge() })
}
