import { concat, fromHex, fromUint32, random, utf8, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import type { Card } from '../types.ts'
import { parseJson } from './header.ts'
import { ahead, cardRev, type CardSeal } from './packed.ts'
import { derive, importAes } from './rfc8188.ts'

const maxJson = 32 << 10
/** Browsers copy and compare values by recursion, which a stranger's thousands of arrays in one another would exhaust. */
const maxDepth = 32
const label = 'Starling card\0'
const curve = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** Who may sign a torrent's cards. The private key can be stored, and never be read. */
export async function newAuthor(): Promise<{ publicKey: Bytes; privateKey: CryptoKey }> {
  const { publicKey, privateKey } = await crypto.subtle.generateKey(curve, false, ['sign', 'verify'])
  return { publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', publicKey)), privateKey }
}

/** rev: milliseconds since 1970, greater than that of the card before. Throws 'too-large' above 32 KiB of JSON, or 32 levels. */
export async function packCard(card: Card, options: {
  infoHash: string
  privateKey: CryptoKey
  rev: number
  seal?: CardSeal
}): Promise<Bytes> {
  const { infoHash, privateKey, rev, seal } = options
  const json = utf8.encode(JSON.stringify(card))
  if (json.length > maxJson) throw new StarlingError('too-large', 'This description is too long: 32 KiB at most.')
  if (isDeep(card)) throw new StarlingError('too-large', 'This description is nested too deeply: 32 levels at most.')
  let body = json
  if (seal) {
    const iv = random(12)
    body = concat([iv, new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await sealKey(seal), json))])
  }
  const signed = concat([fromUint32(rev / 2 ** 32), fromUint32(rev), body])
  const signature = await crypto.subtle.sign(curve, privateKey, toSign(infoHash, signed))
  return concat([new Uint8Array(signature), signed])
}

/** The card, or undefined where it is not by author, does not open, or is from the future. Throws nothing. */
export async function readCard(packed: Bytes, options: {
  infoHash: string
  author: Bytes
  seal?: CardSeal
  now?: number
}): Promise<{ rev: number; card: Card } | undefined> {
  const { infoHash, author, seal, now = Date.now() } = options
  const rev = cardRev(packed)
  if (ahead(packed, now)) return undefined
  try {
    const key = await crypto.subtle.importKey('raw', author, curve, false, ['verify'])
    const signed = packed.subarray(64)
    if (!await crypto.subtle.verify(curve, key, packed.subarray(0, 64), toSign(infoHash, signed))) return undefined
    let body = packed.subarray(72)
    if (seal) {
      const params = { name: 'AES-GCM', iv: body.subarray(0, 12) }
      body = new Uint8Array(await crypto.subtle.decrypt(params, await sealKey(seal), body.subarray(12)))
    }
    const card = parseJson(body)
    return card && typeof card === 'object' && !Array.isArray(card) && !isDeep(card) ? { rev, card: card as Card } : undefined
  } catch {
    return undefined
  }
}

const isDeep = (value: unknown, left = maxDepth): boolean =>
  value instanceof Object && (!left || Object.values(value).some((member) => isDeep(member, left - 1)))

const toSign = (infoHash: string, signed: Bytes): Bytes => concat([utf8.encode(label), fromHex(infoHash)!, signed])

const sealKey = async ({ key, salt }: CardSeal): Promise<CryptoKey> => importAes(await derive(key, salt, label, 16))
