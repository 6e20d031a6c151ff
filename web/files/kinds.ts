/** What a page can show of a file, by what is said of it. Strangers say it: a wrong type shows nothing, and harms nothing. */

import { shownType } from '../engine/stream/protocol.ts'

export type Shown = 'video' | 'audio' | 'image' | 'text'

const text =
  /\.(txt|md|markdown|log|csv|tsv|json|xml|ya?ml|toml|ini|conf|srt|vtt|nfo|html?|css|m?js|ts|jsx|tsx|go|py|rb|rs|c|h|cc|cpp|java|kt|swift|sh|sql|diff|patch|svg|tex|bib)$/i

/** Undefined where it can only be downloaded. */
export function shownAs({ name, type }: { name: string; type: string }): Shown | undefined {
  const media = shownType(type)
  if (media) return media.split('/')[0] as Shown
  // What else calls itself an image may run, and is text at most.
  const [essence = ''] = type.toLowerCase().split(';')
  return /^text\/|[/+](json|xml|yaml)$/.test(essence) || text.test(name) ? 'text' : undefined
}
