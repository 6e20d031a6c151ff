import type { Bytes } from '../bytes.ts'
import { Bitfield } from '../wire/bitfield.ts'
import type { Budget } from './limit.ts'
import { Rarity } from './rarity.ts'

/**
 * Which block to ask of whom. A piece is free (lacking, nobody asked), going (asked for, arriving, being verified or
 * written) or had. Blocks of peers may be of different lengths, so what is asked and here is counted in units of
 * 16 KiB. For each block, in this order:
 *
 *   1. what readers wait for: their windows from front to back; near the front also from a second peer when late
 *   2. pieces that are going already, so that few are unfinished
 *   3. the rarest free piece; of those the one after the last, else at random
 *   4. when all is asked for (end game), what others owe
 *
 * Peers that have all change no order of rarity and are not counted.
 */
export const unit = 16384

/** A block that was asked for. */
export interface Ask {
  readonly piece: number
  readonly begin: number
  readonly length: number
  /** When that was, ms. */
  at: number
  /** Its sender went quiet: others may be asked, yet it is welcome when it comes. */
  lost: boolean
}

/** Somebody who can be asked: a peer or a web seed. */
export interface Asked {
  readonly have: Bitfield
  /** By number of the first unit. */
  readonly asks: Map<number, Ask>
  /** Bytes asked for by the same way that have not come, without what is lost. Kept by the picker. */
  readonly pace: { owed: number }
  /** How many pieces it has that are lacking here. Kept by the picker. */
  useful: number
  /** The picker's, to save a vain search. */
  dry: number
  /** Whether it would send this piece now. */
  can(index: number): boolean
  /** A block that was asked of it came from another. */
  cancel(ask: Ask): void
}

/** A piece that is going. */
export interface Piece<A> {
  readonly index: number
  readonly length: number
  data: Bytes | undefined
  /** By unit: of how many it is asked, when last, and who sent it. */
  readonly asked: Uint8Array
  readonly time: Float64Array
  readonly from: (A | undefined)[]
  /** Units that are not here; those of them that are asked of nobody. */
  missing: number
  free: number
  /** It failed before: all of it comes from one peer, if possible. */
  single: boolean
  only: A | undefined
  touched: number
}

/** Pieces [from, to), all of them the torrent's. */
export interface Window {
  readonly from: number
  readonly to: number
}

const lateAfter = 2000
export const nearBytes = 1 << 20
const copies = 3
const staleAfter = 30_000
/** A torrent may have one piece of so many bytes going, whatever others hold. */
const alone = 1 << 20
/** Bytes; one more piece at most. */
const maxSpare = 1 << 20

export class Picker<A extends Asked> {
  /** What readers wait for, most urgent first. */
  windows: readonly Window[] = []
  /** Whether pieces outside of windows are wanted. */
  wantAll = true
  readonly had: Bitfield
  /** Pieces that lack, and that nobody is asked for. */
  readonly free: Rarity
  readonly #length: number
  readonly #pieceLength: number
  readonly #perPiece: number
  readonly #budget: Budget
  readonly #complete: (piece: Piece<A>) => void
  readonly #askeds = new Set<A>()
  readonly #seeds = new Set<A>()
  readonly #going = new Map<number, Piece<A>>()
  readonly #open = new Set<Piece<A>>()
  /** Grows when a piece becomes free again. */
  #returned = 0
  readonly #failed = new Set<number>()
  /** Memory of pieces that are on disk, for those that come. */
  #spare: Bytes[] = []
  /** The piece after the one that each was asked for last. */
  readonly #next = new WeakMap<A, number>()

  /** complete is called with each piece of which all blocks are here; done or failed must follow. */
  constructor(length: number, pieceLength: number, had: Bitfield, budget: Budget, complete: (piece: Piece<A>) => void) {
    this.had = had
    this.#length = length
    this.#pieceLength = pieceLength
    this.#perPiece = Math.ceil(pieceLength / unit)
    this.#budget = budget
    this.#complete = complete
    this.free = new Rarity(had.size)
    for (let i = 0; i < had.size; i++) if (!had.has(i)) this.free.insert(i)
  }

  size(index: number): number {
    return Math.min(this.#pieceLength, this.#length - index * this.#pieceLength)
  }

  join(asked: A): void {
    this.#askeds.add(asked)
    asked.useful = 0
    asked.dry = -1
    if (asked.have.full) {
      this.#seeds.add(asked)
      asked.useful = this.had.size - this.had.count
      return
    }
    for (let i = 0; i < this.had.size; i++) if (asked.have.has(i)) this.#seen(asked, i)
  }

  /** asked told that it has one more piece. False where it had told so before. */
  gained(asked: A, index: number): boolean {
    const news = asked.have.set(index)
    if (news) this.#seen(asked, index)
    return news
  }

  leave(asked: A): void {
    if (!this.#askeds.delete(asked)) return
    this.release(asked)
    if (this.#seeds.delete(asked)) return
    for (let i = 0; i < this.had.size; i++) if (asked.have.has(i)) this.free.seen(i, -1)
  }

  /** The next block of at most max bytes to ask of it; it counts as asked at once. */
  pick(asked: A, max: number, now: number): Ask | undefined {
    return (
      this.#urgent(asked, max, now) ??
      this.#begun(asked, max, now) ??
      (this.wantAll ? (this.#rarest(asked, max, now) ?? this.#endgame(asked, max, now)) : undefined)
    )
  }

  /**
   * For a source of whole pieces: asks it for all of this one, where nobody is asked for any of it; urgent: or where those
   * who are take their time, and whatever memory others hold.
   */
  whole(asked: A, index: number, now: number, urgent = false): boolean {
    const begun = !this.free.has(index)
    const piece = this.#revive(index, now, urgent)
    if (!piece || piece.only) return false
    if (begun) {
      const late = (from: A | undefined, u: number) =>
        !from && now - (piece.asked[u] ? piece.time[u]! : piece.touched) > lateAfter
      if (!urgent && piece.free < piece.missing) return false
      if (asked.asks.has(this.#unit(index, 0)) || !piece.from.some(late)) return false
    }
    this.#ask(piece, asked, 0, Infinity, now, () => true)
    return true
  }

  /** A block came. Answers what it was asked for with: nothing where it was not, or is of another length. */
  receive(asked: A, index: number, begin: number, block: Uint8Array, now: number): Ask | undefined {
    const ask = asked.asks.get(this.#unit(index, begin))
    if (!ask || ask.begin !== begin || ask.length !== block.length) return undefined
    this.#forget(asked, ask)
    const piece = this.#revive(index, now)
    if (!piece?.missing) return ask
    piece.data ??= (piece.length === this.#pieceLength && this.#spare.pop()) || new Uint8Array(piece.length)
    piece.touched = now
    let others = false
    for (let u = begin / unit; u * unit < begin + block.length; u++) {
      if (piece.from[u]) continue
      piece.from[u] = asked
      piece.data.set(block.subarray(u * unit - begin, (u + 1) * unit - begin), u * unit)
      piece.missing--
      if (piece.asked[u]) others = true
      else piece.free--
    }
    if (!piece.free) this.#open.delete(piece)
    // Of a whole one nobody may owe anything: should it be wrong, it begins anew.
    if (others || !piece.missing) this.#cancel(piece)
    if (!piece.missing) this.#complete(piece)
    return ask
  }

  /** asked will not send this block: others may. */
  drop(asked: A, ask: Ask): void {
    this.#forget(asked, ask)
    const piece = this.#going.get(ask.piece)
    if (piece) this.#idle(piece, asked)
  }

  /** asked will send nothing of what it was asked for. */
  release(asked: A): void {
    for (const ask of asked.asks.values()) this.drop(asked, ask)
  }

  /** asked went quiet: others may be asked for the same, but what it sends later is still taken. */
  lose(asked: A): void {
    for (const ask of asked.asks.values()) {
      const piece = this.#going.get(ask.piece)
      this.#untake(asked, ask)
      if (piece) this.#idle(piece, asked)
    }
  }

  /**
   * asked sends again: what it owes counts as asked of it, so that it is not asked for the same twice; but for what it
   * passed over, asked for before then.
   */
  find(asked: A, then: number, now: number): void {
    for (const { piece: index, begin, length, at, lost } of asked.asks.values()) {
      const piece = lost && at >= then && this.#revive(index, now)
      if (piece) this.#ask(piece, asked, begin / unit, length + unit - 1, now, () => true).at = at
    }
  }

  /** The piece is verified and on disk. spare: memory that it needs no longer. */
  done(index: number, spare?: Bytes | void): void {
    const piece = this.#going.get(index)
    if (piece) this.#end(piece)
    else if (this.free.has(index)) this.free.remove(index)
    this.#failed.delete(index)
    if (!this.had.set(index)) return
    for (const asked of this.#askeds) if (asked.have.has(index)) asked.useful--
    if (this.had.full) this.#spare = []
    else if (spare?.length === this.#pieceLength && this.#spare.length * spare.length < maxSpare) this.#spare.push(spare)
  }

  /** The piece was wrong or could not be kept: it is free again. */
  failed(piece: Piece<A>, wrong: boolean): void {
    if (wrong) this.#failed.add(piece.index)
    this.#discard(piece)
  }

  /** Drops what nobody sends any more, so that its memory serves others. */
  prune(now: number): void {
    for (const piece of this.#open) {
      if (piece.free === piece.missing && now - piece.touched > staleAfter) this.#discard(piece)
    }
  }

  /** Everything that is going is given up, its memory freed. */
  close(): void {
    for (const piece of this.#going.values()) this.#end(piece)
    this.#spare = []
  }

  #seen(asked: A, index: number): void {
    this.free.seen(index, 1)
    if (this.had.has(index)) return
    asked.useful++
    asked.dry = -1
  }

  #urgent(asked: A, max: number, now: number): Ask | undefined {
    for (const window of this.windows) {
      let first = true
      const near = window.from + Math.ceil(nearBytes / this.#pieceLength) + 1
      for (let i = window.from; i < window.to; i++) {
        if (this.had.has(i)) continue
        if (asked.can(i)) {
          const piece = this.#going.get(i) ?? this.#start(i, now, first)
          if (!piece) break
          if (this.#may(piece, asked)) return this.#take(piece, asked, max, now)
          const ask = i < near && this.#again(piece, asked, max, now, (u) => now - piece.time[u]! > lateAfter)
          if (ask) return ask
        }
        first = false
      }
    }
    return undefined
  }

  #begun(asked: A, max: number, now: number): Ask | undefined {
    for (const piece of this.#open) {
      if (asked.can(piece.index) && this.#may(piece, asked)) return this.#take(piece, asked, max, now)
    }
    return undefined
  }

  #rarest(asked: A, max: number, now: number): Ask | undefined {
    if (asked.dry === this.#returned) return undefined
    for (let rarity = this.#seeds.has(asked) ? 0 : 1; rarity < this.free.buckets.length; rarity++) {
      // What lies next to the last one was read from disk together with it, and will be written there.
      const next = this.#next.get(asked) ?? -1
      const follows = this.free.has(next) && this.free.of(next) === rarity && asked.can(next)
      const index = follows ? next : this.free.buckets[rarity]!.find((i) => asked.can(i))
      if (index === undefined) continue
      const piece = this.#start(index, now)
      if (piece) this.#next.set(asked, index + 1)
      return piece && this.#take(piece, asked, max, now)
    }
    asked.dry = this.#returned
    return undefined
  }

  #endgame(asked: A, max: number, now: number): Ask | undefined {
    if (this.free.free || this.#open.size || asked.asks.size > 1) return undefined
    for (const piece of this.#going.values()) {
      const ask = asked.can(piece.index) && this.#again(piece, asked, max, now, () => true)
      if (ask) return ask
    }
    return undefined
  }

  #may(piece: Piece<A>, asked: A): boolean {
    return piece.free > 0 && (!piece.only || piece.only === asked)
  }

  /** Asks for the first free units of the piece. */
  #take(piece: Piece<A>, asked: A, max: number, now: number): Ask {
    let u = 0
    while (piece.from[u] || piece.asked[u]) u++
    if (piece.single) piece.only ??= asked
    return this.#ask(piece, asked, u, max, now, (v) => !piece.from[v] && !piece.asked[v])
  }

  /** Asks for units that others owe. */
  #again(piece: Piece<A>, asked: A, max: number, now: number, due: (u: number) => boolean): Ask | undefined {
    if (!piece.missing || (piece.only && piece.only !== asked && now - piece.touched < staleAfter)) return undefined
    const fits = (u: number) =>
      !piece.from[u] && piece.asked[u]! < copies && due(u) && !this.#asks(asked, piece.index, u)
    for (let u = 0; u < piece.from.length; u++) if (fits(u)) return this.#ask(piece, asked, u, max, now, fits)
    return undefined
  }

  #ask(piece: Piece<A>, asked: A, u: number, max: number, now: number, fits: (u: number) => boolean): Ask {
    const begin = u * unit
    do {
      if (!piece.asked[u]!++ && !piece.from[u]) piece.free--
      piece.time[u] = now
      u++
    } while (u < piece.from.length && (u + 1) * unit - begin <= max && fits(u))
    if (!piece.free) this.#open.delete(piece)
    piece.touched = now
    const ask = { piece: piece.index, begin, length: Math.min(u * unit, piece.length) - begin, at: now, lost: false }
    asked.asks.set(this.#unit(piece.index, begin), ask)
    asked.pace.owed += ask.length
    return ask
  }

  /** Whether this unit of the piece is part of something asked of it. */
  #asks(asked: A, index: number, u: number): boolean {
    for (let v = u; v >= 0 && v > u - 4; v--) {
      const ask = asked.asks.get(index * this.#perPiece + v)
      if (ask && ask.begin + ask.length > u * unit) return true
    }
    return false
  }

  #unit(index: number, begin: number): number {
    return index * this.#perPiece + Math.floor(begin / unit)
  }

  #forget(asked: A, ask: Ask): void {
    asked.asks.delete(this.#unit(ask.piece, ask.begin))
    this.#untake(asked, ask)
  }

  #untake(asked: A, ask: Ask): void {
    if (ask.lost) return
    ask.lost = true
    asked.pace.owed -= ask.length
    const piece = this.#going.get(ask.piece)
    if (piece) {
      for (let u = ask.begin / unit; u * unit < ask.begin + ask.length; u++) {
        if (!--piece.asked[u]! && !piece.from[u]) {
          piece.free++
          this.#open.add(piece)
        }
      }
    }
  }

  /** Nothing is asked of its only sender any more; a piece without anything becomes free. */
  #idle(piece: Piece<A>, asked: A): void {
    if (piece.only === asked) piece.only = undefined
    if (piece.free === piece.from.length) this.#discard(piece)
  }

  #cancel(piece: Piece<A>): void {
    for (const asked of this.#askeds) {
      for (const ask of asked.asks.values()) {
        if (ask.piece !== piece.index) continue
        let here = true
        for (let u = ask.begin / unit; u * unit < ask.begin + ask.length; u++) if (!piece.from[u]) here = false
        if (!here) continue
        this.#forget(asked, ask)
        asked.cancel(ask)
      }
    }
  }

  /** One that is going, or was given up. */
  #revive(index: number, now: number, force = true): Piece<A> | undefined {
    return this.#going.get(index) ?? (this.free.has(index) ? this.#start(index, now, force) : undefined)
  }

  #start(index: number, now: number, force = false): Piece<A> | undefined {
    const length = this.size(index)
    if (!this.#budget.take(length, force || (!this.#going.size && length <= alone))) return undefined
    this.free.remove(index)
    const units = Math.ceil(length / unit)
    const piece: Piece<A> = {
      index,
      length,
      data: undefined,
      asked: new Uint8Array(units),
      time: new Float64Array(units),
      from: Array.from({ length: units }),
      missing: units,
      free: units,
      single: this.#failed.has(index),
      only: undefined,
      touched: now,
    }
    this.#going.set(index, piece)
    this.#open.add(piece)
    return piece
  }

  #end(piece: Piece<A>): void {
    if (!this.#going.delete(piece.index)) return
    this.#open.delete(piece)
    this.#budget.give(piece.length)
  }

  #discard(piece: Piece<A>): void {
    if (this.#going.get(piece.index) !== piece) return
    this.#end(piece)
    this.free.insert(piece.index)
    this.#returned++
  }
}
