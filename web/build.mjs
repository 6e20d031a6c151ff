// Builds the web part into web/built, which the Go package web embeds:
//   starling.js, starling-store.js   the engine and its store worker, under names that never change
//   starling.d.ts                    the engine's types, for pages in TypeScript
//   starling-sw.js                   what service workers of other origins import, so that players there seek
//   assets/starling-*                what starling.js loads: the node, and what is needed only at times
//   index.html, link.html            the app, and the same where a link is opened
//   assets/*                         what it loads; names carry a hash, so they may be cached for ever
//   sw.js                            the service worker, with the list of what it precaches
//   edge/edge.js, edge/*-*           what sites include, which the Go package edge serves: at most 20 kB (bench/rows/edge.ts);
//                                    sw.js, outside.js, owner.* and plots.css beside it
//   stats/*                          the tracker's page of figures
//   *.br, *.gz                       each of these precompressed
import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, constants, gzip } from 'node:zlib'
import { minify } from 'terser'
import { build } from 'vite'
import { declarations } from './declarations.mjs'

// Whoever runs this, tests for example: libraries are built as they are served.
process.env.NODE_ENV = 'production'

const web = dirname(fileURLToPath(import.meta.url))
const built = join(web, 'built')
/** Built beside it and then put in its place, so that nobody ever finds half a build. */
const out = await mkdtemp(join(web, 'built-'))
process.once('exit', () => rmSync(out, { recursive: true, force: true }))
const common = { configFile: false, root: web, logLevel: 'warn', publicDir: false }
const target = ['chrome111', 'firefox115', 'safari16.4']

/** What Vite's own minifier leaves: two per cent of what is sent. Whether more of it is less differs from script to script. */
const squeeze = (more) => ({
  name: 'squeeze',
  async renderChunk(code) {
    const options = { module: true, ecma: 2022, compress: { passes: 3, unsafe_arrows: true, unsafe_methods: true, ...more } }
    return { code: (await minify(code, options)).code, map: null }
  },
})

/** One entry, under a name without a hash; what it imports only when it must becomes files of their own, with one. */
function module(entry, name, define = {}, chunks = 'assets/starling-[name]-[hash].js', more = { hoist_funs: true }) {
  return build({
    ...common,
    define,
    plugins: [squeeze(more)],
    build: {
      outDir: out,
      emptyOutDir: false,
      target,
      sourcemap: false,
      lib: { entry: join(web, entry), formats: ['es'], fileName: () => name },
      minify: true,
      // For a library Vite leaves white space and long names of ES modules; whoever bundles this one again needs neither.
      rolldownOptions: {
        preserveEntrySignatures: 'allow-extension',
        checks: { pluginTimings: false },
        output: {
          chunkFileNames: chunks,
          comments: { annotation: false },
          minify: { compress: true, mangle: true, codegen: { removeWhitespace: true } },
        },
      },
    },
  })
}

/** The app imports the engine as every other page does: from /starling.js. */
const engineIsExternal = {
  name: 'engine-is-external',
  enforce: 'pre',
  resolveId: (id) => (id === 'starling' ? { id: '/starling.js', external: true } : null),
}

/** The engine's main parts, which are asked for all at once, not one after another. */
async function engineParts() {
  const parts = (await readdir(join(out, 'assets'))).filter((name) => /^starling-(node|opened|more)-/.test(name))
  return ['/starling.js', ...parts.map((name) => `/assets/${name}`)]
}

/** The page as it is where a link is opened: it needs the engine at once. Elsewhere that would hold up the first screen. */
async function linkPage(parts) {
  const links = parts.map((href) => `<link rel="modulepreload" href="${href}">`)
  const index = await readFile(join(out, 'index.html'), 'utf8')
  await writeFile(join(out, 'link.html'), index.replace('</head>', `${links.join('')}</head>`))
}

async function files(dir) {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  return entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name))
}

/** What the service worker keeps for offline use: [path, revision]; a hashed name needs no revision. */
async function precacheList() {
  const list = []
  for (const file of (await files(out)).sort()) {
    const path = '/' + relative(out, file)
    if (/\.keep$|\.(br|gz|map)$/.test(path)) continue
    const revision = path.startsWith('/assets/') ? '' : createHash('sha256').update(await readFile(file)).digest('hex').slice(0, 16)
    list.push([path === '/index.html' ? '/' : path, revision])
  }
  return list
}

async function compress(file) {
  const data = await readFile(file)
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length }
  const variants = [
    ['.br', await promisify(brotliCompress)(data, { params: quality })],
    ['.gz', await promisify(gzip)(data, { level: 9 })],
  ]
  for (const [suffix, body] of variants) if (body.length < data.length) await writeFile(file + suffix, body)
}

/** What the app calls itself: a hash of the sources, the same wherever they are built. */
async function versionOf(...dirs) {
  const hash = createHash('sha256')
  for (const dir of dirs) for (const file of (await files(join(web, dir))).sort()) hash.update(relative(web, file)).update(await readFile(file))
  return JSON.stringify(hash.digest('hex').slice(0, 8))
}

await module('engine/index.ts', 'starling.js')
await module('engine/store/worker.ts', 'starling-store.js')
const parts = await engineParts()
await build({
  ...common,
  root: join(web, 'app'),
  publicDir: join(web, 'app/public'),
  define: {
    __VERSION__: await versionOf('app', 'memos', 'files', 'ui', 'engine', 'sw'),
    __ENGINE__: JSON.stringify(parts),
  },
  plugins: [engineIsExternal],
  build: { outDir: out, emptyOutDir: false, target, assetsDir: 'assets', assetsInlineLimit: 0, modulePreload: { polyfill: false } },
})
const precache = await precacheList()
// These are not in that list: where the service worker answers, the engine is here already, and no page loads its types.
await linkPage(parts)
await writeFile(join(out, 'starling.d.ts'), await declarations())
const version = createHash('sha256').update(JSON.stringify(precache)).digest('hex').slice(0, 12)
await module('sw/index.ts', 'sw.js', { __PRECACHE__: JSON.stringify(precache), __VERSION__: JSON.stringify(version) })
await module('sw/torrents.ts', 'starling-sw.js')
await module('edge/edge.ts', 'edge/edge.js', {}, 'edge/[name]-[hash].js', { inline: false, sequences: false })
await module('edge/outside.ts', 'edge/outside.js')
await module('edge/sw.ts', 'edge/sw.js')
await module('edge/owner/owner.ts', 'edge/owner.js')
await copyFile(join(web, 'edge/owner/owner.html'), join(out, 'edge/owner.html'))
await module('stats/stats.ts', 'stats/stats.js')
await copyFile(join(web, 'stats/stats.html'), join(out, 'stats/stats.html'))
for (const dir of ['edge', 'stats']) await copyFile(join(web, 'plots/plots.css'), join(out, dir, 'plots.css'))
for (const file of await files(out)) if (/\.(js|css|html|svg|webmanifest|json)$/.test(file)) await compress(file)

for (const name of await readdir(built)) if (name !== '.keep') await rm(join(built, name), { recursive: true, force: true })
for (const name of await readdir(out)) await rename(join(out, name), join(built, name))
