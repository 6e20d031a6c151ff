import type { Bytes } from '../bytes.ts'
import type { Opened } from '../seal/opened.ts'
import type { Store } from '../store/store.ts'
import type { Info } from '../torrent/metainfo.ts'

/** A file among a torrent's bytes, or among those that are sealed in them. */
export interface ContentFile {
  path: string
  name: string
  size: number
  /** MIME type, or ''. */
  type: string
  /** Where it begins among the files' bytes. */
  offset: number
}

/** The files of a torrent whose metadata is known, plain or opened. */
export interface Content {
  readonly name: string
  readonly files: readonly ContentFile[]
  /** Who may sign cards. */
  readonly author?: Bytes
  /** Of a private torrent. */
  readonly salt?: Bytes
  /** Bytes [start, end) of the files, as if they were one; all that covers them must be there. */
  read(start: number, end: number): Promise<Bytes>
  /** Bytes of the torrent that must be there for that. */
  covering(start: number, end: number): readonly [start: number, end: number]
  /** The files' bytes as one Blob, where that is no copy in memory. */
  blob?(): Promise<Blob | undefined>
}

const types = new Map(
  [
    'application/json json', 'application/pdf pdf', 'application/zip zip', 'audio/aac aac', 'audio/flac flac',
    'audio/mp4 m4a', 'audio/mpeg mp3', 'audio/ogg oga ogg opus', 'audio/wav wav', 'audio/webm weba', 'image/avif avif',
    'image/gif gif', 'image/jpeg jpg jpeg', 'image/png png', 'image/svg+xml svg', 'image/webp webp', 'text/css css',
    'text/csv csv', 'text/html html htm', 'text/javascript js', 'text/markdown md', 'text/plain txt', 'text/vtt vtt',
    'video/mp4 mp4 m4v', 'video/ogg ogv', 'video/quicktime mov', 'video/webm webm', 'video/x-matroska mkv',
  ].flatMap((line) => {
    const [type, ...ends] = line.split(' ')
    return ends.map((end) => [end, type!])
  }),
)

/** The MIME type that a name's ending stands for; '' for one that is not known. internal/mimetypes has the same. */
export function typeOf(name: string): string {
  return types.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase()) ?? ''
}

/** That of a public torrent: its bytes are those of the files. */
export function plain({ name, files, author }: Info, store: Pick<Store, 'read' | 'blob'>): Content {
  return {
    name,
    author,
    files: files.map(({ path, name, size, offset }) => ({ path, name, size, offset, type: typeOf(name) })),
    read: (start, end) => store.read(start, end),
    covering: (start, end) => [start, end],
    blob: async () => store.blob?.(),
  }
}

/** That of a private torrent: its bytes are the container, opened as it is read. */
export function opened(seal: Opened): Content {
  const { name, files, author } = seal.header
  return {
    name,
    author,
    files: files.map((file) => ({ ...file, type: file.type || typeOf(file.name) })),
    salt: seal.salt,
    read: (start, end) => seal.read(start, end),
    covering: (start, end) => seal.covering(start, end),
  }
}

/** The most of [start, end) that can be read when the torrent's bytes are there up to limit; at least one byte is. */
export function readable(content: Content, start: number, end: number, limit: number): number {
  let low = start + 1
  while (low < end) {
    const middle = Math.ceil((low + end) / 2)
    if (content.covering(start, middle)[1] <= limit) low = middle
    else end = middle - 1
  }
  return low
}
