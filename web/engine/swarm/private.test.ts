import { describe, expect, test } from 'vitest'
import { memoryStores } from '../store/memory.ts'
import { join, noise, testNode } from './testing.ts'
import { data } from './sample.ts'

describe('private torrents', () => {
  test('a wrong key is told apart from missing data', async () => {
    const from = testNode()
    const { link, infoHash } = await from.node.seed([new File(['secret'], 'a.txt')], { private: true })
    const to = testNode()
    await to.node.add(link.replace(/\.[\w-]{22}/, `.${'A'.repeat(22)}`), {})
    expect((await to.node.states())[0]!.status).toBe('finding')
    join(to, from, infoHash)
    const state = await to.until(infoHash, ({ error }) => !!error)
    expect(state).toMatchObject({ status: 'failed', ready: false, error: { code: 'wrong-key' } })
    await expect(to.node.blob(infoHash, 0)).rejects.toMatchObject({ code: 'wrong-key' })
    // The right link puts it right, for who has another handle of it.
    const removed: string[] = []
    to.node.onremove = (infoHash) => removed.push(infoHash)
    await to.node.add(link, {})
    join(to, from, infoHash)
    expect(removed).toEqual([infoHash])
    const fine = await to.until(infoHash, ({ done }) => done)
    expect(fine).toMatchObject({ name: 'a.txt', files: [{ name: 'a.txt', size: 6 }] })
    expect(await (await to.node.blob(infoHash, 0)).text()).toBe('secret')
    await expect(to.node.add(link.replace(/\.[\w-]{22}/, `.${'A'.repeat(22)}`), {})).rejects.toMatchObject({ code: 'wrong-key' })
  })

  test.each([true, false])('a link with a wrong key spoils no later one (private: %s)', async (sealed) => {
    const from = testNode()
    const { link, infoHash } = await from.node.seed([new File(['secret'], 'a.txt')], { private: sealed })
    const to = testNode()
    const fetched = async (link: string) => {
      await to.node.add(link, {})
      join(to, from, infoHash)
      return to.until(infoHash, ({ done, error }) => done || !!error)
    }
    const wrong = `${infoHash}.${'A'.repeat(22)}`
    if (sealed) {
      await fetched(link)
      await to.node.remove(infoHash, {})
    }
    for (const reloaded of [false, true]) {
      expect(await fetched(wrong)).toMatchObject({ error: { code: 'wrong-key' } })
      if (reloaded) await to.node.remove(infoHash, {})
      // The key of a private one is known here.
      expect(await fetched(infoHash)).toMatchObject({ name: 'a.txt', done: true, private: sealed })
      await to.node.remove(infoHash, { destroyStore: !sealed })
    }
  })

  test.each([true, false])('of a link with a wrong key nothing is kept that was not before (private: %s)', async (sealed) => {
    const from = testNode()
    const { link, infoHash } = await from.node.seed([new File(['secret'], 'a.txt')], { private: sealed })
    const to = testNode()
    const kept = async (link: string) => {
      await to.node.add(link, {})
      join(to, from, infoHash)
      await to.until(infoHash, ({ done, error }) => done || !!error)
      await to.node.remove(infoHash, {})
      return to.stores.registry.get(infoHash)
    }
    const wrong = `${infoHash}.${'A'.repeat(22)}`
    expect(await kept(wrong)).toBeUndefined()
    const right = await kept(link)
    expect(right!.pieces![0]).toBe(0x80)
    expect(await kept(wrong)).toEqual(right)
  })

  test('a range is read before the rest is there', async () => {
    const from = testNode()
    const secret = noise(1 << 20)
    const { link, infoHash } = await from.node.seed([new File([secret], 'a.webm')], { private: true })
    const to = testNode()
    await to.node.add(link, { onDemand: true })
    join(to, from, infoHash)
    const read = await to.node.read(infoHash, 0, 900_000, 900_100, 'player')
    expect(Buffer.compare(read, secret.slice(900_000, 900_000 + read.length))).toBe(0)
    expect(read.length).toBe(100)
    expect(await (await to.node.blob(infoHash, 0)).arrayBuffer()).toEqual(secret.buffer)
  })
})

test('a private torrent of which even the header is gone is fetched anew where it is added again', async () => {
  const sender = testNode()
  const { link, infoHash } = await sender.node.seed([new File([data], 'data.bin')], { private: true })
  const stores = memoryStores()
  const first = testNode({}, stores)
  await first.node.add(link, {})
  join(first, sender, infoHash)
  await first.until(infoHash, ({ done }) => done)
  await stores.destroy(infoHash)
  const node = testNode({}, stores)
  await node.node.add(link, {})
  expect(await node.until(infoHash, ({ error }) => !!error)).toMatchObject({ error: { code: 'storage' } })
  expect(await node.node.add(link, {})).toMatchObject({ ready: false, downloaded: 0 })
  join(node, sender, infoHash)
  await node.until(infoHash, ({ done }) => done)
  expect(Buffer.compare(new Uint8Array(await (await node.node.blob(infoHash, 0)).arrayBuffer()), data)).toBe(0)
})

