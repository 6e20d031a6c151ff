import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Starling } from 'starling'
import { StarlingError, removed } from '../engine/errors.ts'
import { Forgetting } from './forgetting.ts'

const [one, two] = ['1'.repeat(40), '2'.repeat(40)]
let kept: Record<string, string>
let gone: string[]
/** What the engine says instead of letting go. */
let error: StarlingError | undefined

const node = async () =>
  ({
    get: () => undefined,
    add: async (infoHash: string) => ({
      remove: async ({ destroyStore }: { destroyStore?: boolean } = {}) => {
        if (error) throw error
        if (destroyStore) gone.push(infoHash)
      },
    }),
  }) as unknown as Starling

beforeEach(() => {
  ;[kept, gone, error] = [{ files: '1' }, [], undefined]
  const methods = {
    setItem: (key: string, value: string) => void (kept[key] = value),
    removeItem: (key: string) => void delete kept[key],
  }
  vi.stubGlobal('localStorage', new Proxy(methods, { ownKeys: () => Object.keys(kept), getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) }))
})
afterEach(() => void vi.unstubAllGlobals())

it('does what a page was closed before, once, and leaves what is needed again', async () => {
  new Forgetting('memos').begin([one, two])
  await new Forgetting('files').resume(node, async () => [])
  expect(gone).toEqual([])
  for (let starts = 0; starts < 2; starts++) await new Forgetting('memos').resume(node, async () => [two])
  expect([gone, kept]).toEqual([[one], { files: '1' }])
})

it('has nothing left to do where it came to its end', async () => {
  const forgetting = new Forgetting('memos')
  forgetting.begin([one])
  forgetting.end([one])
  await forgetting.resume(node, async () => [])
  expect(gone).toEqual([])
})

it('tries again another time what the engine could not do, unless it was done already', async () => {
  const forgetting = new Forgetting('memos')
  forgetting.begin([one])
  error = new StarlingError('storage', '')
  await expect(forgetting.resume(node, async () => [])).rejects.toBe(error)
  error = removed()
  await forgetting.resume(node, async () => [])
  expect(kept).toEqual({ files: '1' })
})
