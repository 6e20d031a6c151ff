// `make bench`, or `node bench/run.mjs transfer metadata`: see bench/main.ts.
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const { module } = await runnerImport(fileURLToPath(new URL('main.ts', import.meta.url)), { configFile: false })
process.exitCode = await module.main(process.argv.slice(2))
