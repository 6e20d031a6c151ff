import { expect, it } from 'vitest'
import { isFull, keepsNothing, shut } from './full.ts'

const denied = [
  new DOMException('The operation is insecure.', 'SecurityError'),
  // Chromium, of IndexedDB where the site may keep no data.
  new DOMException('The user denied permission to access the database.', 'UnknownError'),
]
const full = new DOMException('Encountered full disk while opening backing store for indexedDB.open.', 'QuotaExceededError')
const broken = new DOMException('Internal error opening backing store for indexedDB.open.', 'UnknownError')

it('a browser that keeps nothing, a full one, and one whose storage is broken are told apart', () => {
  expect([...denied, full, broken, new Error('denied permission'), undefined].map(keepsNothing)).toEqual([true, true, false, false, false, false])
  expect([...denied, full, broken].map(isFull)).toEqual([false, false, true, false])
})

it('a database that does not open: only where the browser keeps nothing is it a matter of private windows', () => {
  expect(denied.map(shut)).toEqual([undefined, undefined])
  expect(shut(full)?.text).toContain('Make some room')
  expect(shut(broken)?.text).toContain('start the browser anew')
})
