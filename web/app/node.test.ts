import { expect, it, vi } from 'vitest'
import { hidden } from '../ui/hiding.ts'
import { failure } from '../ui/standing.ts'
import { NodeHost } from './node.ts'

vi.mock('starling', () => {
  throw new TypeError('Failed to fetch dynamically imported module')
})
vi.stubGlobal('__ENGINE__', [])

it.each([
  ['is not there', () => Promise.reject(new TypeError('Failed to fetch'))],
  ['is behind a page to sign in at', async () => new Response('<!doctype html>')],
])('says in words that the server %s, and hides nothing', async (_, answer) => {
  vi.stubGlobal('fetch', answer)
  await expect(new NodeHost().hide(true)).rejects.toThrow('The server cannot be reached')
  expect(hidden()).toBe(false)
})

it('in a page whose parts are gone, as one that is open over several updates, says that it is to be reloaded', async () => {
  const error = await new NodeHost().get().catch((error: unknown) => error)
  expect(failure(error, 'share').text).toMatch(/load this page again/i)
})
