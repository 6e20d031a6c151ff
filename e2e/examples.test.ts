import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from './harness/build.ts'
import { saver } from './files.kit.ts'
import { harness, until, type Kit } from './harness/index.ts'

/** What lies there under a name: examples/, and the page of docs/moving.md. */
async function read(name: string): Promise<string> {
  if (name !== 'moving.html') return readFile(join(root, 'examples', name), 'utf8')
  return /```html\n(.*?)```/s.exec(await readFile(join(root, 'docs/moving.md'), 'utf8'))![1]!
}

/** These on a static server of another origin than the Starling server, whose address is written into them. */
async function hosted(kit: Kit, starling: string): Promise<string> {
  const { origin } = await kit.http((request, response) => {
    const [, name, end] = /^\/(\w+\.(html|js))$/.exec(request.url ?? '') ?? []
    if (!name) return response.writeHead(204).end()
    read(name).then(
      (file) => response.setHeader('Content-Type', `text/${end === 'js' ? 'javascript' : end}; charset=utf-8`).end(file.replace('http://localhost:8080', starling)),
      () => response.writeHead(404).end(),
    )
  })
  return origin
}

/** In the page: chooses a video of a second, made there, as a person would by the file input. */
async function chooseVideo(): Promise<void> {
  const canvas = document.createElement('canvas')
  const context = canvas.getContext('2d')!
  let hue = 0
  const draw = () => {
    context.fillStyle = `hsl(${(hue += 9)} 90% 50%)`
    context.fillRect(0, 0, canvas.width, canvas.height)
  }
  draw()
  const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: 'video/webm' })
  const parts: Blob[] = []
  recorder.ondataavailable = ({ data }) => parts.push(data)
  const stopped = new Promise((resolve) => (recorder.onstop = resolve))
  recorder.start()
  const drawing = setInterval(draw, 50)
  await new Promise((resolve) => setTimeout(resolve, 1000))
  clearInterval(drawing)
  recorder.stop()
  await stopped
  const chosen = new DataTransfer()
  chosen.items.add(new File(parts, 'film.webm', { type: 'video/webm' }))
  const input = document.querySelector('input')!
  input.files = chosen.files
  input.dispatchEvent(new Event('change'))
}

describe.each(['chromium', 'firefox'] as const)('%s', (kind) => {
  const kit = harness()

  test('a video that one example shares plays in the other', async () => {
    const server = await kit.serve()
    const pages = await hosted(kit, server.origin)
    // One after the other: a page that somebody's new tab has hidden draws nothing in Firefox, and films nothing.
    const ann = await kit.person(kind)
    await ann.page.goto(`${pages}/share.html`)
    await ann.page.evaluate(chooseVideo)
    const bob = await kit.person(kind)
    const link = await until('a link', () => ann.page.evaluate(() => document.querySelector('a')?.href))
    expect(link).toMatch(/\/watch\.html#[0-9a-f]{40}\.[\w-]{22}/)
    await bob.page.goto(link)
    await until('a picture', () => bob.page.evaluate(() => document.querySelector('video')!.readyState >= 2))
    await bob.page.evaluate(() => {
      const video = document.querySelector('video')!
      video.muted = true
      return video.play()
    })
    await until('the film to run', () => bob.page.evaluate(() => document.querySelector('video')!.currentTime > 0.2))
    await until('all of it', () => bob.page.evaluate(() => document.querySelector('progress')?.value === 1))
    // What screen readers read aloud whenever it changes says no more than what goes on.
    expect(await bob.page.evaluate(() => document.querySelector('output')!.textContent)).toMatch(/^film\.webm: \w+$/)
    // Their own origin's service worker answers the player, which need not wait for the whole.
    expect(await bob.page.evaluate(() => document.querySelector('video')!.src)).toContain(`${pages}/~/`)
  })

  test('the page of those who move from WebTorrent shares a video, and plays it', async () => {
    const server = await kit.serve()
    const pages = await hosted(kit, server.origin)
    const ann = await kit.person(kind)
    await ann.page.goto(`${pages}/moving.html`)
    await ann.page.evaluate(chooseVideo)
    const link = await until('a link', () => ann.page.evaluate(() => location.hash && location.href))
    const bob = await kit.person(kind)
    await bob.page.goto(link)
    await until('a picture', () => bob.page.evaluate(() => document.querySelector('video')!.readyState >= 2))
    expect(await bob.page.evaluate(() => document.querySelector('video')!.src)).toContain(`${pages}/~/`)
    await until('progress', () => bob.page.evaluate(() => document.querySelector('p')!.textContent?.startsWith('film.webm: 100 %')))
  })

  test('a file is saved as the docs have it, also in a page whose service worker has less than the whole site', async () => {
    const server = await kit.serve()
    const save = /async function save.*?\n}\n/s.exec(await readFile(join(root, 'docs/engine.md'), 'utf8'))![0]
    const page = `<!doctype html><title>Save</title><script type="module">
      import { Starling } from '${server.origin}/starling.js'
      ${save}
      await navigator.serviceWorker.register('sw.js')
      const [file] = (await new Starling().seed(new File(['Dear Bob'], 'letter.txt'))).files
      document.title = await file.url()
      await save(file)
    </script>`
    const { origin } = await kit.http((request, response) => {
      if (request.url === '/app/') response.setHeader('Content-Type', 'text/html').end(page)
      else if (request.url === '/app/sw.js') response.setHeader('Content-Type', 'text/javascript').end(`importScripts('${server.origin}/starling-sw.js')`)
      else response.writeHead(204).end()
    })
    const { person, saved } = await saver(kit, kind)
    await person.page.goto(`${origin}/app/`)
    expect(String(await saved('letter.txt'))).toBe('Dear Bob')
    expect(await person.page.title()).toContain(`${origin}/~/`)
  })

  test('a site with a policy and a service worker of its own, as the docs have both', async () => {
    const server = await kit.serve()
    const docs = (await readFile(join(root, 'docs/engine.md'), 'utf8')).replaceAll('https://starling.example', server.origin)
    const policy = /`(script-src 'self'[^`]*)`/.exec(docs)![1]!.replace('wss://starling.example', server.origin.replace('http', 'ws')).replace(/\s+/g, ' ')
    const site: Record<string, string> = {
      '/': '<!doctype html><title>Site</title><img alt=""><script type="module" src="/app.js"></script>',
      '/app.js': `import { Starling } from '${server.origin}/starling.js'
        await navigator.serviceWorker.register('/sw.js')
        const node = new Starling({ linkBase: '/' })
        globalThis.share = async (dot) => (await node.seed(dot, { private: true })).link
        if (location.hash) {
          const torrent = await node.add(location.href)
          await torrent.ready
          document.querySelector('img').src = await torrent.files[0].url()
        }`,
      // The site's own answers whatever it is asked.
      '/sw.js': `${/^importScripts\(.*starling-sw.*$/m.exec(docs)![0]}
        addEventListener('install', (event) => event.waitUntil(skipWaiting()))
        addEventListener('activate', (event) => event.waitUntil(clients.claim()))
        addEventListener('fetch', (event) => event.respondWith(fetch(event.request)))`,
    }
    const asked: string[] = []
    const { origin } = await kit.http(({ url = '' }, response) => {
      asked.push(url)
      const type = url === '/' ? 'text/html' : 'text/javascript'
      response.writeHead(site[url] ? 200 : 204, { 'Content-Type': type, 'Content-Security-Policy': `default-src 'none'; ${policy}` }).end(site[url])
    })
    const [ann, bob] = [await kit.person(kind), await kit.person(kind)]
    await ann.page.goto(`${origin}/`)
    const link = await until('a link', () => ann.page.evaluate(async () => {
      const canvas = document.createElement('canvas')
      const dot = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve))
      return (globalThis as unknown as { share?(dot: File): Promise<string> }).share?.(new File([dot!], 'dot.png', { type: 'image/png' }))
    }))
    await bob.page.goto(link)
    await until('the picture', () => bob.page.evaluate(() => document.querySelector('img')!.naturalWidth === 300))
    expect(await bob.page.evaluate(() => document.querySelector('img')!.src)).toContain(`${origin}/~/`)
    expect(asked.filter((path) => path.startsWith('/~/'))).toEqual([])
  })

  test('on a phone both fit, and what cannot be shared is said', async () => {
    const server = await kit.serve()
    const pages = await hosted(kit, server.origin)
    const { page } = await kit.person(kind)
    await page.setViewport({ width: 360, height: 740, isMobile: kind === 'chromium' })
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth)
    await page.goto(`${pages}/watch.html`)
    expect(await wide()).toBe(360)
    await page.goto(`${pages}/share.html`)
    await page.evaluate(chooseVideo)
    await until('a link', () => page.evaluate(() => document.querySelector('a')?.href))
    expect(await wide()).toBe(360)
    // Whoever thinks better of it in the browser's dialog has chosen nothing.
    await page.evaluate(() => {
      const input = document.querySelector('input')!
      input.value = ''
      input.dispatchEvent(new Event('change'))
    })
    await until('words', () => page.evaluate(() => document.querySelector('output')!.textContent === 'There is no file to share.'))
  })

  test('a link that is cut short says so', async () => {
    const server = await kit.serve()
    const pages = await hosted(kit, server.origin)
    const bob = await kit.person(kind)
    await bob.page.goto(`${pages}/watch.html#${'a'.repeat(39)}`)
    const output = () => bob.page.evaluate(() => document.querySelector('output')!.textContent)
    await until('words', async () => (await output())?.includes('cut short'))
    // As another link is pasted over it, the page stays.
    await bob.page.evaluate((hash) => (location.hash = hash), `${'a'.repeat(40)}.${'A'.repeat(22)}&tr=${encodeURIComponent(server.tracker)}`)
    await until('that one to be looked for', async () => /Finding|connecting|finding/.test((await output().catch(() => '')) ?? ''))
  })
})
