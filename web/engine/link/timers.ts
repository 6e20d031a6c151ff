/** Timers by name, or by what they are for: setting one anew replaces it, and close ends all. */
export class Timers {
  readonly #timers = new Map<unknown, ReturnType<typeof setTimeout>>()

  set(name: unknown, delay: number, action: () => void): void {
    this.clear(name)
    const run = () => {
      this.#timers.delete(name)
      action()
    }
    this.#timers.set(name, setTimeout(run, delay))
  }

  has(name: unknown): boolean {
    return this.#timers.has(name)
  }

  clear(name: unknown): void {
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
  }

  close(): void {
    for (const name of this.#timers.keys()) this.clear(name)
  }
}
