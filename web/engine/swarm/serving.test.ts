import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Bytes } from '../bytes.ts'
import { channels, join, Stranger } from './testing.ts'
import { block, infoHash, part, seeder } from './sample.ts'

describe('serving', () => {
  test('only what was asked for, in the blocks asked for', async () => {
    const node = await seeder()
    const peer = new Stranger(node, infoHash)
    await peer.hears(/^have all/)
    const got = new Map<string, Bytes>()
    peer.piece = (index, begin, data) => got.set(`${index} ${begin} ${data.length}`, data.slice())
    peer.wire.request(0, 0, block)
    await peer.hears(/^reject 0 0 16384/)
    peer.wire.interested()
    await peer.hears(/^unchoke/)
    const asks = [[0, 0, block], [3, 5, 1000], [9, 0, 64000], [2, 0, 64 << 10], [4, 40_000, 20_000]] as const
    for (const [index, begin, length] of asks) peer.wire.request(index, begin, length)
    for (const [index, begin, length] of asks) await peer.hears(new RegExp(`^piece ${index} ${begin} ${length}$`))
    for (const [index, begin, length] of asks) {
      expect(Buffer.compare(got.get(`${index} ${begin} ${length}`)!, part(index, begin, length))).toBe(0)
    }
  })

  test('a queue has an end', async () => {
    const node = await seeder({ uploadLimit: 1 })
    const peer = new Stranger(node, infoHash)
    await peer.hears(/^have all/)
    peer.wire.interested()
    await peer.hears(/^unchoke/)
    for (let i = 0; i < 520; i++) peer.wire.request(i % 9, 0, 1000 + i)
    await peer.hears(/^reject/)
    peer.wire.cancel(8, 0, 1008)
    await peer.hears(/^reject 8 0 1008/)
  })

  test('who asks on and reads nothing of what it gets is let go', async () => {
    const node = await seeder()
    const peer = new Stranger(node, infoHash)
    await peer.hears(/^have all/)
    peer.channel.other.bufferedAmount = 3 << 20
    peer.wire.request(0, 0, block)
    await peer.closed.promise
  })

  /** Ten who want something, of whom nine are served at once; the last one waits. Time stands still until the test sets it. */
  async function crowd() {
    const now = vi.spyOn(performance, 'now').mockReturnValue(performance.now())
    onTestFinished(() => void vi.restoreAllMocks())
    const node = await seeder()
    const peers = Array.from({ length: 10 }, () => new Stranger(node, infoHash))
    for (const peer of peers) {
      await peer.hears(/^have all/)
      peer.wire.interested()
    }
    for (const peer of peers.slice(0, 9)) await peer.hears(/^unchoke/)
    expect(peers[9]!.heard).not.toContain('unchoke')
    return { peers, later: (ms: number) => void now.mockReturnValue(performance.now() + ms) }
  }

  test('who waits is served when another one leaves', async () => {
    const { peers } = await crowd()
    peers[0]!.channel.close()
    await peers[9]!.hears(/^unchoke/)
  })

  test('who waits has a turn when some time has passed, in place of another', async () => {
    const { peers, later } = await crowd()
    vi.spyOn(Math, 'random').mockReturnValue(0.99)
    later(11_000)
    await peers[9]!.hears(/^unchoke/)
    await peers[8]!.hears(/^choke/)
  })

  test('two ends that have all part', async () => {
    const node = await seeder()
    const other = await seeder()
    const [channel] = join(node, other, infoHash)
    await node.until(infoHash, ({ peers }) => peers.length === 1)
    await node.until(infoHash, ({ peers }) => !peers.length)
    expect(channel.open).toBe(false)
  }, 10_000)

  test('a removed torrent lets go of its peers', async () => {
    const node = await seeder()
    const peer = new Stranger(node, infoHash)
    await peer.hears(/^have all/)
    await node.node.remove(infoHash, {})
    await peer.closed.promise
    expect(await node.node.states()).toEqual([])
    await expect(node.node.read(infoHash, 0, 0, 1, 'x')).rejects.toMatchObject({ code: 'removed' })
  })

  test('channels for torrents that are not there are closed', async () => {
    const node = await seeder()
    const [one, two] = channels('ab'.repeat(20), node.id)
    const closed = new Promise<void>((resolve) => (one.onclose = resolve))
    node.node.channel(two, 'cd'.repeat(20))
    await closed
  })
})
