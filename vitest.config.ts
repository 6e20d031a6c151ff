import { defineConfig } from 'vitest/config'
import { fileURLToPath } from 'node:url'

const starling = fileURLToPath(new URL('./web/engine/index.ts', import.meta.url))

export default defineConfig({
  resolve: { alias: { starling } },
  test: {
    reporters: ['default', './e2e/harness/second-runs.ts'],
    projects: [
      { extends: true, test: { name: 'unit', include: ['web/**/*.test.ts'], environment: 'node' } },
      {
        extends: true,
        // Real browsers on few cores: one file after another, and time for a cold start. In CI a test that fails is run
        // once more, and both runs are in the report: the tests of edge and files are new, and have been seen on one
        // machine only.
        test: {
          name: 'e2e', include: ['e2e/**/*.test.ts'], fileParallelism: false, testTimeout: 60_000, hookTimeout: 120_000,
          retry: process.env.CI ? 1 : 0,
        },
      },
    ],
  },
})
