import type { ErrorCode } from '../errors.ts'

export const calls = [
  'seed', 'add', 'read', 'release', 'blob', 'torrentFile', 'setCard', 'pause', 'limit', 'setRelayOnly', 'remove', 'states', 'stats',
] as const
const events = ['onstate', 'onpeer', 'onremove'] as const

export type CallName = (typeof calls)[number]
export type EventName = (typeof events)[number]

/** A follower's call, to the leader's channel; answered to its own. */
export interface Call {
  from: string
  call: number
  /** abort: of the call of that number, which is answered itself. */
  name: CallName | 'abort'
  args: unknown[]
}

export type Answer =
  | { call: number; value: unknown }
  | { call: number; error: { code: ErrorCode; message: string } }
  | { call: number; hashed: number }

/** What happened in the engine, to all. */
export interface Event {
  from: string
  event: EventName
  args: unknown[]
}

const isFrom = (message: unknown): message is { from: string; args: unknown[] } =>
  typeof (message as Event | null)?.from === 'string' && Array.isArray((message as Event).args)

export const isCall = (message: unknown): message is Call =>
  isFrom(message) && Number.isSafeInteger((message as Call).call)

/** A tab of a later version may ask for more. */
export const isKnown = (name: unknown): name is CallName => calls.includes(name as CallName)

export const isEvent = (message: unknown): message is Event =>
  isFrom(message) && events.includes((message as Event).event)
