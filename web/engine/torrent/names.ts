/** Names that strangers chose, made fit to be shown as text and to be saved on any system. */

/**
 * One line of text: without controls and without characters that turn the writing direction (which make
 * "gpj.exe" look like "exe.jpg"), at most max UTF-16 units. Macs write é as two characters, and 한 as three, which
 * other systems show apart, and find no name by: here each is one (NFC).
 */
export function cleanText(text: string, max: number): string {
  const some = text.slice(0, 4 * max)
  // Most are, and a torrent may have many.
  if (/^[ -~]*$/.test(some)) return some.slice(0, max).trim()
  return some
    .replace(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu, '')
    .normalize('NFC')
    .slice(0, max)
    .replace(/[\ud800-\udbff]$/, '')
    .trim()
}

/** A file's name: never empty, '.' or '..', without separators, and no device of Windows. A long one keeps its end. */
export function cleanName(text: string): string {
  const all = cleanText(text, 1000)
  const end = all.length > 200 ? (/\.[a-z\d]{1,10}$/i.exec(all)?.[0] ?? '') : ''
  const name = (cleanText(all, 200 - end.length) + end).replace(/[\\/:*?"<>|]/g, '_').replace(/[. ]+$/, '')
  return !name || /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[\d¹²³]) *(\.|$)/i.test(name) ? `_${name}` : name
}

/** Small letters that share a capital with another one, as ς does with σ. */
const doubles = /[\u00b5\u0131\u017f\u0345\u03c2\u03d0\u03d1\u03d5\u03d6\u03f0\u03f1\u03f5\u1c80-\u1c88\u1e9b]/g

/** The same for all paths that a file system may take for one. */
const fold = (path: string): string =>
  path.toLowerCase().replace(doubles, (letter) => letter.toUpperCase().toLowerCase())

/**
 * Paths, each a list of names, as '/'-joined clean paths of which none is another, nor a folder of another, on a
 * system that ignores case. Deterministic. Of a path of more than 32 parts, the last 32 stay.
 */
export function cleanPaths(paths: readonly (readonly string[])[]): string[] {
  const clean = paths.map((path) => path.slice(-32).map(cleanName))
  const taken = new Set<string>()
  for (const path of clean) {
    for (let n = path.length - 1, seen = false; n > 0 && !seen; n--) {
      const folder = fold(path.slice(0, n).join('/'))
      seen = taken.has(folder)
      taken.add(folder)
    }
  }
  const counts = new Map<string, number>()
  return clean.map((parts) => {
    const path = parts.join('/') || '_'
    const key = fold(path)
    let free = path
    let folded = key
    let count = counts.get(key) ?? 1
    while (taken.has(folded)) folded = fold((free = path.replace(/(\.[^./]*)?$/, ` (${++count})$1`)))
    counts.set(key, count)
    taken.add(folded)
    return free
  })
}
