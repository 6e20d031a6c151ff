import { expect, it } from 'vitest'
import { route } from './route.ts'

const pc = (stats: { id: string }[]) =>
  ({ getStats: async () => new Map(stats.map((stat) => [stat.id, stat])) }) as unknown as RTCPeerConnection
const ends = (local: string | undefined, remote: string | undefined) => [
  { id: 'L', candidateType: local },
  { id: 'R', candidateType: remote },
  { id: 'other', candidateType: 'relay' },
]
const pair = { id: 'P', localCandidateId: 'L', remoteCandidateId: 'R' }

it.each([
  ['relay', 'host', 'relayed'],
  ['prflx', 'relay', 'relayed'],
  ['host', 'srflx', 'direct'],
  [undefined, 'host', 'direct'],
  [undefined, undefined, 'unknown'],
])('from %s to %s is %s', async (local, remote, kind) => {
  const transport = { id: 'T', selectedCandidatePairId: 'P' }
  expect(await route(pc([transport, pair, ...ends(local, remote)]))).toBe(kind)
  const chosen = { ...pair, selected: true }
  const unused = { id: 'Q', localCandidateId: 'other', remoteCandidateId: 'other', selected: false }
  expect(await route(pc([unused, chosen, ...ends(local, remote)]))).toBe(kind)
})

it('is unknown where the browser does not say', async () => {
  expect(await route({ getStats: () => Promise.reject(new Error()) } as unknown as RTCPeerConnection)).toBe('unknown')
})
