import { concat, type Bytes } from '../bytes.ts'

/** Records made lately, of all containers together: the oldest used comes first. */
const recent = new Map<string, Promise<Bytes>>()
/** 4 MiB of them. */
const keep = 64
let ids = 0

type Make = (first: number, end: number) => Promise<Promise<Bytes>[]>

/**
 * Ranges of what lies in records of equal size, the last one shorter. make turns records [first, end) of the one side
 * into those of the other with a single read; each is made once for readers that follow one another. ahead: how many
 * more are made where reading goes on from one record to the next.
 */
export class Records {
  readonly #id = ids++
  readonly #size: number
  readonly #count: number
  readonly #ahead: number
  readonly #make: Make

  constructor(size: number, count: number, ahead: number, make: Make) {
    this.#size = size
    this.#count = count
    this.#ahead = ahead
    this.#make = make
  }

  /** A copy of bytes [start, end). */
  async read(start: number, end: number): Promise<Bytes> {
    if (end <= start) return new Uint8Array()
    const first = Math.floor(start / this.#size)
    const records = await Promise.all(this.#get(first, Math.ceil(end / this.#size)))
    const base = first * this.#size
    return concat(records.map((record, i) => record.subarray(
      Math.max(0, start - base - i * this.#size), Math.max(0, end - base - i * this.#size))))
  }

  #get(first: number, end: number): Promise<Bytes>[] {
    const key = (i: number): string => `${this.#id} ${i}`
    const found: Promise<Bytes>[] = []
    for (let i = first; i < end; i++) {
      let record = recent.get(key(i))
      if (!record) {
        let stop = i + 1
        while (stop < end && !recent.has(key(stop))) stop++
        if (stop === end && recent.has(key(i - 1))) stop = Math.min(this.#count, end + this.#ahead)
        const made = this.#make(i, stop)
        for (let j = stop - 1; j >= i; j--) {
          const one = made.then((all) => all[j - i]!)
          one.catch(() => recent.delete(key(j)))
          recent.set(key(j), one)
        }
        record = recent.get(key(i))!
      }
      recent.delete(key(i))
      recent.set(key(i), record)
      found.push(record)
    }
    for (const old of recent.keys()) {
      if (recent.size <= keep) break
      recent.delete(old)
    }
    return found
  }
}
