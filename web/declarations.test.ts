import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { declarations } from './declarations.mjs'

const root = join(import.meta.dirname, '..')
const engine = 'https://starling.example/starling.js'

/** What tsc --strict says about a page that uses the engine. lib: what its program is for. */
function complaints(types: string, page: string, lib?: string[], more?: ts.CompilerOptions): string[] {
  const sources = new Map([[`${root}/starling.d.ts`, types], [`${root}/page.ts`, page]])
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    types: [],
    paths: { [engine]: [`${root}/starling.d.ts`] },
    ...(lib && { lib }),
    ...more,
  }
  const host = ts.createCompilerHost(options)
  const { fileExists, getSourceFile } = host
  host.fileExists = (name) => sources.has(name) || fileExists(name)
  host.getSourceFile = (name, language, ...rest) => {
    const text = sources.get(name)
    return text === undefined ? getSourceFile(name, language, ...rest) : ts.createSourceFile(name, text, language)
  }
  const program = ts.createProgram([`${root}/page.ts`], options, host)
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '))
}

/** The script of a document's first page, as a block of its own. */
async function example(document: string): Promise<string> {
  const found = /<script type="module">\n +import \{ Starling.*?\n(.*?)<\/script>/s.exec(await readFile(join(root, document), 'utf8'))
  return `{${found![1]}}`
}

/** The scripts of a document that have no page around them, each as a block of its own. */
async function scripts(document: string): Promise<string> {
  const found = (await readFile(join(root, document), 'utf8')).matchAll(/```js\n(.*?)```/gs)
  return [...found].map(([, script]) => `{${script}}`).join('\n')
}

/** The document's first block in that language. */
async function block(document: string, language: string): Promise<string> {
  return new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(await readFile(join(root, document), 'utf8'))![1]!
}

test('programs whose types are those of older browsers, or know of no iterable lists, are as welcome', async () => {
  const page = `import { Starling, StarlingError } from '${engine}'
    declare const input: HTMLInputElement
    void new Starling().seed(input.files!).catch((error) => error instanceof StarlingError && error.code === 'removed')`
  const lib = ['lib.es2020.d.ts', 'lib.dom.d.ts']
  expect(complaints(await declarations(), page, lib)).toEqual([])
}, 120_000)

test('the documents’ examples pass tsc --strict, and what is misspelt does not', async () => {
  const page = `import { Starling, Torrent, type TorrentFile } from '${engine}'
    declare const file: File, link: string, video: HTMLVideoElement
    ${await example('README.md')}
    ${await example('docs/engine.md')}
    declare const line: HTMLElement, input: HTMLInputElement
    ${await example('docs/moving.md')}
    const node = new Starling()
    declare const film: TorrentFile
    ${await scripts('docs/moving.md')}
    await node.seed(document.querySelector('input')!.files!)
    node.on('torrent', (torrent: Torrent) => torrent.on('progress', ({ status }) => status === 'seeding'))
    node.on('error', ({ code }) => code === 'unsupported')
    // @ts-expect-error no such option
    new Starling({ tracker: [] })
    // @ts-expect-error no such event
    node.on('torrnt', () => {})
    // @ts-expect-error what happens the engine tells
    node.emit('takeover', undefined)
    // @ts-expect-error there are no callbacks
    await node.add(link, {}, () => {})
    // @ts-expect-error nothing that can be shared
    await node.seed(3)
    // @ts-expect-error pages are given these, and do not make them
    new Torrent()`
  expect(complaints(await declarations(), page)).toEqual([])
}, 120_000)

test('with exactOptionalPropertyTypes, what is not there may be passed on as it is', async () => {
  const page = `import { Starling, type AddOptions, type Limits, type SeedOptions, type TorrentState } from '${engine}'
    declare const it: { signal?: AbortSignal; name?: string; server?: string; onHash?: (bytes: number) => void; start?: number; all?: boolean }
    const node = new Starling({ server: it.server })
    const seed: SeedOptions = { name: it.name, signal: it.signal, onHash: it.onHash, private: it.all }
    const add: AddOptions = { onDemand: it.all }
    const limits: Limits = { uploadLimit: it.start }
    const torrent = await node.seed('x', seed)
    await node.add(torrent.link, add)
    await node.limit(limits)
    torrent.files[0]?.stream({ start: it.start })
    await torrent.remove({ destroyStore: it.all })
    const state: TorrentState = { ...torrent.state, card: undefined, error: undefined }
    void state`
  expect(complaints(await declarations(), page, undefined, { exactOptionalPropertyTypes: true })).toEqual([])
}, 120_000)

test('a server whose address is known only at run time has the same types', async () => {
  const page = `declare const server: string
    ${await block('docs/engine.md', 'ts')}
    const node = new Starling({ server })
    // @ts-expect-error no such option
    new Starling({ tracker: [] })
    await node.ready
    export {}`
  expect(complaints(await declarations(), page)).toEqual([])
}, 120_000)

test('each of them says what it is for', async () => {
  const lines = (await declarations()).split('\n')
  const bare = lines.filter((line, i) => /^export (declare|interface|type)/.test(line) && !lines[i - 1]!.endsWith('*/'))
  expect(bare).toEqual([])
})
