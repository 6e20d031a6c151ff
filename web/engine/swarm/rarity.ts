/**
 * Free pieces by how many peers have them, each number's in a bucket of its own, in random order: so that a "have" and a
 * pick cost O(1).
 */
export class Rarity {
  readonly buckets: number[][] = []
  /** How many pieces are free. */
  free = 0
  readonly #rarity: Uint16Array
  /** Where in its bucket a free piece is, else -1. */
  readonly #place: Int32Array

  /** None of so many pieces is free, and nobody has any. */
  constructor(pieces: number) {
    this.#rarity = new Uint16Array(pieces)
    this.#place = new Int32Array(pieces).fill(-1)
  }

  has(index: number): boolean {
    return this.#place[index]! >= 0
  }

  /** How many peers have the piece. */
  of(index: number): number {
    return this.#rarity[index]!
  }

  /** So many more peers have the piece. */
  seen(index: number, by: number): void {
    const free = this.has(index)
    if (free) this.remove(index)
    this.#rarity[index]! += by
    if (free) this.insert(index)
  }

  /** It becomes free. */
  insert(index: number): void {
    while (this.buckets.length <= this.of(index)) this.buckets.push([])
    const bucket = this.buckets[this.of(index)]!
    const place = Math.floor(Math.random() * (bucket.length + 1))
    const moved = bucket[place]
    if (moved !== undefined) {
      this.#place[moved] = bucket.length
      bucket.push(moved)
    }
    bucket[place] = index
    this.#place[index] = place
    this.free++
  }

  /** It was free, and is no longer. */
  remove(index: number): void {
    const bucket = this.buckets[this.of(index)]!
    const place = this.#place[index]!
    const last = bucket.pop()!
    if (last !== index) {
      bucket[place] = last
      this.#place[last] = place
    }
    this.#place[index] = -1
    this.free--
  }
}
