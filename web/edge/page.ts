import type { Carry } from './carry.ts'
import type { Cause } from './figures.ts'
import { abstains, base, ours, settings } from './settings.ts'
import { inView, near, seen } from './sight.ts'
import { pathOf } from './url.ts'

const images = 'img[data-src],img[data-srcset]'
/** Where what plays by itself begins: its path follows (edge/play.go). */
const play = `${base}play/`
const begun = '[src^="/.starling/play/"]'
const players = `:is(video,audio):is([data-src],${begun},:has(>:is([data-src],${begun})))`
const posters = 'video[data-poster]'
/** Milliseconds after the page has loaded. */
const calmAfter = 500
const all = `${images},${players},${posters}`
/** What an element shows is kept as long as it is. */
const blobs = new FinalizationRegistry((url: string) => URL.revokeObjectURL(url))
/** What copies of images load, as long as they are. */
const nothing = URL.createObjectURL(new Blob())

/** Something of the page that is to be loaded. */
interface Item {
  readonly element: HTMLElement
  /** What its markup says. */
  readonly name: string
  /** Loads it as if there were no script. */
  direct(): void
  settled: boolean
}

/**
 * The elements of the page. What is in view is loaded by the browser at once; for the rest the carrier is asked; and
 * whatever fails on the way ends with the browser loading it, too.
 */
export class Page {
  readonly #abstains = abstains()
  readonly #taken = new WeakMap<Element, Partial<Item>>()
  #carry: Promise<Carry> | undefined

  constructor() {
    this.#find(document)
    new MutationObserver((records) => {
      for (const { target, addedNodes, type } of records) {
        for (const node of type === 'attributes' ? [target] : addedNodes) if (node instanceof Element) this.#find(node)
      }
    }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-src', 'data-srcset', 'data-poster'] })
    if (this.#abstains) return
    addEventListener('click', (event) => this.#click(event))
    addEventListener('error', restore, true)
    // What was kept from other pages is given to others from this one, whatever it has itself.
    const calm = () => setTimeout(() => void this.#load().then(({ carrier }) => carrier.offer()).catch(() => {}), calmAfter)
    if (document.readyState === 'complete') calm()
    else addEventListener('load', calm)
    if (settings.worker) void import('./unmarked.ts').then(({ take }) => take(this.#load())).catch(() => {})
  }

  #find(root: Element | Document): void {
    // A player's <source> may come later than the player.
    const whole = (root as Element).closest?.(all)
    if (whole) this.#take(whole)
    for (const element of root.querySelectorAll(all)) this.#take(element)
  }

  #take(element: Element): void {
    if (element.matches(posters)) this.#poster(element as HTMLVideoElement)
    if (element.matches(images)) void this.#image(element as HTMLImageElement)
    else if (element.matches(players)) void this.#player(element as HTMLMediaElement)
  }

  async #image(image: HTMLImageElement): Promise<void> {
    const item = this.#item(image, () => reveal(image))
    if (!item) return
    try {
      if (this.#leave(item, settings.noImages)) return
      if (image.loading === 'lazy') await near(image)
      const url = await chosen(image)
      await this.#bring(item, url, (blob) => {
        // The page may want another one by now.
        if (this.#taken.get(image) === item) reveal(image, url, `${blob}#${url}`)
      })
    } catch {
      item.direct()
    }
  }

  #poster(video: HTMLVideoElement): void {
    const url = video.dataset.poster!
    delete video.dataset.poster
    const item = this.#item(video, () => (video.poster = url), url)
    if (!item || this.#leave(item, settings.noImages)) return
    this.#bring(item, url, (blob) => (video.poster = blob)).catch(() => item.direct())
  }

  /**
   * The service worker brings its bytes, so the browser is told the very URL. What plays by itself begins before there is
   * one, at a URL where it gets a little at a time (edge/play.go): the page says that, or else it is told here.
   */
  async #player(player: HTMLMediaElement): Promise<void> {
    const sources = [player, ...player.querySelectorAll<HTMLSourceElement>(':scope>source')]
    const urls = sources.flatMap(({ dataset, src }) => dataset.src ?? (src.startsWith(play) ? src.slice(play.length - 1) : []))
    const hidden = sources.filter(({ dataset }) => dataset.src)
    const paths = urls.map(pathOf)
    const name = `${paths}`
    if (!hidden[0] && this.#taken.get(player)?.name === name) return
    this.#taken.set(player, { name })
    const show = () => {
      for (const source of hidden) reveal(source)
      if (hidden.some((source) => source !== player)) player.load()
      hidden.length = 0
    }
    const wanted = player instanceof HTMLVideoElement ? !settings.noVideos : !settings.noAudio
    try {
      if (wanted && !this.#abstains) {
        if (hidden[0] && player.autoplay && awaited() && paths.every(Boolean)) {
          // Chromium takes a service worker's bytes after the site's own only so.
          player.crossOrigin ??= ''
          for (const { dataset } of hidden) dataset.src = play + new URL(dataset.src!, document.baseURI).pathname.slice(1)
          show()
        }
        // What the rest takes would be in its way.
        if (!hidden[0] && player.readyState < player.HAVE_CURRENT_DATA) await new Promise((resolve) => player.addEventListener('loadeddata', resolve))
        // The service worker is what takes longest, then where the film lies.
        import('./control.ts').catch(() => {})
        const { carrier, media } = await this.#load()
        for (const path of paths) if (path) void carrier.asset(path)
        await (await media()).ready(player, urls)
      }
    } catch {
      // The browser does without.
    }
    show()
  }

  #item(element: HTMLElement, load: () => void, name = `${element.dataset.src} ${element.dataset.srcset}`): Item | undefined {
    const before = this.#taken.get(element)
    if (before?.name === name) {
      // It was shown, and a framework has put the markup back as the server wrote it: the browser does it, without another blob.
      if (before.settled) load()
      return undefined
    }
    const item: Item = {
      element,
      name,
      settled: false,
      direct: () => {
        if (item.settled) return
        item.settled = true
        load()
      },
    }
    this.#taken.set(element, item)
    return item
  }

  /** What the browser does best: then its bytes are taken over later. */
  #leave(item: Item, off?: boolean): boolean {
    if (off || this.#abstains) {
      item.direct()
      return true
    }
    if (settings.noFold || !inView(item.element)) return false
    const { element } = item
    element.addEventListener('load', () => void this.#adopt((element as HTMLImageElement).currentSrc))
    item.direct()
    return true
  }

  async #bring(item: Item, url: string, show: (blob: string) => void): Promise<void> {
    const { element } = item
    const { carrier } = await this.#load()
    const path = pathOf(url)
    const asset = path && (await carrier.asset(path))
    if (!asset) return item.direct()
    const hurry = settings.noFold ? undefined : seen(element).then((): Cause => 'view')
    // Nobody to ask: the browser does it best, and its bytes are given to those who come later.
    const alone = () => {
      item.direct()
      return loaded(element)
    }
    // What is lazy it may leave for later, and of posters it does not tell.
    const tells = element instanceof HTMLImageElement && element.loading !== 'lazy'
    const blob = await carrier.get(asset, hurry, tells ? alone : undefined)
    if (!blob) return item.direct()
    const probe = new Image()
    probe.src = URL.createObjectURL(blob)
    blobs.register(element, probe.src)
    // Where a policy forbids blobs, the browser loads it as ever.
    await loaded(probe)
    if (item.settled) return
    item.settled = true
    show(probe.src)
  }

  async #adopt(url: string): Promise<void> {
    const path = pathOf(url)
    if (!path) return
    const { carrier } = await this.#load()
    const asset = await carrier.asset(path)
    if (asset) await carrier.adopt(asset)
  }

  /** <a download>: fetched before it is saved. */
  #click(event: MouseEvent): void {
    const link = (event.target as Partial<Element>).closest?.<HTMLAnchorElement>('a[download][href]')
    const path = link && pathOf(link.href)
    if (!path || settings.noDownloads || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    import('./download.ts')
      .then(({ download }) => download(this.#load(), link, path))
      .catch(() => location.assign(link.href))
  }

  #load(): Promise<Carry> {
    return (this.#carry ??= import('./carry.ts').then(({ carrier, media }) => ({ carrier, media })))
  }
}

/** The browser takes it from here; in place of url it takes blob. */
function reveal(element: Element, url = '', blob = ''): void {
  for (const part of partsOf(element)) {
    for (const name of ['sizes', 'srcset', 'src']) {
      const value = part.dataset[name]
      if (!value) continue
      delete part.dataset[name]
      part.setAttribute(name, value.replace(url, blob))
    }
  }
}

/** A copy of an element, or of its markup, may outlive it and the blob that it showed; which was what, follows the #. */
function restore({ target }: Event): void {
  if (!(target instanceof HTMLImageElement)) return
  for (const part of partsOf(target)) {
    for (const name of ['sizes', 'srcset', 'src']) {
      const [before, after] = part.getAttribute(name)?.split(/blob:\S*#/) ?? []
      if (after) part.setAttribute(name, before + after)
    }
  }
}

/** It, after what else its <picture> has. */
function partsOf(element: Element): HTMLElement[] {
  return [...(element.closest('picture')?.querySelectorAll('source') ?? []), element as HTMLElement]
}

/** Rejects where it cannot load what it was told to. */
function loaded(image: Element): Promise<unknown> {
  return new Promise((resolve, reject) => {
    image.addEventListener('load', resolve)
    image.addEventListener('error', reject)
  })
}

/** Whether our service worker is in charge, or may come to be. */
function awaited(): boolean {
  const { serviceWorker } = navigator
  return serviceWorker && (serviceWorker.controller?.scriptURL ?? ours) === ours
}

/** Which of its candidates the browser would load: asked of a copy whose candidates are no more than their numbers. */
async function chosen(image: HTMLImageElement): Promise<string> {
  if (partsOf(image).every(({ dataset }) => !dataset.srcset)) return image.dataset.src!
  const urls: string[] = []
  const number = (url: string) => `${nothing}#${urls.push(url) - 1}`
  const copy = (image.closest('picture') ?? image).cloneNode(true) as HTMLElement
  const inner = copy.querySelector('img') ?? (copy as HTMLImageElement)
  inner.loading = 'eager'
  for (const element of partsOf(inner)) {
    const { srcset, src, sizes } = element.dataset
    if (sizes) element.setAttribute('sizes', sizes)
    if (src) element.setAttribute('src', number(src))
    if (srcset) element.setAttribute('srcset', srcset.replace(/(^|,)\s*([^\s,][^\s]*[^\s,])/g, (_, comma: string, url: string) => `${comma} ${number(url)}`))
  }
  for (let tries = 20; !inner.currentSrc && tries; tries--) await new Promise((resolve) => setTimeout(resolve, 5))
  // None: the page itself, which is no asset.
  return urls[+inner.currentSrc.split('#')[1]!] ?? ''
}
