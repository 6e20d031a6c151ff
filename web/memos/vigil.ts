import { guard as keepOpen } from '../ui/vigil.ts'
import type { Library } from './library.ts'
import type { Receiving } from './receiving.ts'
import type { Recorder } from './recorder.ts'
import type { Sharing } from './sharing.ts'

/** What goes on in the section. */
interface Works {
  library: Library
  recorder: Recorder
  sharing: Sharing
  receiving: Receiving
}

export function guard({ library, recorder, sharing, receiving }: Works): void {
  const recording = () =>
    recorder.state === 'recording' || recorder.state === 'paused' || recorder.state === 'saving'
  keepOpen({
    awake: () => recorder.state === 'recording' || sharing.busy || receiving.busy,
    busy: () => recording() || sharing.busy || library.rewriting,
    on: [recorder, sharing, receiving],
  })
}
