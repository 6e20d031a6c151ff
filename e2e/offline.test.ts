import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from './harness/build.ts'
import { harness, until } from './harness/index.ts'

const built = join(root, 'web/built')

/** The service worker of docs/engine.md, with the names that this build has. */
async function worker(): Promise<string> {
  const [, text = ''] = /## Offline\n.*?```js\n(.*?)```/s.exec(await readFile(join(root, 'docs/engine.md'), 'utf8')) ?? []
  const assets = (await readdir(join(built, 'assets'))).filter((name) => /^starling-.*\.js$/.test(name))
  return text.replace(/'\/assets\/[^']*'/, assets.map((name) => `'/assets/${name}'`).join())
}

const app = (server: string) => `
import { Starling } from './starling.js'
await navigator.serviceWorker.register('/sw.js')
await navigator.serviceWorker.ready
const node = new Starling({ server: '${server}', linkBase: '/' })
globalThis.share = async (text) => (await node.seed(text, { private: true })).link
if (location.hash) {
  const torrent = await node.add(location.href)
  await torrent.done
  document.body.textContent = (await torrent.files[0].text()) + ' from ' + (await node.stats()).store
}
globalThis.started = true`

describe.each(['chromium', 'firefox'] as const)('%s', (kind) => {
  const kit = harness()

  test('a page with the engine on its own origin opens what it has without a network', async () => {
    const server = await kit.serve()
    const own: Record<string, () => Promise<string>> = {
      '/': async () => '<!doctype html><body><script type="module" src="/app.js"></script>',
      '/app.js': async () => app(server.origin),
      '/sw.js': worker,
    }
    const site = await kit.http((request, response) => {
      const path = request.url!
      const read = own[path] ?? (/^\/(starling|assets\/starling)[\w.-]*\.js$/.test(path) ? () => readFile(join(built, path), 'utf8') : undefined)
      if (!read) return response.writeHead(204).end()
      void read().then((text) => response.setHeader('Content-Type', path === '/' ? 'text/html' : 'text/javascript').end(text))
    })
    const allow = [/announce|ERR_CONNECTION_REFUSED|Cross-Origin Request Blocked/]
    const [ann, bob] = [await kit.person('chromium', { allow }), await kit.person(kind, { allow })]
    const origin = `${site.origin}/`
    await ann.page.goto(origin)
    await until('the page', () => ann.page.evaluate(() => 'started' in globalThis))
    const link = await ann.page.evaluate(() => (globalThis as unknown as { share(text: string): Promise<string> }).share('hello'))
    expect(link.startsWith(`${origin}#`)).toBe(true)
    await bob.page.goto(link)
    const shown = () => until('the text', () => bob.page.evaluate(() => document.body.textContent))
    expect(await shown()).toBe('hello from opfs')
    await ann.page.close()
    await server.stop()
    await site.close()
    await bob.page.reload()
    expect(await shown()).toBe('hello from opfs')
  })
})
