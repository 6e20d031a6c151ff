import { random, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import { newAuthor } from '../seal/card.ts'
import { makeHeader, maxHeader, parseHeader } from '../seal/header.ts'
import { SealedSource, sealedLength } from '../seal/sealed.ts'
import { BlobSource } from '../store/source.ts'
import type { Entry } from '../store/store.ts'
import { makeInfo, pieceLengthFor } from '../torrent/making.ts'
import { infoHashOf, parseInfo } from '../torrent/metainfo.ts'
import { cleanName, cleanPaths } from '../torrent/names.ts'
import type { SeedOptions } from '../types.ts'
import { hashPieces } from './hash.ts'
import type { SwarmOptions } from './host.ts'

/** What a swarm needs to seed. */
export interface Prepared {
  entry: Entry
  options: SwarmOptions
}

type Files = readonly Blob[]
type Seal = Pick<Required<Entry>, 'key' | 'seal'>

/** What it takes to seed files; not hashed again where they are what was seeded before. Nothing is stored yet. */
export async function prepare(files: Files, options: SeedOptions, before?: Entry): Promise<Prepared> {
  const prepared = (before && (await again(before, files, options.private))) ?? (await hashed(files, options))
  prepared.entry.trackers = [...(options.trackers ?? [])]
  return prepared
}

/** Hashes what is to be seeded; private, it is sealed with a new key. */
async function hashed(
  files: Files, { name: given, private: sealed, webSeeds = [], card, onHash }: SeedOptions,
): Promise<Prepared> {
  const source = new BlobSource(files)
  const parts = files.map((file) => ((file as File).webkitRelativePath || (file as File).name || '').split('/'))
  const folder = folderOf(parts)
  const name = cleanName(given || folder || parts[0]?.at(-1) || 'file')
  const paths = cleanPaths(parts.length === 1 ? [[name]] : folder ? parts.map((path) => path.slice(1)) : parts)
  const list = files.map(({ size, type }, i) => ({ path: paths[i]!, size, type }))
  const { publicKey: author, privateKey: cardKey } = card ? await newAuthor() : {}
  const seal = sealed
    ? { key: random(16), seal: { salt: random(16), header: makeHeader({ name, files: list, author }) } }
    : undefined
  const options = await optionsOf(source, seal)
  const { length } = options.source
  const pieceLength = pieceLengthFor(length)
  const hashes = await hashPieces((start, end) => options.source.read(start, end), length, pieceLength, onHash)
  const info = seal
    ? makeInfo({ name: 'sealed', files: [{ path: 'sealed', size: length }], pieceLength, hashes })
    : makeInfo({ name, files: list, pieceLength, hashes, author })
  return {
    entry: {
      infoHash: await infoHashOf(info), info, seeded: true, trackers: [], webSeeds: sealed ? [] : [...webSeeds],
      added: Date.now(), ...(cardKey && { cardKey }), ...seal,
    },
    options: { ...options, unproven: mayDiffer(files) },
  }
}

/** Firefox reads what a file has become since it was chosen, and says nothing. */
function mayDiffer(files: Files): boolean {
  return /Firefox\//.test(globalThis.navigator?.userAgent) && files.some((file) => file instanceof File)
}

/** The one folder that several files lie in: whoever fetches them has it already, by the torrent's name (BEP 3). */
function folderOf(paths: readonly (readonly string[])[]): string | undefined {
  const folder = paths[0]?.[0]
  return paths.length > 1 && paths.every((path) => path.length > 1 && path[0] === folder) ? folder : undefined
}

/** The same again, for files that were seeded before, without hashing; undefined where they are not those. */
async function again(entry: Entry, files: Files, sealed = false): Promise<Prepared | undefined> {
  const { info: bytes, key, seal } = entry
  if (!bytes || sealed !== !!key || sealed !== !!seal) return undefined
  const source = new BlobSource(files)
  const info = parseInfo(bytes)
  const header = seal && parseHeader(seal.header, source.length)
  const sizes = (header ?? info).files.map(({ size }) => size)
  const length = seal ? sealedLength(4 + seal.header.length + source.length) : source.length
  if (length !== info.length || sizes.join() !== files.map(({ size }) => size).join()) return undefined
  const options = await optionsOf(source, key && seal && { key, seal })
  return { entry: { ...entry, seeded: true }, options: { ...options, unproven: true } }
}

async function optionsOf(blob: BlobSource, sealed?: Seal): Promise<SwarmOptions & { source: Pick<SealedSource, 'length' | 'read'> }> {
  if (!sealed) return { source: blob }
  const { key, seal: { salt, header } } = sealed
  const parsed = parseHeader(header, blob.length)
  if (!parsed || header.length > maxHeader) throw new StarlingError('too-large', 'These are too many files to share at once.')
  const { name, files, author } = parsed
  const read = (start: number, end: number): Promise<Bytes> => blob.read(start, end)
  const source = await SealedSource.create({ key, salt, header, size: blob.length, read })
  // What was sealed here need not be opened to be read.
  return { source, content: { name, files, author, salt, read, covering: () => [0, 0], blob: () => blob.blob() } }
}
