import { afterEach, expect, it, vi } from 'vitest'
import { Starling } from 'starling'
import type { Node } from '../engine/node.ts'
import { destroyAll, join, testNode } from '../engine/swarm/testing.ts'
import { parseId } from '../engine/torrent/link.ts'
import { Fetching, infoHashOf } from './fetching.ts'

const world = vi.hoisted(() => ({ node: undefined as Node | undefined }))
vi.mock('../engine/node.ts', async (original) => ({
  ...(await original<typeof import('../engine/node.ts')>()),
  startNode: async () => world.node,
}))

class Arrival extends Fetching {
  readonly rows = []
}

vi.stubGlobal('document', new EventTarget())
afterEach(destroyAll)

it('a link with a wrong key takes nothing away of what is here', async () => {
  const sender = testNode()
  const { link, infoHash } = await sender.node.seed([new File(['secret'], 'a.txt')], { private: true })
  const here = testNode()
  await here.node.add(link, {})
  join(here, sender, infoHash)
  await here.until(infoHash, ({ done }) => done)
  // As after a reload; nobody else is there any more.
  await here.node.remove(infoHash, {})
  world.node = here.node
  const page = new Starling({ shareTabs: false })

  const fetching = new Arrival(link.replace(/\.[\w-]{22}/, `.${'A'.repeat(22)}`))
  const open = () => fetching.begin(async () => void (await fetching.meet(page)), async () => true)
  await open()
  expect(fetching.error).toMatchObject({ code: 'wrong-key' })
  fetching.link = link
  void open()
  await vi.waitUntil(() => fetching.torrent?.state.done, { timeout: 20_000 })
  expect(await fetching.torrent!.files[0]!.text()).toBe('secret')
  await page.destroy()
})

it('a link that lost its key leads to nothing, and a folder that is called so to what is in it', async () => {
  const sender = testNode()
  const cut = (await sender.node.seed([new File(['secret'], 'a.txt')], { private: true })).infoHash
  const folder = (await sender.node.seed(['a', 'b'].map((name) => new File([name], `sealed/${name}`)), {})).infoHash
  const here = testNode()
  world.node = here.node
  const page = new Starling({ shareTabs: false })
  const meet = async (infoHash: string) => {
    const fetching = new Arrival(`https://a.test/f#${infoHash}`)
    const met = fetching.meet(page)
    await vi.waitUntil(() => page.get(infoHash))
    join(here, sender, infoHash)
    return met
  }
  await expect(meet(cut)).rejects.toMatchObject({ code: 'bad-link', message: expect.stringContaining('key is missing') })
  expect(page.torrents).toEqual([])
  expect((await meet(folder)).name).toBe('sealed')
  await page.destroy()
})

const [hash, other, key] = ['ab'.repeat(20), 'cd'.repeat(20), 'k'.repeat(22)]
const base32 = 'VOV2XK5LVOV2XK5LVOV2XK5LVOV2XK5L' // of hash

it.each([
  [`https://a.test/f?/${other}#${hash}.${key}`, hash],
  [`https://a.test/${other}#${hash}.${key}&tr=wss:/${other}`, hash],
  [`magnet:?dn=:${other}&xt=urn:btih:${hash}`, hash],
  [`magnet:?tr=wss://a.test/${other}&xt.1=URN:BTIH:${hash}&xt.2=urn:btih:${other}`, hash],
  [`magnet:?xt=urn:btih:${base32}&xt=urn:btih:${other}#${other}`, undefined],
])('takes %s for what the engine takes it for', async (link, shown) => {
  expect([infoHashOf(link), (await parseId(link)).infoHash]).toEqual([shown, hash])
})
