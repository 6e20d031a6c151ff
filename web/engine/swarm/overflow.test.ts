import { afterEach, expect, test } from 'vitest'
import { StarlingError } from '../errors.ts'
import { memoryStores } from '../store/memory.ts'
import type { Bytes } from '../bytes.ts'
import type { Store } from '../store/store.ts'
import { destroyAll, join, noise, testNode } from './testing.ts'

afterEach(destroyAll)

const piece = 1 << 20

/** A device with room for that many pieces; like a worker, it takes the data and gives back what it refuses. */
function device(room: number) {
  const stores = memoryStores()
  const open = stores.open.bind(stores)
  const disk = { stores, room, written: new Set<number>() }
  stores.open = async (...args): Promise<Store> => {
    const store = await open(...args)
    const write = store.write.bind(store)
    store.write = async (start, data) => {
      const taken = structuredClone(data, { transfer: [data.buffer] }) as Bytes
      if (!disk.written.has(start) && disk.written.size >= disk.room) {
        throw Object.assign(new StarlingError('no-space', 'This browser has no room left.'), { data: taken })
      }
      disk.written.add(start)
      await write(start, taken)
      return taken
    }
    return store
  }
  return disk
}

async function sent(data: Bytes) {
  const from = testNode()
  const { infoHash, magnetURI } = await from.node.seed([new File([data], 'data.bin')], {})
  return { from, infoHash, magnetURI }
}

const pieces = async ({ stores }: ReturnType<typeof device>, infoHash: string) =>
  [...((await stores.registry.get(infoHash))?.pieces ?? [])].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0)

test.each([0, 3])('a device with room for %i pieces: all of it is read, and what is not on disk is promised to nobody', async (room) => {
  const data = noise(6 * piece)
  const { from, infoHash, magnetURI } = await sent(data)
  const disk = device(room)
  const to = testNode({}, disk.stores)
  await to.node.add(magnetURI, {})
  join(to, from, infoHash)
  const state = await to.until(infoHash, ({ error }) => !!error)
  expect(state).toMatchObject({ status: 'failed', error: { code: 'no-space' }, done: false })
  const blob = await to.node.blob(infoHash, 0)
  expect(Buffer.compare(new Uint8Array(await blob.arrayBuffer()), data)).toBe(0)
  await to.node.destroy()
  expect([disk.written.size, await pieces(disk, infoHash)]).toEqual([room, room])
})

test('room is made: what was in memory is put down, and it is fetched to its end', async () => {
  const data = noise(6 * piece)
  const { from, infoHash, magnetURI } = await sent(data)
  const disk = device(2)
  const to = testNode({}, disk.stores)
  await to.node.add(magnetURI, {})
  join(to, from, infoHash)
  await to.until(infoHash, ({ error }) => !!error)
  const before = (await from.node.states())[0]!.uploaded
  disk.room = Infinity
  await to.node.remove(infoHash, { destroyStore: false })
  await to.node.add(magnetURI, {})
  join(to, from, infoHash)
  await to.until(infoHash, ({ done }) => done)
  expect((await from.node.states())[0]!.uploaded - before).toBeLessThanOrEqual(piece)
  await to.node.destroy()
  expect(disk.written.size).toBe(await pieces(disk, infoHash))
})

test('memory is bounded', async () => {
  const { from, infoHash, magnetURI } = await sent(noise(40 * piece))
  const disk = device(0)
  const to = testNode({}, disk.stores)
  await to.node.add(magnetURI, {})
  join(to, from, infoHash)
  const { downloaded } = await to.until(infoHash, ({ error }) => !!error)
  expect(downloaded).toBeLessThanOrEqual(32 * piece)
})
