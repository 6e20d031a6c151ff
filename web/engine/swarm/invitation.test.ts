import { expect, test } from 'vitest'
import type { Entry } from '../store/store.ts'
import { Invitation } from './invitation.ts'
import { extend } from './keeping.ts'

const entry = (): Entry => ({ infoHash: 'a'.repeat(40), trackers: [], webSeeds: [], seeded: false, added: 0 })

test('it is made once, and again when a name, a key or an address comes', () => {
  const invitation = new Invitation()
  const known = entry()
  const words = (name?: string) => invitation.words('https://here.example/m', known, name)
  const first = words()
  expect(first.magnetURI).toBe(`magnet:?xt=urn:btih:${known.infoHash}`)
  expect(first.link).toBe(`https://here.example/m#${known.infoHash}`)
  expect(words()).toBe(first)
  expect(words('Rain').magnetURI).toContain('&dn=Rain')
  extend(known, ['wss://there.example/announce'], [])
  expect(words('Rain').link).toContain('&tr=wss')
  extend(known, [], ['https://seed.example/'])
  expect(words('Rain').magnetURI).toContain('&ws=https')
  known.key = new Uint8Array(16)
  expect(words('Rain').link).toContain(`#${known.infoHash}.AAAA`)
})
