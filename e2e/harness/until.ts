import { setTimeout as pause } from 'node:timers/promises'

/**
 * Asks again and again, every so many milliseconds, until condition gives something truthy, and returns that. what
 * completes "waited for …".
 * Asked from here and not by a timer in the page, since a hidden tab's timers are slowed and a reload ends them.
 */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  { within = 60_000, every = 50 }: { within?: number; every?: number } = {},
): Promise<NonNullable<T>> {
  const end = Date.now() + within
  for (;;) {
    const value = await condition()
    if (value) return value as NonNullable<T>
    if (Date.now() > end) throw new Error(`waited ${within / 1000} s for ${what}`)
    await pause(every)
  }
}
