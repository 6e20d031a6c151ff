// starling-store.js: the store's worker. See messages.ts for what it is asked.
import { Disk, type Directory } from './disk.ts'
import type { Answer, Request } from './messages.ts'

const disk = folder().then((directory) => new Disk(directory, folder))
// Whoever asks is told; without a question, nobody needs to know.
disk.catch(() => undefined)

async function folder(): Promise<Directory> {
  const root = await navigator.storage.getDirectory()
  const directory: unknown = await root.getDirectoryHandle('starling', { create: true })
  return directory as Directory
}

async function answer({ id, ...request }: Request & { id: number }): Promise<Answer> {
  try {
    return { id, value: await (await disk).do(request) }
  } catch (error) {
    const { name, message } = error as Error
    return { id, error: { name, message }, value: request.op === 'write' ? request.data : undefined }
  }
}

onmessage = async ({ data }: MessageEvent<Request & { id: number }>) => {
  const reply = await answer(data)
  postMessage(reply, { transfer: reply.value instanceof Uint8Array ? [reply.value.buffer] : [] })
}
