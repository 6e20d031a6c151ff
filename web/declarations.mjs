// starling.d.ts, for pages that are written in TypeScript: what web/engine/index.ts exports, as the sources declare it.
// Each file is read by itself, so that nothing needs to be type-checked for it.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const engine = join(dirname(fileURLToPath(import.meta.url)), 'engine')

/** What the exported ones are made of, and pages cannot import. */
const within = [
  ['./bytes.ts', ['Bytes']],
  ['./emitter.ts', ['Listener', 'Emitter']],
]

/** Classes that pages hold and do not make. */
const given = ['Torrent', 'TorrentFile']

const parse = (name, text) => ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true)

/** [module, names] of each export of index.ts. */
async function doors() {
  const { statements } = parse('index.ts', await readFile(join(engine, 'index.ts'), 'utf8'))
  return statements.map((s) => [s.moduleSpecifier.text, s.exportClause.elements.map(({ name }) => name.text)])
}

/**
 * What may be left out may be undefined as well, which the sources need not say: with exactOptionalPropertyTypes a program could
 * not pass on what it was not given.
 */
function loose(node, text) {
  const edits = []
  const visit = (n) => {
    n.forEachChild(visit)
    if (!ts.isPropertySignature(n) || !n.questionToken) return
    const { type } = n
    const [open, close] = ts.isFunctionTypeNode(type) ? ['(', ')'] : ['', '']
    edits.push([type.getStart(), open], [type.end, `${close} | undefined`])
  }
  visit(node)
  return edits.sort(([a], [b]) => b - a).reduce((text, [at, more]) => text.slice(0, at) + more + text.slice(at), text)
}

/** The declarations of these names in a module, with the comment right before each. */
async function declared(module, names) {
  const source = await readFile(join(engine, module), 'utf8')
  const { outputText } = ts.transpileDeclaration(source, { compilerOptions: { target: ts.ScriptTarget.ES2023, strict: true } })
  const { statements } = parse(module, outputText)
  return names.map((name) => {
    const node = statements.find((s) => s.name?.text === name)
    if (!node) throw new Error(`${module} declares no ${name}`)
    const behind = outputText.length - node.end
    const loosened = loose(node, outputText)
    const text = loosened.slice(node.jsDoc?.at(-1)?.pos ?? node.getStart(), loosened.length - behind)
    if (given.includes(name)) return text.replace(/^ +constructor\(.*\);$/m, '    private constructor();')
    // Only the engine tells of what happens.
    return name === 'Emitter' ? text.replace(/^ +emit<.*\n/m, '') : text
  })
}

export async function declarations() {
  const hidden = await Promise.all(within.map(([module, names]) => declared(module, names)))
  const open = await Promise.all((await doors()).map(([module, names]) => declared(module, names)))
  return [
    '// The types of /starling.js: docs/engine.md says how to use them.',
    ...hidden.flat().map((text) => text.replace(/^export (?=declare|type)/m, '')),
    ...open.flat(),
    'export {};\n',
  ].join('\n\n')
}
