import { toHex } from '../bytes.ts'
import type { WireHandler } from './wire.ts'

export type Call = [name: string, ...values: unknown[]]

const names = [
  'onhandshake', 'onchoke', 'onunchoke', 'oninterested', 'onnotinterested', 'onhave', 'onbitfield', 'onhaveall',
  'onhavenone', 'onrequest', 'onpiece', 'oncancel', 'onreject', 'onallowedfast', 'onextendedhandshake',
  'onextended', 'onviolation',
] satisfies (keyof WireHandler)[]

/** For tests: a handler that writes down what it is told, bytes as hex. */
export function recorder(): { handler: WireHandler; calls: Call[] } {
  const calls: Call[] = []
  const entries = names.map((name) => [name, (...values: unknown[]) => {
    calls.push([name, ...values.map((value) => (value instanceof Uint8Array ? toHex(value) : value))])
  }])
  return { handler: Object.fromEntries(entries) as WireHandler, calls }
}
