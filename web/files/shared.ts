/** What another app handed over (sw/share-target.ts), as files to be sent. */
import type { Shared } from '../sw/shared.ts'
import { unturned } from '../ui/words.ts'

/** Each under a name of its own; text, which may stand beside files, as a file too. */
export function filesOf({ at: lastModified, title, text, whole, files }: Shared): File[] {
  const taken = new Set<string>()
  const named = (data: Blob, given: string, type: string) => {
    const name = free(flat(given), taken)
    taken.add(name)
    return new File([data], name, { type, lastModified })
  }
  let at = 0
  const all = files.map(({ name, size, type }) => named(whole.slice(at, (at += size)), name, type))
  const words = wordsOf({ title, text, files })
  if (words) all.push(named(new Blob([words]), `${flat(title).slice(0, 60) || 'Text'}.txt`, 'text/plain'))
  return all
}

/** The text that is sent; a title alone is one, too. */
export const wordsOf = ({ title, text, files }: Pick<Shared, 'title' | 'text' | 'files'>): string =>
  text || (files.length ? '' : title)

/** Bytes of all. */
export const sizeOfAll = (files: readonly File[]): number => files.reduce((sum, { size }) => sum + size, 0)

/** Other apps' names are no paths. */
const flat = (name: string): string => unturned(name).replace(/[/\\\p{Cc}]+/gu, ' ').trim().replace(/^\.+$/, '')

/** "a.jpg", or "a (2).jpg" where that is taken. */
function free(given: string, taken: ReadonlySet<string>): string {
  const [, stem, end] = /^(.*?)(\.[^.]*)?$/s.exec(given || 'File')!
  for (let i = 1; ; i++) {
    const name = i === 1 ? `${stem}${end ?? ''}` : `${stem} (${i})${end ?? ''}`
    if (!taken.has(name)) return name
  }
}
