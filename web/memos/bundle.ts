/** Several memos in one link: a small file that lists their links (docs/protocol.md, "Several things in one link"). */
export const bundleType = 'application/vnd.starling.links+json'

/** Longest such file that is read, bytes. */
export const maxBundle = 256 * 1024
export const maxLinks = 1000
/** Trackers and web seeds that are asked for all of them together. */
const maxAddresses = 32
const shape = /^[0-9a-f]{40}(\.[\w-]{22})?(&(tr|ws)=[\w%.~!*'()-]+)*$/

/** link is a URL with everything that matters behind its #. */
export const partOf = (link: string): string => link.slice(link.indexOf('#') + 1)

export const tooMany = () =>
  Object.assign(new Error('These are more memos than one link can carry, at most 1,000. Select fewer.'), { code: 'too-large' })

/** Throws tooMany where parseBundle would not take all of them. */
export function makeBundle(links: readonly string[]): File {
  const file = new File([JSON.stringify({ links })], 'memos.json', { type: bundleType })
  if (links.length > maxLinks || file.size > maxBundle) throw tooMany()
  return file
}

/** The links in it that are links, each once; never throws. */
export function parseBundle(text: string): string[] {
  try {
    const { links } = JSON.parse(text) as { links?: unknown }
    if (!Array.isArray(links)) return []
    const good = links.filter((link): link is string => typeof link === 'string' && shape.test(link))
    const addresses = new Set<string>()
    const bounded = (link: string) => {
      const [id, ...all] = link.split('&')
      return [id, ...all.filter((one) => addresses.has(one) || (addresses.size < maxAddresses && addresses.add(one)))].join('&')
    }
    return [...new Set(good)].slice(0, maxLinks).map(bounded)
  } catch {
    return []
  }
}
