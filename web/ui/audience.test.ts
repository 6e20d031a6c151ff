import { beforeEach, expect, it, vi } from 'vitest'
import type { Starling, Torrent } from 'starling'
import { Emitter } from '../engine/emitter.ts'
import type { PeerState, TorrentEvents } from '../engine/types.ts'
import { Audience } from './audience.ts'

beforeEach(() => {
  vi.stubGlobal('RTCPeerConnection', class { setLocalDescription() {} })
  vi.stubGlobal('navigator', { onLine: true })
})

/** As much of a torrent as an audience looks at. */
class FakeTorrent extends Emitter<TorrentEvents> {
  readonly infoHash = 'a'.repeat(40)
  state = { peers: [] as PeerState[], trackers: [], uploaded: 0, uploadSpeed: 0 }

  /** peers: how much each has, by its id. */
  now(peers: Record<string, number>, uploaded = this.state.uploaded): void {
    const kindOf = (id: string) => (id.startsWith('http') ? 'webseed' : 'direct')
    const all = Object.entries(peers).map(([id, progress]) => ({ id, progress, kind: kindOf(id) }) as PeerState)
    this.state = { ...this.state, peers: all, uploaded }
    this.emit('progress', this.state as never)
  }
}

function watched() {
  const [node, torrent] = [new Emitter<{ remove: Torrent }>(), new FakeTorrent()]
  const audience = new Audience(async () => node as unknown as Starling)
  const given = audience.watch(torrent as unknown as Torrent)
  return { audience, torrent, says: () => audience.status(given).text, remove: () => node.emit('remove', given) }
}

it('counts everybody who fetched it, also those who left', () => {
  const { torrent, says } = watched()
  torrent.now({ bob: 0 })
  torrent.now({ bob: 1 }, 10)
  torrent.now({})
  torrent.now({ carl: 0 })
  torrent.now({ carl: 1 }, 20)
  torrent.now({})
  expect(says()).toContain('2 others have all of it')
})

it('counts those who leave as soon as they have it', () => {
  const { torrent, says } = watched()
  for (const [i, id] of ['bob', 'carl'].entries()) {
    torrent.now({ [id]: 0 })
    torrent.emit('peer', { id, progress: 1, kind: 'direct' } as PeerState)
    expect(says()).toContain('1 other has')
    torrent.now({}, 10 * (i + 1))
  }
  expect(says()).toContain('2 others have all of it')
})

it('counts nobody twice who opens the page again', () => {
  const { torrent, says } = watched()
  torrent.now({ bob: 0 })
  torrent.now({ bob: 1 }, 10)
  for (const again of ['bob2', 'bob3']) {
    torrent.now({})
    torrent.now({ [again]: 0 })
    torrent.now({ [again]: 1 })
  }
  torrent.now({ bob3: 1, carl: 0.5 }, 15)
  expect(says()).toContain('1 other has it')
  torrent.now({ bob3: 1 })
  expect(says()).toContain('1 other has all of it')
})

it('has nobody fetch what was removed, here or in another tab', async () => {
  const { audience, torrent, remove } = watched()
  torrent.now({ bob: 0.5 })
  expect(audience.busy).toBe(true)
  await new Promise<void>((resolve) => {
    audience.on('change', resolve)
    queueMicrotask(remove)
  })
  expect(audience.busy).toBe(false)
})

it('counts those who had it before this page was opened', () => {
  const { torrent, says } = watched()
  torrent.now({ bob: 1, carl: 1 })
  torrent.now({})
  expect(says()).toContain('2 others have all of it')
  torrent.now({ dave: 0.5 })
  expect(says()).toContain('2 others have it. 1 other is fetching it')
})

it('counts no website, which is there as long as somebody pays for it', () => {
  const { torrent, says } = watched()
  torrent.now({ 'https://a.test/film.mp4': 1 })
  torrent.now({})
  expect(says()).toContain('Nobody has it yet')
})

it('keeps nobody from leaving while those who fetch it get it from others as well', () => {
  const { audience, torrent } = watched()
  torrent.now({ bob: 0.5 })
  expect(audience.busy).toBe(true)
  torrent.now({ bob: 0.5, carl: 1 })
  expect(audience.busy).toBe(false)
})
