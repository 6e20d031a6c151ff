import type { LinkInfo } from './channel.ts'

/** How bytes go: by the pair of candidates in use. Firefox marks it, others name it in the transport. */
export async function route(pc: RTCPeerConnection): Promise<LinkInfo['kind']> {
  const stats = new Map<string, Record<string, unknown>>()
  const selected = new Set<unknown>()
  const report = await pc.getStats().catch(() => undefined)
  report?.forEach((stat: Record<string, unknown>) => {
    stats.set(stat.id as string, stat)
    if (stat.selectedCandidatePairId) selected.add(stat.selectedCandidatePairId)
    if (stat.selected) selected.add(stat.id)
  })
  for (const id of selected) {
    const pair = stats.get(id as string)
    const ends = [pair?.localCandidateId, pair?.remoteCandidateId].map((end) => stats.get(end as string)?.candidateType)
    if (ends.some((type) => type)) return ends.includes('relay') ? 'relayed' : 'direct'
  }
  return 'unknown'
}
