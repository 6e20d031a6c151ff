import { equal, type Bytes } from '../bytes.ts'
import { StarlingError } from '../errors.ts'
import type { Entry, Stores } from './store.ts'

const piece = 1 << 15

/** Bytes that differ from place to place and from torrent to torrent. */
function bytes(seed: number, start: number, end: number): Bytes {
  return Uint8Array.from({ length: end - start }, (_, i) => ((start + i) * 31 + seed * 97 + ((start + i) >> 8)) & 0xff)
}

function hash(seed: number): string {
  return seed.toString(16).padStart(40, '0')
}

function entry(seed: number): Entry {
  return {
    infoHash: hash(seed),
    info: bytes(seed, 0, 100),
    pieces: Uint8Array.of(0xf0),
    seeded: false,
    trackers: ['wss://one.example/announce'],
    webSeeds: [],
    key: bytes(seed, 0, 16),
    card: { packed: bytes(seed, 0, 80), value: { title: 'Tue 14:05' } },
    added: 1_600_000_000_000 + seed,
  }
}

type Check = (stores: Stores, ok: (truth: boolean, what: string) => void) => Promise<void>

async function refuses(call: () => Promise<unknown>, code: string): Promise<boolean> {
  return call().then(
    () => false,
    (error: unknown) => error instanceof StarlingError && error.code === code,
  )
}

async function holds(blob: Blob | undefined, expected: Bytes): Promise<boolean> {
  return !!blob && equal(new Uint8Array(await blob.arrayBuffer()), expected)
}

const checks: Record<string, Check> = {
  async 'pieces in any order'(stores, ok) {
    const length = 3 * piece + 77
    const store = await stores.open(hash(1), length)
    for (const start of [2 * piece, 3 * piece, 0, piece]) {
      await store.write(start, bytes(1, start, Math.min(start + piece, length)))
    }
    const within = [[0, piece], [5, 9], [piece - 1, piece + 1], [100, 2 * piece + 5], [length - 1, length]] as const
    for (const [start, end] of [[0, length] as const, ...within]) {
      ok(equal(await store.read(start, end), bytes(1, start, end)), `reads ${start} to ${end}`)
    }
    await store.close()
    await store.close()
    const again = await stores.open(hash(1), length)
    ok(equal(await again.read(7, length), bytes(1, 7, length)), 'reads after it was closed and opened')
    await again.close()
  },

  async 'what is not there'(stores, ok) {
    const store = await stores.open(hash(2), 4 * piece)
    ok(await refuses(() => store.read(0, 10), 'storage'), 'refuses to read an empty store')
    await store.write(0, bytes(2, 0, piece))
    ok(await refuses(() => store.read(piece - 5, piece + 5), 'storage'), 'refuses to read past what was written')
    ok(equal(await store.read(0, piece), bytes(2, 0, piece)), 'reads on after that')
    await store.close()
  },

  async 'the same piece twice'(stores, ok) {
    const store = await stores.open(hash(3), piece)
    await store.write(0, bytes(4, 0, piece))
    await store.read(0, 10)
    await store.write(0, bytes(3, 0, piece))
    ok(equal(await store.read(0, piece), bytes(3, 0, piece)), 'the later one counts')
    await store.close()
  },

  async 'part of a buffer'(stores, ok) {
    const store = await stores.open(hash(5), piece)
    await store.write(0, bytes(5, 0, 2 * piece).subarray(0, piece))
    ok(equal(await store.read(0, piece), bytes(5, 0, piece)), 'writes the view and not its buffer')
    ok(await refuses(() => store.read(piece, piece + 1), 'storage'), 'and nothing behind it')
    await store.close()
  },

  async 'much at once'(stores, ok) {
    const count = 100
    const seeds = Array.from({ length: count }, (_, i) => 1000 + i)
    const all = await Promise.all(seeds.map((seed) => stores.open(hash(seed), 2 * piece)))
    const read = await Promise.all(
      all.map(async (store, i) => {
        const seed = seeds[i]!
        await Promise.all([store.write(piece, bytes(seed, piece, 2 * piece)), store.write(0, bytes(seed, 0, piece))])
        return equal(await store.read(0, 2 * piece), bytes(seed, 0, 2 * piece))
      }),
    )
    ok(read.every(Boolean), `${count} torrents are written and read`)
    await Promise.all(seeds.slice(1).map((seed) => stores.destroy(hash(seed))))
    ok(equal(await all[0]!.read(0, piece), bytes(1000, 0, piece)), 'destroying the others leaves the one')
    ok(await refuses(() => all[1]!.read(0, piece), 'storage'), 'what is destroyed is gone')
    await Promise.all(all.map((store) => store.close()))
    await stores.destroy(hash(1000))
    await stores.destroy(hash(1000))
  },

  async 'as a Blob'(stores, ok) {
    const length = 2 * piece + 9
    const store = await stores.open(hash(6), length)
    await store.write(2 * piece, bytes(6, 2 * piece, length))
    for (const start of [piece, 0]) await store.write(start, bytes(6, start, start + piece))
    const blob = await store.blob?.()
    ok(blob?.size === length, 'has the right size')
    await store.read(0, piece)
    ok(await holds(blob, bytes(6, 0, length)), 'is readable while the store is used')
    await store.close()
    ok(await holds(blob?.slice(piece), bytes(6, piece, length)), 'and when it is closed')
    const part = await stores.open(hash(7), length)
    await part.write(0, bytes(7, 0, piece))
    ok((await part.blob?.()) === undefined, 'is not there before all is')
    await part.close()
  },

  async registry({ registry }, ok) {
    const [a, b] = [entry(8), { ...entry(9), seeded: true }]
    const pair = { name: 'ECDSA', namedCurve: 'P-256' }
    a.cardKey = (await crypto.subtle.generateKey(pair, false, ['sign', 'verify'])).privateKey
    ok((await registry.get(a.infoHash)) === undefined, 'knows nothing at first')
    await Promise.all([registry.put(a), registry.put(b), registry.put({ ...a, pieces: Uint8Array.of(0xff) })])
    const got = await registry.get(a.infoHash)
    ok(!!got?.pieces && equal(got.pieces, Uint8Array.of(0xff)), 'the last put counts')
    ok(!!got?.info && equal(got.info, a.info!) && equal(got.key!, a.key!), 'keeps bytes')
    ok(got?.card?.value.title === 'Tue 14:05', 'keeps cards')
    ok(got?.cardKey instanceof CryptoKey && !got.cardKey.extractable, 'keeps keys')
    ok(!!got && !('kind' in got), 'adds nothing')
    got!.trackers.push('wss://two.example/announce')
    ok((await registry.get(a.infoHash))?.trackers.length === 1, 'gives copies')
    const listed = (await registry.list()).map(({ infoHash }) => infoHash)
    ok(listed.sort().join() === `${a.infoHash},${b.infoHash}`, 'lists all')
    await registry.delete(b.infoHash)
    await registry.delete(b.infoHash)
    ok((await registry.list()).length === 1, 'deletes one')
    await registry.delete(a.infoHash)
  },
}

/**
 * What every kind of Stores must do, as plain code that a test and a page can run: what fails, in words. The stores
 * that open gives must know nothing yet.
 */
export async function conformance(open: () => Promise<Stores>): Promise<string[]> {
  const failures: string[] = []
  const stores = await open()
  for (const [name, check] of Object.entries(checks)) {
    const ok = (truth: boolean, what: string) => void (truth || failures.push(`${name}: ${what}`))
    await check(stores, ok).catch((error: unknown) => failures.push(`${name}: ${String(error)}`))
  }
  await stores.registry.put(entry(10))
  await stores.close()
  await stores.close()
  if (stores.kind === 'memory') return failures

  const again = await open()
  const store = await again.open(hash(6), 2 * piece + 9)
  const kept = await store.read(0, 2 * piece + 9).catch(() => undefined)
  if (!kept || !equal(kept, bytes(6, 0, 2 * piece + 9))) failures.push('does not survive a reload: bytes')
  if (!(await again.registry.get(hash(10)))?.pieces) failures.push('does not survive a reload: registry')
  for (const seed of [1, 2, 3, 5, 6, 7]) await again.destroy(hash(seed))
  await again.registry.delete(hash(10))
  await again.close()
  return failures
}
