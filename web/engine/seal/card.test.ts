import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat, random, utf8, type Bytes } from '../bytes.ts'
import { newAuthor, packCard, readCard } from './card.ts'
import { cardRev, maxPacked } from './packed.ts'

const infoHash = 'ab'.repeat(20)
const seal = { key: random(16), salt: random(16) }
const rev = Date.now()
const card = { title: 'Grüße', peaks: [1, 2, 3] }
const author = await newAuthor()
const { publicKey, privateKey } = author

test('an author: a public key of 65 bytes, a private one that nobody can read', async () => {
  expect(publicKey).toHaveLength(65)
  expect(publicKey[0]).toBe(4)
  expect(privateKey.extractable).toBe(false)
  await expect(crypto.subtle.exportKey('pkcs8', privateKey)).rejects.toThrow()
})

test.each([['plain', undefined], ['private', seal]])('%s: packed and read', async (_, seal) => {
  const packed = await packCard(card, { infoHash, privateKey, rev, seal })
  expect(cardRev(packed)).toBe(rev)
  expect(await readCard(packed, { infoHash, author: publicKey, seal })).toEqual({ rev, card })
  const inside = new TextDecoder().decode(packed)
  expect(inside.includes('Grüße')).toBe(!seal)
})

test('the signature is over what docs/protocol.md says', async () => {
  const packed = await packCard(card, { infoHash, privateKey, rev })
  const key = await crypto.subtle.importKey('raw', publicKey, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
  const signed = concat([utf8.encode('Starling card\0'), new Uint8Array(20).fill(0xab), packed.subarray(64)])
  expect(await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, packed.subarray(0, 64), signed)).toBe(true)
  expect(new TextDecoder().decode(packed.subarray(72))).toBe(JSON.stringify(card))
})

test('refused: changed, cut, of another author, torrent, key or salt, from the future, too long', async () => {
  const packed = await packCard(card, { infoHash, privateKey, rev, seal })
  const good = { infoHash, author: publicKey, seal }
  for (let at = 0; at < packed.length; at++) {
    const changed = packed.slice()
    changed[at]! ^= 1
    expect(await readCard(changed, { ...good, now: rev })).toBeUndefined()
  }
  for (const end of [0, 5, 64, 71, 72, packed.length - 1]) {
    expect(await readCard(packed.slice(0, end), good)).toBeUndefined()
  }
  const other = await newAuthor()
  expect(await readCard(packed, { ...good, author: other.publicKey })).toBeUndefined()
  expect(await readCard(packed, { ...good, author: new Uint8Array(65).fill(4) })).toBeUndefined()
  expect(await readCard(packed, { ...good, infoHash: 'ac'.repeat(20) })).toBeUndefined()
  expect(await readCard(packed, { ...good, seal: { ...seal, key: random(16) } })).toBeUndefined()
  expect(await readCard(packed, { ...good, seal: { ...seal, salt: random(16) } })).toBeUndefined()
  expect(await readCard(packed, { ...good, seal: undefined })).toBeUndefined()

  const day = 24 * 60 * 60 * 1000
  expect(await readCard(packed, { ...good, now: rev - day })).toBeDefined()
  expect(await readCard(packed, { ...good, now: rev - day - 1 })).toBeUndefined()
})

test('what its author signed must be an object all the same', async () => {
  for (const value of [null, 5, 'text', [], [{}]]) {
    const packed = await packCard(value as never, { infoHash, privateKey, rev })
    expect(await readCard(packed, { infoHash, author: publicKey })).toBeUndefined()
  }
})

test('32 KiB at most', async () => {
  const of = (length: number): Promise<Bytes> =>
    packCard({ a: 'x'.repeat(length) }, { infoHash, privateKey, rev, seal })
  expect((await of(32_768 - 8)).length).toBeLessThan(maxPacked)
  await expect(of(32_768 - 7)).rejects.toMatchObject({ code: 'too-large' })
})

test('32 levels at most', async () => {
  const of = (levels: number) => ({ a: JSON.parse('['.repeat(levels - 1) + ']'.repeat(levels - 1)) as unknown })
  const packed = await packCard(of(32), { infoHash, privateKey, rev })
  expect(await readCard(packed, { infoHash, author: publicKey })).toMatchObject({ card: of(32) })
  await expect(packCard(of(33), { infoHash, privateKey, rev })).rejects.toMatchObject({ code: 'too-large' })
})

test('any bytes are refused without throwing', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
    expect(await readCard(new Uint8Array(bytes), { infoHash, author: publicKey, seal })).toBeUndefined()
  }))
})
