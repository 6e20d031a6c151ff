/** A server that `starling edge --origin` stands in front of since a moment ago: nothing is known of it yet. */
import { beforeAll, expect, test } from 'vitest'
import { brought, img, kept, page, png, settled, sha256, shown, Site, visit } from './edge.kit.ts'
import { buildBinary, buildPages } from './harness/build.ts'
import { harness, until } from './harness/index.ts'

const kit = harness()
const images = Array.from({ length: 12 }, (_, i) => png(140, 120, i))
/** In a name it is %, #, ? and ü. */
const odd = '%25%23%3F%C3%BC'
const whole = images.reduce((sum, { length }) => sum + length, 0)
const body = page(images.map((_, i) => img(`/img/${i} ${odd}.png`)).join(''))

beforeAll(async () => {
  await buildPages()
  await buildBinary()
})

/** Any server of files. */
async function serve(): Promise<string> {
  const { origin } = await kit.http(({ url }, response) => {
    const data = images[Number(new RegExp(`^/img/(\\d+)%20${odd}\\.png$`).exec(url!)?.[1])]
    if (!data) return response.setHeader('Content-Type', 'text/html').end(body)
    response.setHeader('Content-Type', 'image/png').setHeader('ETag', `"${sha256(data)}"`).setHeader('Content-Length', data.length).end(data)
  })
  return origin
}

test('who came first of all gives what the browser loaded before anything was known', async () => {
  const site = await Site.start(kit, ['--origin', await serve()])
  const ann = await visit(kit, site)
  await shown(ann.page)
  await until('her to have taken it over', async () => (await kept(ann.page)) === whole)
  await settled(site, 1)
  const before = await site.served()
  const bob = await visit(kit, site)
  await until('all images to be there', () => bob.page.evaluate(() => [...document.images].every(({ complete, naturalWidth }) => complete && naturalWidth > 0)))
  expect((await site.served()) - before).toBeLessThan(whole / 2)
  expect(await brought(bob.page)).toBeGreaterThanOrEqual(images.length / 2)
  expect(await shown(bob.page)).toEqual(images.map(sha256))
})
