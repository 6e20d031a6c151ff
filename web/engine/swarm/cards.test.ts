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

test('a card that no browser could copy is not taken, whoever signed it', async () => {
  const [from, to] = [testNode(), testNode()]
  const { infoHash, link } = await from.node.seed([new File([data], 'data.bin')], { card: { title: 'one' } })
  const { cardKey } = (await from.stores.registry.get(infoHash))!
  const rev = Date.now() + 1000
  const deep = utf8.encode(`{"title":"two","deep":${'['.repeat(20_000)}${']'.repeat(20_000)}}`)
  expect(() => JSON.stringify(JSON.parse(new TextDecoder().decode(deep)))).toThrow(RangeError)
  const body = concat([fromUint32(rev / 2 ** 32), fromUint32(rev), deep])
  const signed = concat([utf8.encode('Starling card\0'), fromHex(infoHash)!, body])
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, cardKey!, signed)
  await to.node.add(link, {})
  const author = new Stranger(to, infoHash)
  await author.hears(/^extended handshake/)
  author.wire.extended('sl_card', concat([new Uint8Array(signature), body]))
  join(to, from, infoHash)
  const { card } = await to.until(infoHash, ({ card, done }) => done && !!card)
  expect(card?.title).toBe('one')
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
