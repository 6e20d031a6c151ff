import { describe, expect, it, vi } from 'vitest'
import { fakeSdp } from './fake-rtc.ts'
import { fakeTime, hash, introduce, Node, ready, settle, until } from './testing.ts'

fakeTime()

describe('two sides that offer at once', () => {
  it('have one link, when the answers cross', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').want(hash(1))]
    await Promise.all([introduce(a, b, hash(1)), introduce(b, a, hash(1))])
    await ready(a, b)
    await vi.advanceTimersByTimeAsync(40_000)
    expect([a.links.stats().links, b.links.stats().links]).toEqual([1, 1])
    expect(a.all.filter(({ open }) => open)).toMatchObject([{ outgoing: true }])
    expect([...a.failures, ...b.failures]).toEqual([])
  })

  it('have one link for different torrents, which carries both', async () => {
    const a = new Node('1').want(hash(1)).seed(hash(2))
    const b = new Node('2').want(hash(2)).seed(hash(1))
    await Promise.all([introduce(a, b, hash(1)), introduce(b, a, hash(2))])
    await until(() => a.met.size === 2 && b.met.size === 2)
    await vi.advanceTimersByTimeAsync(40_000)
    expect([a.links.stats().links, b.links.stats().links]).toEqual([1, 1])
    expect([...a.failures, ...b.failures]).toEqual([])
  })

  it('close the younger of two open links, and its torrents go on over the elder', async () => {
    // Peers that do not look like ours are known by the extension only.
    const prefix = '2d5757'
    const [a, b] = [new Node('1', { prefix }).want(hash(1)), new Node('2', { prefix }).want(hash(2))]
    a.seed(hash(2))
    b.seed(hash(1))
    await Promise.all([introduce(a, b, hash(1)), introduce(b, a, hash(2))])
    await until(() => [a, b].every((node) => node.made.some((pc) => pc.connectionState === 'closed')))
    await until(() => a.links.stats().channels === 2 && b.links.stats().channels === 2)
    for (const node of [a, b]) {
      expect(node.links.stats()).toMatchObject({ links: 1, connectionsMade: 2, banned: 0 })
      expect([1, 2].map((n) => node.met.get(hash(n))!.filter(({ open }) => open).length)).toEqual([1, 1])
    }
    expect([...a.failures, ...b.failures]).toEqual([])
  })

  it('need no second link to a peer that is known already', async () => {
    const [a, b] = [new Node('1').want(hash(1), hash(2)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    expect(await introduce(a, b, hash(2))).toBe(0)
    expect(b.links.stats().connectionsMade).toBe(1)
  })

  it('keep the link that is open when an answer comes late', async () => {
    const a = new Node('1', { extension: false }).want(hash(1))
    const b = new Node('2', { extension: false }).want(hash(1))
    const [offer] = await a.links.offers(hash(1), 1)
    expect(await introduce(b, a, hash(1))).toBe(1)
    await ready(a, b)
    a.links.answered(hash(1), b.id, offer!.id, fakeSdp('late'))
    await settle()
    expect([a.closed, b.closed]).toEqual([[], []])
    expect(a.links.stats().links).toBe(1)
  })

  it('make no other link where a peer that answers is known already, and the offer that it took is good for nobody else', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    const [offer] = await a.links.offers(hash(2), 1)
    a.links.answered(hash(2), b.id, offer!.id, fakeSdp('needless'))
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['connected', 'closed'])
    const [next] = await a.links.offers(hash(3), 1)
    expect(next!.sdp).not.toBe(offer!.sdp)
  })

  it('have the first of two links under way where a peer answers twice', async () => {
    const a = new Node('1', { extension: false }).want(hash(1))
    const twice = [new Node('2', { extension: false }).seed(hash(1)), new Node('2', { extension: false }).seed(hash(1))]
    const offers = await a.links.offers(hash(1), 2)
    const answers = await Promise.all(offers.map(({ sdp }, i) => twice[i]!.links.offered(hash(1), a.id, sdp)))
    for (const [i, { id }] of offers.entries()) a.links.answered(hash(1), twice[i]!.id, id, answers[i]!)
    await ready(a, twice[0]!)
    expect([twice[0]!.met.size, twice[1]!.met.size]).toEqual([1, 0])
  })

  it('know one peer under two trackers', async () => {
    const a = new Node('1', { extension: false }).want(hash(1))
    const b = new Node('2', { extension: false }).seed(hash(1))
    expect(await Promise.all([introduce(a, b, hash(1)), introduce(a, b, hash(1))])).toEqual([1, 0])
  })
})
