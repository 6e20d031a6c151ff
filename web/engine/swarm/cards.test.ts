import { describe, expect, test, vi } from 'vitest'
import { concat, fromHex, fromUint32, utf8 } from '../bytes.ts'
import { join, noise, Stranger, testNode, type TestNode } from './testing.ts'
import { data } from './sample.ts'

test('a card is sent once, however often somebody says what it speaks', async () => {
  const node = testNode()
  const { infoHash } = await node.node.seed([new File([data], 'data.bin')], { card: { title: 'one' } })
  const peer = new Stranger(node, infoHash)
  await peer.met.promise
  for (let i = 0; i < 100; i++) peer.wire.extendedHandshake({ version: 'test', reqq: 500 })
  peer.wire.interested()
  await peer.hears(/^unchoke/)
  expect(peer.heard.filter((heard) => heard === 'extended sl_card')).toHaveLength(1)
})

describe('cards', () => {
  test.each([true, false])('a card travels along, and so does the next (private: %s)', async (sealed) => {
    const from = testNode()
    const files = [new File([noise(200_000)], 'a.txt')]
    const { link, infoHash, card } = await from.node.seed(files, { private: sealed, card: { title: 'one' } })
    expect(card).toEqual({ title: 'one' })
    const [one, two] = [testNode(), testNode()]
    await one.node.add(link, {})
    await two.node.add(link, { onDemand: true })
    join(one, from, infoHash)
    await one.until(infoHash, ({ card }) => card?.title === 'one')
    join(two, one, infoHash)
    await two.until(infoHash, ({ card }) => card?.title === 'one')
    await one.until(infoHash, ({ done }) => done)
    await from.node.setCard(infoHash, { title: 'two' })
    expect(from.forgotten).toEqual([infoHash])
    expect([...from.node.lacking()]).toEqual([infoHash])
    join(from, one, infoHash)
    await one.until(infoHash, ({ card }) => card?.title === 'two')
    await two.until(infoHash, ({ card }) => card?.title === 'two')
    expect((await two.stores.registry.get(infoHash))!.card!.value).toEqual({ title: 'two' })
    await expect(one.node.setCard(infoHash, {})).rejects.toMatchObject({ code: 'unsupported' })
  })
})

/** A card of the torrent that this node shares, with any JSON in it. */
async function signed(from: TestNode, infoHash: string, json: string, rev: number): Promise<Uint8Array> {
  const { cardKey } = (await from.stores.registry.get(infoHash))!
  const body = concat([fromUint32(rev / 2 ** 32), fromUint32(rev), utf8.encode(json)])
  const text = concat([utf8.encode('Starling card\0'), fromHex(infoHash)!, body])
  return concat([new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, cardKey!, text)), body])
}

test('a card that no browser could copy is not taken, whoever signed it', async () => {
  const [from, to] = [testNode(), testNode()]
  const { infoHash, link } = await from.node.seed([new File([data], 'data.bin')], { card: { title: 'one' } })
  const deep = `{"title":"two","deep":${'['.repeat(20_000)}${']'.repeat(20_000)}}`
  await to.node.add(link, {})
  const author = new Stranger(to, infoHash)
  await author.hears(/^extended handshake/)
  author.wire.extended('sl_card', await signed(from, infoHash, deep, Date.now() + 1000))
  join(to, from, infoHash)
  const { card } = await to.until(infoHash, ({ card, done }) => done && !!card)
  expect(card?.title).toBe('one')
})

test('of cards that come one upon another, one a second is passed on, and the last in the end', async () => {
  const [from, to] = [testNode(), testNode()]
  const { infoHash, link } = await from.node.seed([new File([data], 'data.bin')], { card: { title: '0' } })
  await to.node.add(link, {})
  join(to, from, infoHash)
  await to.until(infoHash, ({ card, done }) => done && !!card)
  const [author, other] = [new Stranger(to, infoHash), new Stranger(to, infoHash)]
  for (const peer of [author, other]) {
    await peer.hears(/^extended handshake/)
    peer.wire.extendedHandshake({ version: 'test', reqq: 500 })
    await peer.hears(/^extended sl_card/)
  }
  const before = other.heard.length
  const began = performance.now()
  for (let i = 1; i <= 40; i++) {
    author.wire.extended('sl_card', await signed(from, infoHash, `{"title":"${i}"}`, Date.now() + i * 1000))
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
  }
  await to.until(infoHash, ({ card }) => card?.title === '40')
  await other.hears(/^extended sl_card/)
  const passed = other.heard.slice(before).filter((heard) => heard === 'extended sl_card').length
  expect(passed).toBeLessThanOrEqual(2 + (performance.now() - began) / 1000)
})

test('a card from a clock that was far ahead, which nobody takes, is followed by one that is taken', async () => {
  const files = [new File([noise(200_000)], 'a.txt')]
  const shared = async (from: TestNode) => {
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 7 * 86_400_000)
    const state = await from.node.seed(files, { card: { title: 'one' } })
    now.mockRestore()
    return state
  }
  const again: [string, (from: TestNode, infoHash: string) => Promise<unknown>][] = [
    ['one', (from, known) => from.node.seed(files, { known, card: { title: 'one' } })],
    ['two', (from, infoHash) => from.node.setCard(infoHash, { title: 'two' })],
  ]
  for (const [title, write] of again) {
    const [from, to] = [testNode(), testNode()]
    const { link, infoHash } = await shared(from)
    await write(from, infoHash)
    await to.node.add(link, {})
    join(to, from, infoHash)
    await to.until(infoHash, ({ card }) => card?.title === title)
  }
})
