import { defineConfig } from 'vitest/config'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const starling = fileURLToPath(new URL('./web/engine/index.ts', import.meta.url))
const cores = availableParallelism()
/**
 * What a page of a site does in a few seconds is counted there, or what a line carries that this program makes: these have
 * the machine to themselves.
 */
const alone = ['e2e/edge*.test.ts', 'e2e/far.test.ts']

// Time for a machine a third as fast as ours: what stands still is found by until, which says what it waited for. In CI
// a test that fails is run once more, and what it said at first is at the end of the report: it is a fault to be
// understood all the same, and most so far were ones of what is tested.
const browsers = { testTimeout: 240_000, hookTimeout: 240_000, retry: process.env.CI ? 1 : 0 }
// Vitest itself leaves one processor free; and to start a thread costs half of what a process does.
const unit = { testTimeout: 60_000, hookTimeout: 60_000, pool: 'threads' as const, maxWorkers: cores }

export default defineConfig({
  resolve: { alias: { starling } },
  test: {
    reporters: ['default', './e2e/harness/second-runs.ts'],
    projects: [
      { extends: true, test: { name: 'unit', include: ['web/**/*.test.ts'], environment: 'node', setupFiles: ['./e2e/harness/patience.ts'], ...unit } },
      {
        extends: true,
        // Two files at once: each waits more than it works, for a tracker, a link, or a program of others to make up
        // its mind.
        test: {
          name: 'e2e', include: ['e2e/**/*.test.ts'], exclude: alone, ...browsers,
          maxWorkers: Math.min(2, cores), sequence: { groupOrder: 1 },
        },
      },
      { extends: true, test: { name: 'alone', include: alone, ...browsers, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
})
