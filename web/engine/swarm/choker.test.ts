import { describe, expect, test } from 'vitest'
import { Choker, type Chokable } from './choker.ts'

describe('choker', () => {
  class Peer implements Chokable {
    interested = true
    choking = true
    worth: number

    constructor(worth: number) {
      this.worth = worth
    }
    choke(on: boolean): void {
      expect(on).not.toBe(this.choking)
      this.choking = on
    }
    score(): number {
      return this.worth
    }
  }
  const served = (peers: Peer[]): number[] => peers.filter((peer) => !peer.choking).map((peer) => peer.worth)

  test('whoever comes is served while slots are free', () => {
    const choker = new Choker<Peer>()
    const peers = Array.from({ length: 12 }, (_, i) => new Peer(i))
    peers[0]!.interested = false
    choker.fill(peers)
    expect(served(peers)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    peers[1]!.interested = false
    peers[1]!.choke(true)
    choker.fill(peers)
    expect(served(peers)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  test('the best are served, and everybody gets a chance', () => {
    const choker = new Choker<Peer>()
    const peers = Array.from({ length: 12 }, (_, i) => new Peer(i))
    const lucky = new Set<number>()
    for (let round = 0; round < 300; round++) {
      choker.round(peers, 0)
      const now = served(peers)
      expect(now).toHaveLength(9)
      expect(now.slice(1)).toEqual([4, 5, 6, 7, 8, 9, 10, 11])
      lucky.add(now[0]!)
    }
    expect([...lucky].sort()).toEqual([0, 1, 2, 3])
  })

  test('who got a chance keeps it for three rounds, or until it leaves', () => {
    const choker = new Choker<Peer>()
    const peers = Array.from({ length: 40 }, (_, i) => new Peer(i))
    const chances = Array.from({ length: 60 }, () => (choker.round(peers, 0), served(peers)[0]!))
    for (let i = 0; i < chances.length; i += 3) expect(new Set(chances.slice(i, i + 3)).size).toBe(1)
    expect(new Set(chances).size).toBeGreaterThan(5)
    choker.round(peers, 0)
    const rest = peers.filter((peer) => peer.worth !== served(peers)[0])
    choker.round(rest, 0)
    expect(served(rest)).toHaveLength(9)
    const few = rest.slice(-3)
    choker.round(few, 0)
    expect(served(few)).toEqual([37, 38, 39])
  })
})
