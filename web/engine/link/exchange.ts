import { concat, fromBinary, fromHex, random, toBinary, type Bytes } from '../bytes.ts'
import type { LinkHost } from './host.ts'

/**
 * The control channel of a link: which torrents the two ends could share, told in salted tokens so that neither
 * learns of torrents it does not know. docs/protocol.md, "One link, many torrents":
 *
 *   hello  00 nonce (16)           want  01 token (16) …   wanter lacks data of these
 *   drop   03 token (16) …         have  02 token (16) …   the other side knows them: open a channel
 *
 *   token = SHA-256(nonce of the offerer ‖ nonce of the answerer ‖ infohash), first 16 bytes
 */

/** What an Exchange is told, and whom it tells. */
export interface ExchangeOptions {
  /** This side made the link's offer. */
  initiator: boolean
  host: LinkHost
  send(message: Bytes): void
  /** Hello has been answered. */
  ready(): void
  /** The other side has more of what this side lacks. */
  more(): void
  /** The other side broke the protocol. */
  broken(): void
}

const hello = 0
const want = 1
const have = 2
const drop = 3

export const maxWants = 16_384
const maxControl = 64 << 10
const perMessage = Math.floor((maxControl - 1) / 16)
/** Digests under way at once. */
const batch = 256

/** One side's part in it, for as long as the link is open. */
export class Exchange {
  readonly #options: ExchangeOptions
  readonly #nonce = random(16)
  /** Both nonces, once hello is answered. */
  #salt: Bytes | undefined
  /** Tokens, as binary strings, of torrents here, by infohash; and back. */
  readonly #tokens = new Map<string, string>()
  readonly #names = new Map<string, string>()
  /** Infohashes this side asked for; true where the other side has it. */
  readonly #wanted = new Map<string, boolean>()
  /** Tokens the other side asks for; true where it was told that this side has it. */
  readonly #theirs = new Map<string, boolean>()
  #stale = false
  #busy = false
  #closed = false

  constructor(options: ExchangeOptions) {
    this.#options = options
    options.send(concat([Uint8Array.of(hello), this.#nonce]))
  }

  /** Whether the other side told that it has a torrent this side wants. */
  has(infoHash: string): boolean {
    return this.#wanted.get(infoHash) ?? false
  }

  /** What is known or lacking here changed. */
  refresh(): void {
    this.#stale = true
    if (this.#busy || !this.#salt) return
    this.#busy = true
    void this.#work().finally(() => {
      this.#busy = false
      if (this.#stale && !this.#closed) this.refresh()
    })
  }

  close(): void {
    this.#closed = true
  }

  receive(data: unknown): void {
    if (this.#closed) return
    if (!(data instanceof ArrayBuffer) || data.byteLength > maxControl || data.byteLength % 16 !== 1) return this.#fault()
    const message = new Uint8Array(data)
    const type = message[0]
    if ((type === hello) === !!this.#salt) return this.#fault()
    if (type === hello) return this.#hello(message.subarray(1))
    const text = toBinary(message.subarray(1))
    for (let at = 0; at < text.length; at += 16) {
      const token = text.slice(at, at + 16)
      if (type === want) {
        if (!this.#theirs.has(token)) this.#theirs.set(token, false)
        if (this.#theirs.size > maxWants) return this.#fault()
      } else if (type === have) {
        const infoHash = this.#names.get(token)
        if (infoHash && this.#wanted.has(infoHash)) this.#wanted.set(infoHash, true)
      } else if (type === drop) {
        this.#theirs.delete(token)
      } else return this.#fault()
    }
    if (type === want) this.refresh()
    if (type === have) this.#options.more()
  }

  #hello(nonce: Bytes): void {
    if (nonce.length !== 16) return this.#fault()
    this.#salt = concat(this.#options.initiator ? [this.#nonce, nonce] : [nonce, this.#nonce])
    this.#options.ready()
    this.refresh()
  }

  #fault(): void {
    this.close()
    this.#options.broken()
  }

  /** Brings the other side up to date; again while things changed meanwhile. One at a time. */
  async #work(): Promise<void> {
    while (this.#stale && !this.#closed) {
      this.#stale = false
      const lacking = new Set<string>()
      for (const infoHash of this.#options.host.lacking()) if (lacking.add(infoHash).size >= maxWants) break
      // Tokens of what is only known here matter once the other side wants something.
      const known = new Set([...lacking, ...(this.#theirs.size ? this.#options.host.known() : [])])
      await this.#hash(known)
      if (this.#closed) return
      this.#send(drop, this.#undo(lacking))
      this.#forget(known)
      const wants: string[] = []
      for (const infoHash of lacking) {
        if (this.#wanted.has(infoHash)) continue
        this.#wanted.set(infoHash, false)
        wants.push(this.#tokens.get(infoHash)!)
      }
      this.#send(want, wants)
      const haves: string[] = []
      for (const infoHash of known) {
        const token = this.#tokens.get(infoHash)!
        if (this.#theirs.get(token) !== false) continue
        this.#theirs.set(token, true)
        haves.push(token)
      }
      this.#send(have, haves)
    }
  }

  /** Takes back the wants that are none any more; returns their tokens. */
  #undo(lacking: Set<string>): string[] {
    const drops: string[] = []
    for (const infoHash of this.#wanted.keys()) {
      if (lacking.has(infoHash)) continue
      this.#wanted.delete(infoHash)
      drops.push(this.#tokens.get(infoHash)!)
    }
    return drops
  }

  /** Torrents that left: should they come back, the other side is told again. */
  #forget(known: Set<string>): void {
    for (const [infoHash, token] of this.#tokens) {
      if (known.has(infoHash)) continue
      this.#tokens.delete(infoHash)
      this.#names.delete(token)
      if (this.#theirs.has(token)) this.#theirs.set(token, false)
    }
  }

  async #hash(infoHashes: Set<string>): Promise<void> {
    const fresh = [...infoHashes].filter((infoHash) => !this.#tokens.has(infoHash))
    for (let at = 0; at < fresh.length; at += batch) {
      await Promise.all(
        fresh.slice(at, at + batch).map(async (infoHash) => {
          const digest = await crypto.subtle.digest('SHA-256', concat([this.#salt!, fromHex(infoHash)!]))
          const token = toBinary(new Uint8Array(digest, 0, 16))
          this.#tokens.set(infoHash, token)
          this.#names.set(token, infoHash)
        }),
      )
    }
  }

  #send(type: number, tokens: string[]): void {
    for (let at = 0; at < tokens.length; at += perMessage) {
      this.#options.send(concat([Uint8Array.of(type), fromBinary(tokens.slice(at, at + perMessage).join(''))]))
    }
  }
}
