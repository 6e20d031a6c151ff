import { looking, release, type Ask, type AskDownload, type Found, type Pull } from '../engine/stream/protocol.ts'
import type { Client, Clients } from './scope.ts'

/** Milliseconds in which a tab must show that it is there: frozen ones and those of other pages do not. */
const signTime = 3000
/**
 * Milliseconds in which a tab that looks must know, as it may have to wait for metadata; and in which the one that asked
 * must show itself, which is there, however busy.
 */
const lookTime = 20_000
/** Milliseconds for which the tab that asked is the only one to be asked. */
const headStart = 1000
/** How often, in milliseconds, it is seen whether a tab from which bytes are awaited is still there. */
const checkTime = 5000

export type File = NonNullable<Found>

/** A tab that has the file. */
export class Supplier {
  readonly file: File
  readonly #client: Client
  readonly #clients: Clients
  readonly #port: MessagePort
  /** Of the read that is under way. */
  #check: ReturnType<typeof setInterval> | undefined

  constructor(clients: Clients, client: Client, port: MessagePort, file: File) {
    this.#clients = clients
    this.#client = client
    this.#port = port
    this.file = file
  }

  /** Bytes from start on, at most up to end. One call at a time. */
  read(start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      const check = (this.#check = setInterval(async () => {
        if (await this.#clients.get(this.#client.id)) return
        clearInterval(check)
        reject(new Error('the tab was closed'))
      }, checkTime))
      this.#port.onmessage = ({ data }: MessageEvent<unknown>) => {
        clearInterval(check)
        if (data instanceof Uint8Array) resolve(data as Uint8Array<ArrayBuffer>)
        else reject(new Error(String(data)))
      }
      this.#port.postMessage({ start, end } satisfies Pull)
    })
  }

  /** Bytes [start, end) as an answer's body, read no faster than they are taken. Closes this when it ends. */
  stream(start: number, end: number): ReadableStream<Uint8Array> {
    let at = start
    return new ReadableStream(
      {
        pull: async (controller) => {
          try {
            const bytes = await this.read(at, end)
            at += bytes.length
            controller.enqueue(bytes)
            if (at < end) return
            controller.close()
          } catch (error) {
            controller.error(error)
          }
          this.close()
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 0 },
    )
  }

  close(): void {
    clearInterval(this.#check)
    this.#port.postMessage(release)
    this.#port.close()
  }
}

/**
 * The tab that has the file: the one that asked when it has it, else the first of the others that does. Undefined
 * when all say no or nothing.
 */
export async function findSupplier(
  clients: Clients,
  clientId: string,
  infoHash: string,
  file: number,
): Promise<Supplier | undefined> {
  const all = await clients.matchAll({ type: 'window', includeUncontrolled: true })
  const asker = all.find(({ id }) => id === clientId)
  const question: Ask = { type: 'starling:range', infoHash, file }
  const own = asker && ask(clients, asker, question, lookTime)
  const early = await Promise.race([own, new Promise<undefined>((resolve) => setTimeout(resolve, own ? headStart : 0))])
  if (early) return early
  const others = all.filter((client) => client !== asker).map((client) => ask(clients, client, question))
  return first(own ? [own, ...others] : others)
}

/** The tab that makes this download. lock: see AskDownload. */
export async function findMaker(clients: Clients, id: string, lock: string | undefined): Promise<Supplier | undefined> {
  const all = await clients.matchAll({ type: 'window', includeUncontrolled: true })
  return first(all.map((client) => ask(clients, client, { type: 'starling:download', id, lock } satisfies AskDownload)))
}

/** The first that is there; those that come after it are closed. */
async function first(answers: Promise<Supplier | undefined>[]): Promise<Supplier | undefined> {
  let found: Supplier | undefined
  const arrivals = answers.map(async (answer) => {
    const supplier = await answer
    if (found) supplier?.close()
    else found = supplier
    if (!found) throw new Error('not here')
  })
  await Promise.any(arrivals).catch(() => undefined)
  return found
}

/** What this tab has of what is asked for; it must show within patience, in milliseconds, that it is there. */
export function ask(clients: Clients, client: Client, question: object, patience = signTime): Promise<Supplier | undefined> {
  const { port1, port2 } = new MessageChannel()
  return new Promise((resolve) => {
    const refuse = () => {
      port1.postMessage(release)
      port1.close()
      resolve(undefined)
    }
    let timer = setTimeout(refuse, patience)
    port1.onmessage = ({ data }: MessageEvent<Found | typeof looking>) => {
      clearTimeout(timer)
      if (data === looking) timer = setTimeout(refuse, lookTime)
      else if (data) resolve(new Supplier(clients, client, port1, data))
      else refuse()
    }
    client.postMessage(question, [port2])
  })
}
