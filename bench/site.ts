/** The site that the rows about the edge are measured on, and people who visit it. */
import { img, page, png, sha256, shown, Site } from '../e2e/edge.kit.ts'
import { film } from '../e2e/film.kit.ts'
import type { Person } from '../e2e/harness/browser.ts'
import type { Kit } from '../e2e/harness/kit.ts'
import { until } from '../e2e/harness/until.ts'

/** A narrow line and a long film take their time. */
const patience = { within: 180_000 }
/** To be asked twenty times a second would cost a page more than to play its film. */
const untilItsEnd = { ...patience, every: 1000 }

/** Pictures that a window of 800 × 600 shows. */
const inView = 1

export interface Shape {
  /** How many pictures of about how many bytes. */
  images: number
  bytes: number
  /** Seconds of film, none where it is 0, at about so many bytes per second. */
  seconds: number
  speed?: number
  /** Whether it plays by itself [true]. */
  autoplay?: boolean
}

/**
 * Pictures, of which one or two are in view, and a film below them:
 *   /             all with data-src; a film that plays by itself as docs/edge.md advises
 *   /hidden.html  the same, but that has data-src, too
 *   /fold.html    the same, but what is in view has src, as docs/edge.md advises
 *   /plain.html   without the script: the same with src
 */
export class Exhibition {
  readonly files: Record<string, string | Buffer>
  /** SHA-256 of each picture. */
  readonly right: string[]
  readonly seconds: number

  private constructor(files: Record<string, string | Buffer>, right: string[], seconds: number) {
    this.files = files
    this.right = right
    this.seconds = seconds
  }

  static async make(kit: Kit, { images, bytes, seconds, speed = 190_000, autoplay = true }: Shape): Promise<Exhibition> {
    const width = Math.round(Math.sqrt(bytes / 3))
    const pictures = Array.from({ length: images }, (_, i) => png(width, width, i))
    const tags = pictures.map((_, i) => img(`/img/${i}.png`, i < inView ? 'elementtiming=fold' : ''))
    const player = seconds ? `<video muted ${autoplay ? 'autoplay' : ''} width=320 height=240 data-src="/film.webm"></video>` : ''
    const begins = autoplay ? player.replace('data-src="', 'crossorigin src="/.starling/play') : player
    const body = [...tags, begins].join('')
    const plain = (html: string) => html.replaceAll('data-src', 'src')
    const hidden = page([...tags, player].join(''))
    const files = {
      'index.html': page(body),
      'hidden.html': hidden,
      'fold.html': page([plain(tags.slice(0, inView).join('')), ...tags.slice(inView), begins].join('')),
      'plain.html': plain(hidden.replace(/<script.*<\/script>/, '')),
      ...(seconds && { 'film.webm': await film(kit, seconds, speed) }),
      ...Object.fromEntries(pictures.map((data, i) => [`img/${i}.png`, data])),
    }
    return new Exhibition(files, pictures.map(sha256), seconds)
  }

  /** Bytes of all that can be an asset. */
  get bytes(): number {
    return Object.values(this.files).reduce((sum, data) => sum + (typeof data === 'string' ? 0 : data.length), 0)
  }

  async serve(kit: Kit, args: string[] = []): Promise<Site> {
    return Site.serve(kit, this.files, { args, assets: Object.keys(this.files).length - 4 })
  }

  /** Somebody looks at it all, and watches the film to its end. How many of the things shown were wrong. */
  async visit(person: Person, url: string): Promise<number> {
    await this.watch(person, url)
    return this.wrong(person)
  }

  async watch({ page }: Person, url: string): Promise<void> {
    await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 120_000 })
    // To be asked again and again would cost a page more than its images.
    await page.evaluate(() => new Promise<void>((there) => {
      const look = () => [...document.images].every(({ complete, naturalWidth }) => complete && naturalWidth) && there()
      document.addEventListener('load', look, true)
      look()
    }))
    if (!this.seconds) return
    // Who comes to watch presses play once there is something to see.
    await until('the film to begin', () => page.evaluate(() => {
      const video = document.querySelector('video')!
      if (video.paused && !video.autoplay && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) void video.play()
      return !video.paused
    }), patience)
    await until('the film to end', () => page.evaluate(() => {
      const { ended, error } = document.querySelector('video')!
      if (error) throw new Error(error.message)
      return ended
    }), untilItsEnd)
  }

  /** How many of the things shown are wrong, of which it tells. */
  async wrong({ page }: Person): Promise<number> {
    const pictures = await shown(page)
    const wrong = this.right.filter((sum, i) => sum !== pictures[i]).length + Math.max(0, pictures.length - this.right.length)
    if (wrong) console.error(`  ${wrong} of ${pictures.length} pictures are wrong`)
    if (!this.seconds) return wrong
    const [right, seen] = [await this.#scenes(page), await scenes(page)]
    const other = right.flatMap((sum, second) => (sum === seen[second] ? [] : [second]))
    if (other.length) console.error(`  the film is wrong in the seconds ${other}`)
    return wrong + (other.length ? 1 : 0)
  }

  /** The film's scenes as they are when it is loaded whole, by a page of the same browser. */
  #right: Promise<string[]> | undefined
  #scenes(page: Person['page']): Promise<string[]> {
    return (this.#right ??= scenes(page, (this.files['film.webm'] as Buffer).toString('base64')))
  }
}

/** SHA-256 of the pixels of a frame of each second, of the page's film or of one in base64. */
function scenes(page: Person['page'], film = ''): Promise<string[]> {
  return page.evaluate(async (film) => {
    const video = film ? document.createElement('video') : document.querySelector('video')!
    if (film) {
      video.muted = true
      video.src = URL.createObjectURL(new Blob([Uint8Array.from(atob(film), (char) => char.charCodeAt(0))], { type: 'video/webm' }))
      await new Promise((resolve) => (video.onloadeddata = resolve))
    }
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight)
    const context = canvas.getContext('2d', { willReadFrequently: true })!
    const sums: string[] = []
    for (let time = 0.5; time < video.duration; time++) {
      const there = new Promise((resolve) => {
        const look = () => video.requestVideoFrameCallback((_, { mediaTime }) => (Math.abs(mediaTime - time) < 0.05 ? resolve(0) : look()))
        look()
      })
      video.currentTime = time
      await there
      context.drawImage(video, 0, 0)
      const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data
      sums.push(Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', pixels)), (byte) => byte.toString(16).padStart(2, '0')).join(''))
    }
    return sums
  }, film)
}
