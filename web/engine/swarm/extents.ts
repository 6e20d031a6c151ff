import type { FileState } from '../types.ts'
import type { ContentFile } from './content.ts'

interface Extent {
  readonly file: ContentFile
  readonly start: number
  readonly end: number
  /** Bytes of it that are here. */
  here: number
  state: FileState | undefined
}

/** Where each file lies in the torrent, and how much of it is here. Files of a private torrent share records. */
export class Extents {
  /** In order of start, and of end. */
  readonly #all: readonly Extent[]

  constructor(files: readonly ContentFile[], covering: (start: number, end: number) => readonly [number, number]) {
    this.#all = files.map((file) => {
      const [start, end] = covering(file.offset, file.offset + file.size)
      return { file, start, end, here: 0, state: undefined }
    })
  }

  get states(): FileState[] {
    return this.#all.map((extent) => (extent.state ??= stateOf(extent)))
  }

  /** Bytes [from, to) of the torrent are here, and were not before. */
  add(from: number, to: number): void {
    let low = 0
    for (let high = this.#all.length; low < high; ) {
      const middle = (low + high) >> 1
      if (this.#all[middle]!.end <= from) low = middle + 1
      else high = middle
    }
    for (let extent; (extent = this.#all[low]) && extent.start < to; low++) {
      extent.here += Math.max(0, Math.min(to, extent.end) - Math.max(from, extent.start))
      extent.state = undefined
    }
  }
}

function stateOf({ file: { name, path, size, type }, start, end, here }: Extent): FileState {
  return { name, path, size, type, progress: size ? here / (end - start) : 1 }
}
