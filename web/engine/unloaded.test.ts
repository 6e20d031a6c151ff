import { expect, test, vi } from 'vitest'
import { Starling } from './index.ts'
import { more } from './swarm/lazy.ts'

const gone = vi.hoisted(() => () => {
  throw new TypeError('Failed to fetch dynamically imported module')
})
vi.mock('./node.ts', gone)
vi.mock('./swarm/more.ts', gone)

test('in a page whose parts are gone, as one that is open over several updates, every call says to load it again', async () => {
  const node = new Starling({ shareTabs: false })
  const told = { name: 'StarlingError', code: 'unloaded', message: expect.stringMatching(/load this page again/) }
  await expect(node.ready).rejects.toMatchObject(told)
  await expect(node.add('a'.repeat(40))).rejects.toMatchObject(told)
  await expect(more()).rejects.toMatchObject(told)
})
