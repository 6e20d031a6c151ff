import { expect, it, vi } from 'vitest'
import { failure } from '../ui/standing.ts'
import { NodeHost } from './node.ts'

vi.mock('starling', () => {
  throw new TypeError('Failed to fetch dynamically imported module')
})
vi.stubGlobal('__ENGINE__', [])

it('in a page whose parts are gone, as one that is open over several updates, says that it is to be reloaded', async () => {
  const error = await new NodeHost().get().catch((error: unknown) => error)
  expect(failure(error, 'share').text).toMatch(/load this page again/i)
})
