/** What of a service worker's global scope is used here: TypeScript's own types of it clash with the DOM's. */

export interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void
}

export interface InstallEvent extends ExtendableEvent {
  /** Static routing of the Service Workers specification; Firefox has it not. */
  addRoutes?(rule: object): Promise<void>
}

export interface FetchEvent extends ExtendableEvent {
  readonly request: Request
  /** Of the page that asked; '' where a new page is being opened. */
  readonly clientId: string
  respondWith(response: Promise<Response> | Response): void
}

export interface MessageFromPage extends ExtendableEvent {
  readonly data: unknown
  readonly ports: readonly MessagePort[]
}

/** A tab. */
export interface Client {
  readonly id: string
  postMessage(message: unknown, transfer?: Transferable[]): void
}

export interface Clients {
  get(id: string): Promise<Client | undefined>
  matchAll(options: { type: 'window'; includeUncontrolled?: boolean }): Promise<readonly Client[]>
  claim(): Promise<void>
}

interface Events {
  install: InstallEvent
  activate: ExtendableEvent
  message: MessageFromPage
  fetch: FetchEvent
}

interface Scope {
  readonly clients: Clients
  readonly location: Location
  readonly registration: { unregister(): Promise<boolean> }
  skipWaiting(): Promise<void>
  addEventListener<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): void
}

export const scope = globalThis as unknown as Scope
