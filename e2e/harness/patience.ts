/** Vitest itself gives what a test waits for a second, and looks no more: a machine that is busy may need longer. */
import { vi } from 'vitest'

const { waitFor, waitUntil } = vi
const timeout = 30_000
vi.waitFor = (condition, options) => waitFor(condition, typeof options === 'number' ? options : { timeout, ...options })
vi.waitUntil = (condition, options) => waitUntil(condition, typeof options === 'number' ? options : { timeout, ...options })
