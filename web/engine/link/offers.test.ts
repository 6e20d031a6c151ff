import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { fakeSdp } from './fake-rtc.ts'
import { clocks, fakeTime, hash, introduce, Node, ready, settle } from './testing.ts'

fakeTime()

describe('offers', () => {
  it('are made only as asked for, within the budget, and used again', async () => {
    const a = new Node('1')
    const first = await a.links.offers(hash(1), 3)
    expect(first).toHaveLength(3)
    expect(await a.links.offers(hash(2), 5)).toHaveLength(2)
    expect(await a.links.offers(hash(3), 5)).toEqual([])
    a.links.release(first.slice(1).map(({ id }) => id))
    const again = await a.links.offers(hash(3), 5)
    expect(again.map(({ sdp }) => sdp)).toEqual(first.slice(1).map(({ sdp }) => sdp))
    expect(again.map(({ id }) => id)).not.toEqual(first.slice(1).map(({ id }) => id))
    expect(again[0]!.id).toHaveLength(20)
    expect(a.links.stats().connectionsMade).toBe(5)
  })

  it('that others may have had, whose answers are lost, are used no more', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    const [had, free] = await a.links.offers(hash(1), 2)
    expect(await b.links.offered(hash(1), a.id, had!.sdp)).toBeDefined()
    a.links.release([had!.id], true)
    a.links.release([free!.id])
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'new'])
    expect(await a.links.offers(hash(2), 5)).toHaveLength(5)
    expect(a.links.stats().connectionsMade).toBe(6)
  })

  it('are not made where links reach everybody there is', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await a.links.offers(hash(1), 1, 1)).toEqual([])
    expect(await a.links.offers(hash(2), 1, 1)).toHaveLength(1)
    expect(await a.links.offers(hash(1), 2, 2)).toHaveLength(2)
  })

  it.each(clocks)('expire when nobody answers, and in the pool when they are old, with a clock that %s', async (_, by) => {
    const a = new Node('1')
    const [one, two] = await a.links.offers(hash(1), 2)
    vi.setSystemTime(Date.now() + by)
    a.links.release([two!.id])
    await vi.advanceTimersByTimeAsync(50_000)
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'new'])
    a.links.answered(hash(1), new Node('2').id, one!.id, one!.sdp)
    await vi.advanceTimersByTimeAsync(70_000)
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed'])
    expect(a.failures).toEqual([])
  })

  it('are made anew when the network comes back, as they name addresses of the one before', async () => {
    const page = new EventTarget()
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
    onTestFinished(() => void vi.unstubAllGlobals())
    const a = new Node('1')
    const [one, two] = await a.links.offers(hash(1), 2)
    a.links.release([two!.id])
    page.dispatchEvent(new Event('online'))
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed'])
    a.links.release([one!.id])
    const [other] = await a.links.offers(hash(1), 1)
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed', 'new'])
    expect([one!.id, two!.id]).not.toContain(other!.id)
  })

  it.each(clocks)('go to another torrent when they are not answered in good time, with a clock that %s', async (_, by) => {
    const a = new Node('1')
    for (let n = 0; n < 5; n++) expect(await a.links.offers(hash(n), 1)).toHaveLength(1)
    vi.setSystemTime(Date.now() + by)
    await vi.advanceTimersByTimeAsync(9_000)
    expect(await a.links.offers(hash(7), 5)).toEqual([])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await a.links.offers(hash(8), 2)).toHaveLength(2)
    expect(await a.links.offers(hash(9), 5)).toHaveLength(3)
    expect(a.links.stats().connectionsMade).toBe(5)
  })

  it('are made anew when their addresses are old', async () => {
    const a = new Node('1')
    await a.links.offers(hash(0), 5)
    for (let n = 1; n <= 10; n++) {
      await vi.advanceTimersByTimeAsync(11_000)
      expect(await a.links.offers(hash(n), 5)).toHaveLength(5)
    }
    await vi.advanceTimersByTimeAsync(11_000)
    expect(await a.links.offers(hash(11), 5)).toEqual([])
    await vi.advanceTimersByTimeAsync(40_000)
    expect(await a.links.offers(hash(12), 5)).toHaveLength(5)
    expect(a.links.stats().connectionsMade).toBe(10)
  })

  it('are not answered when the link has ended meanwhile', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2', { gather: 'manual' }).seed(hash(1))]
    const [offer] = await a.links.offers(hash(1), 1)
    const answer = b.links.offered(hash(1), a.id, offer!.sdp)
    await settle()
    await vi.advanceTimersByTimeAsync(100)
    b.links.destroy()
    b.made[0]!.finish()
    expect(await answer).toBeUndefined()
  })

  it('keep their place for a while when they are answered, as what is asked for may come over that link', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    expect(await a.links.offers(hash(2), 5)).toHaveLength(4)
    await ready(a, b)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await a.links.offers(hash(3), 5)).toHaveLength(1)
  })

  it('keep it also when the answer is of no use, though they are offered to nobody else', async () => {
    const a = new Node('1')
    const [useless, other] = await a.links.offers(hash(1), 2)
    a.links.answered(hash(1), new Node('2').id, useless!.id, 'no answer')
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'new'])
    expect(await a.links.offers(hash(2), 5)).toHaveLength(3)
    await vi.advanceTimersByTimeAsync(2_000)
    const again = await a.links.offers(hash(3), 5)
    expect(again).toHaveLength(1)
    expect([useless!.sdp, other!.sdp]).not.toContain(again[0]!.sdp)
  })

  it('count against the links there may be', async () => {
    const a = new Node('1', { maxLinks: 2 }).want(hash(1))
    expect(await a.links.offers(hash(1), 5)).toHaveLength(2)
    const b = new Node('2', { maxLinks: 1 }).seed(hash(1))
    expect(await introduce(new Node('3').want(hash(1)), b, hash(1))).toBe(1)
    expect(await introduce(new Node('4').want(hash(1)), b, hash(1))).toBe(0)
  })

  it.each(clocks)('are made, and answered, in place of links that carry nothing any more, with a clock that %s', async (_, by) => {
    const [a, b, c] = [new Node('1').want(hash(1)), new Node('2', { maxLinks: 1 }).seed(hash(1)), new Node('3').want(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    a.complete(hash(1))
    for (const channel of b.all) channel.close()
    await settle()
    vi.setSystemTime(Date.now() + by)
    await vi.advanceTimersByTimeAsync(9_000)
    expect(await introduce(c, b, hash(1))).toBe(0)
    expect(await b.links.offers(hash(2), 1)).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await b.links.offers(hash(2), 1)).toHaveLength(1)
    expect(await introduce(c, b, hash(1))).toBe(1)
    await ready(c, b)
    expect(b.links.stats().links).toBe(1)
  })

  it('that come to nothing do not hold their places against others for long', async () => {
    const a = new Node('1', { maxLinks: 2 }).seed(hash(1))
    const lost = ['2', '3'].map((digit) => new Node(digit, { reachable: false }).want(hash(1)))
    for (const node of lost) expect(await introduce(node, a, hash(1))).toBe(1)
    const late = new Node('4').want(hash(1))
    expect(await introduce(late, a, hash(1))).toBe(0)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await introduce(late, a, hash(1))).toBe(1)
    await ready(late, a)
    expect(a.failures).toEqual([hash(1)])
  })

  it('and answers that make no sense reach no RTCPeerConnection', async () => {
    const a = new Node('1').want(hash(1))
    const media = 'v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n'
    for (const sdp of ['', 'v=0\r\n', media, 'v=0\r\nm=application 9 UDP/DTLS/SCTP x\r\n' + 'a'.repeat(1 << 16)]) {
      expect(await a.links.offered(hash(1), '33'.repeat(20), sdp)).toBeUndefined()
    }
    expect(a.made).toEqual([])
    const [offer] = await a.links.offers(hash(1), 1)
    a.links.answered(hash(2), '33'.repeat(20), offer!.id, offer!.sdp)
    expect(a.made[0]!.other).toBeUndefined()
    a.links.answered(hash(1), '33'.repeat(20), offer!.id, media)
    expect(a.made[0]!.other).toBeUndefined()
    expect(await a.links.offered(hash(1), a.id, offer!.sdp)).toBeUndefined()
  })

  it('and answers that the browser refuses leave no connection behind', async () => {
    const a = new Node('1').want(hash(1))
    const [offer] = await a.links.offers(hash(1), 1)
    a.links.answered(hash(1), '33'.repeat(20), offer!.id, fakeSdp('nobody'))
    expect(await a.links.offered(hash(1), '44'.repeat(20), fakeSdp('nobody'))).toBeUndefined()
    await settle()
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed'])
    expect(a.failures).toEqual([])
  })

  it('that are answered when there is no room any more make no link', async () => {
    const [a, b, c] = [new Node('1', { maxLinks: 1 }).want(hash(1)), new Node('2').seed(hash(1)), new Node('3').want(hash(1))]
    const [offer] = await a.links.offers(hash(1), 1)
    const answer = await b.links.offered(hash(1), a.id, offer!.sdp)
    expect(await introduce(c, a, hash(1))).toBe(1)
    a.links.answered(hash(1), b.id, offer!.id, answer!)
    await ready(a, c)
    await settle()
    expect(a.links.stats().links).toBe(1)
    expect(a.made[0]!.other).toBeUndefined()
  })

  it('asked for at once are no more than the budget', async () => {
    const a = new Node('1')
    const offers = await Promise.all([1, 2, 3].map((n) => a.links.offers(hash(n), 5)))
    expect(offers.flat()).toHaveLength(5)
  })

  it('that were under way when all ended are closed', async () => {
    const a = new Node('1', { gather: 'manual' })
    const offers = a.links.offers(hash(1), 1)
    await settle()
    a.links.destroy()
    a.made[0]!.finish()
    expect(await offers).toEqual([])
    expect(a.made[0]!.connectionState).toBe('closed')
    expect(vi.getTimerCount()).toBe(0)
  })

  it('of a peer whose link is under way are answered once that had its time', async () => {
    const a = new Node('1').seed(hash(1), hash(2), hash(3))
    const b = new Node('2', { reachable: false }).want(hash(1), hash(2), hash(3))
    expect(await introduce(b, a, hash(1))).toBe(1)
    const [offer] = await b.links.offers(hash(2), 1)
    let answered = false
    const answer = a.links.offered(hash(2), b.id, offer!.sdp).finally(() => (answered = true))
    await vi.advanceTimersByTimeAsync(9_000)
    await settle()
    expect(answered).toBe(false)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await answer).toBeDefined()
    // Or when it ended.
    const [last] = await b.links.offers(hash(3), 1)
    const more = a.links.offered(hash(3), b.id, last!.sdp)
    await settle()
    a.links.destroy()
    expect(await more).toBeUndefined()
  })

  it('go out when an address that strangers can reach is there, or after a bounded time', async () => {
    const a = new Node('1', { gather: 'manual' })
    let offers = a.links.offers(hash(1), 1)
    await settle()
    a.made[0]!.candidate('host')
    a.made[0]!.candidate('srflx')
    await vi.advanceTimersByTimeAsync(250)
    expect(await offers).toHaveLength(1)
    offers = a.links.offers(hash(1), 1)
    await settle()
    await vi.advanceTimersByTimeAsync(3_000)
    expect(await offers).toHaveLength(1)
  })

  it('without servers go out soon after the first address, also where timers are slow', async () => {
    const a = new Node('1', { gather: 'manual' })
    const offers = a.links.offers(hash(1), 1)
    await settle()
    a.made[0]!.candidate('host')
    vi.advanceTimersByTime(2)
    expect(await offers).toHaveLength(1)
  })

  const stun = { urls: 'stun:stun.example.org:3478' }
  const turn = { urls: ['turn:turn.example.org:3478'], username: 'me', credential: 'secret' }
  it('with servers wait for an address that those tell', async () => {
    const a = new Node('1', { gather: 'manual', iceServers: [stun, turn] })
    let gone = false
    const offers = a.links.offers(hash(1), 1).finally(() => (gone = true))
    await settle()
    a.made[0]!.candidate('host')
    await vi.advanceTimersByTimeAsync(2_000)
    expect(gone).toBe(false)
    a.made[0]!.candidate('srflx')
    await vi.advanceTimersByTimeAsync(240)
    expect(gone).toBe(false)
    // Another one, of another network, puts it off no further.
    a.made[0]!.candidate('srflx')
    await vi.advanceTimersByTimeAsync(10)
    expect(await offers).toHaveLength(1)
  })

  it('wait for nothing more than a relay, also where timers are slow', async () => {
    const a = new Node('1', { gather: 'manual', iceServers: [stun, turn] })
    const offers = a.links.offers(hash(1), 1)
    await settle()
    a.made[0]!.candidate('host')
    a.made[0]!.candidate('srflx')
    a.made[0]!.candidate('relay')
    vi.advanceTimersByTime(2)
    expect(await offers).toHaveLength(1)
  })

  it.each(['stun:127.0.0.1:8080', 'stun:localhost:8080', 'stun:[::1]:8443'])('do not wait for %s', async (urls) => {
    const a = new Node('1', { gather: 'manual', iceServers: [{ urls }] })
    const offers = a.links.offers(hash(1), 1)
    await settle()
    a.made[0]!.candidate('host')
    vi.advanceTimersByTime(2)
    expect(await offers).toHaveLength(1)
  })

  it('and links end with the page, which may come back and make others', async () => {
    const b = new Node('2').seed(hash(1))
    const page = new EventTarget()
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page))
    onTestFinished(() => void vi.unstubAllGlobals())
    const a = new Node('1').want(hash(1))
    await introduce(a, b, hash(1))
    await ready(a, b)
    await a.links.offers(hash(2), 1)
    page.dispatchEvent(new Event('pagehide'))
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed'])
    await settle()
    expect(b.closed).toEqual([hash(1)])
    await introduce(a, b, hash(1))
    await ready(a, b)
  })

  it('are closed with everything else', async () => {
    const [a, b] = [new Node('1').want(hash(1)), new Node('2').seed(hash(1))]
    await introduce(a, b, hash(1))
    await ready(a, b)
    await a.links.offers(hash(2), 2)
    a.links.destroy()
    a.links.destroy()
    await settle()
    expect(a.made.map((pc) => pc.connectionState)).toEqual(['closed', 'closed', 'closed'])
    expect([a.closed, b.closed]).toEqual([[hash(1)], [hash(1)]])
    expect(await a.links.offers(hash(1), 1)).toEqual([])
    b.links.destroy()
    expect(vi.getTimerCount()).toBe(0)
  })
})
