import { guard as keepOpen } from '../ui/vigil.ts'
import type { Memos } from './memos.ts'

export function guard({ library, recorder, sharing, receiving }: Memos): void {
  const recording = () =>
    recorder.state === 'recording' || recorder.state === 'paused' || recorder.state === 'saving'
  keepOpen({
    awake: () => recorder.state === 'recording' || sharing.busy || receiving.busy,
    busy: () => recording() || sharing.busy || library.rewriting,
    on: [recorder, sharing, receiving],
  })
}
