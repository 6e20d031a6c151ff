/** Files that a person chose or dropped, folders among them: each as a File that is named by its path. */
import { mentioned, quoted } from '../ui/words.ts'

/** More than that do not fit one private link. */
export const maxFiles = 10_000

export class TooMany extends Error {}

/** The same order however they were chosen, so that a link is made of the same files in the same way. */
const order = new Intl.Collator('en', { numeric: true })
// "1" and "01" are the same to it.
const sorted = (files: File[]): File[] => files.sort((a, b) => order.compare(a.name, b.name) || (a.name < b.name ? -1 : 1))

/** Of an <input type="file">. */
export function chosen(list: FileList): File[] {
  if (list.length > maxFiles) throw new TooMany()
  return sorted([...list].map((file) => named(file, file.webkitRelativePath || file.name)))
}

/** What was dropped; call it while the event is being handled. */
export async function dropped(data: DataTransfer): Promise<File[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => !!entry)
  if (!entries.length) return chosen(data.files)
  const files: File[] = []
  for (const entry of entries) await collect(entry, '', files)
  return sorted(files)
}

async function collect(entry: FileSystemEntry, folder: string, files: File[]): Promise<void> {
  const path = folder + entry.name
  if (isFile(entry)) {
    if (files.length >= maxFiles) throw new TooMany()
    files.push(named(await read<File>(path, (resolve, reject) => entry.file(resolve, reject)), path))
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    // At most a hundred at a time.
    const some = await read<FileSystemEntry[]>(path, (resolve, reject) => reader.readEntries(resolve, reject))
    if (!some.length) return
    for (const inner of some) await collect(inner, `${path}/`, files)
  }
}

/** One of thousands may not be readable: on Windows it is so where all folders' names together are too long. */
async function read<T>(path: string, how: (resolve: (what: T) => void, reject: (cause: unknown) => void) => void): Promise<T> {
  try {
    return await new Promise<T>(how)
  } catch (cause) {
    const words = `${quoted(mentioned(path))} cannot be read, so nothing was sent. Move it elsewhere, or give it a shorter name, then try again.`
    throw Object.assign(new Error(words, { cause }), { code: 'unreadable' })
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile

/** The same bytes, where they lie. */
function named(file: File, path: string): File {
  const { type, lastModified } = file
  return file.name === path ? file : new File([file], path, { type, lastModified })
}
