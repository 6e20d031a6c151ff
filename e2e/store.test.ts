import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { ElementHandle } from 'puppeteer-core'
import { enter, harness, until, type Kind } from './harness/index.ts'

const kit = harness()
declare const lab: typeof import('./store.page.ts')
const entry = new URL('./store.page.ts', import.meta.url)

describe.each<Kind>(['chromium', 'firefox'])('%s', (kind) => {
  test('OPFS and IndexedDB conform', async () => {
    const place = await kit.lab(entry)
    const { page } = await kit.person(kind, { own: true })
    await enter(page, place)
    expect(await page.evaluate(() => lab.opfs())).toEqual([])
    expect(await page.evaluate(() => lab.indexeddb())).toEqual([])
    expect(await page.evaluate(() => lab.kind())).toBe('opfs')
  })

  test('files that no torrent has go after a day, others and what another tab has open stay', async () => {
    const place = await kit.lab(entry)
    const { page } = await kit.person(kind, { own: true })
    await enter(page, place)
    const { today, tomorrow, age } = await page.evaluate(() => lab.tidied())
    expect(today).toEqual(['a', 'b', 'c', 'd'])
    expect(tomorrow).toEqual(['b', 'c', 'd'])
    expect(Math.abs(age)).toBeLessThan(3_600_000)
  })

  test('IndexedDB where the worker may not run', async () => {
    const place = await kit.lab(entry, { headers: { 'Content-Security-Policy': "worker-src 'none'" } })
    const { page } = await kit.person(kind, { allow: [/Content.Security.Policy/i] })
    await enter(page, place)
    expect(await page.evaluate(() => lab.kind())).toBe('indexeddb')
    expect(await page.evaluate(() => lab.indexeddb())).toEqual([])
  })

  test('IndexedDB where the worker is not to be had', async () => {
    const routes = { '/starling-store.js': (_: unknown, response: ServerResponse) => void response.writeHead(404).end() }
    const place = await kit.lab(entry, { routes })
    const { page } = await kit.person(kind, { allow: [/404|starling-store/] })
    await enter(page, place)
    expect(await page.evaluate(() => lab.kind())).toBe('indexeddb')
  })

  test('OPFS for a page of another origin too, where its policy lets a worker of its own be made', async () => {
    const engine = await kit.lab(entry, { headers: { 'Access-Control-Allow-Origin': '*' } })
    const script = `${engine.origin.replace('127.0.0.1', 'localhost')}/entry.js`
    const page = `<!doctype html><title>lab</title><script type="module">import * as lab from '${script}'; globalThis.lab = lab</script>`
    const { origin } = new URL(script)
    const documented = `script-src 'unsafe-inline' ${origin}; connect-src ${origin}; media-src blob:; worker-src blob: ${origin}`
    for (const [policy, expected] of [['', 'opfs'], [documented, 'opfs'], ["worker-src 'self'", 'indexeddb']] as const) {
      const place = await kit.lab(entry, {
        headers: policy ? { 'Content-Security-Policy': policy } : {},
        routes: { '/': (_, response) => void response.setHeader('Content-Type', 'text/html').end(page) },
      })
      const someone = await kit.person(kind, { own: true, allow: expected === 'opfs' ? [] : [/Content.Security.Policy/i] })
      await enter(someone.page, place)
      expect(await someone.page.evaluate(() => lab.kind())).toBe(expected)
      if (expected === 'opfs') expect(await someone.page.evaluate(() => lab.opfs())).toEqual([])
    }
  })

  test('two tabs at once', async () => {
    const place = await kit.lab(entry)
    const person = await kit.person(kind, { own: true })
    const other = await person.tab()
    await enter(person.page, place)
    await enter(other, place)
    const kinds = await Promise.all([person.page, other].map((page) => page.evaluate(() => lab.kind())))
    expect(kinds).toEqual(['opfs', 'opfs'])
  })

  test('full: no-space, and what was there is untouched', async () => {
    const place = await kit.lab(entry)
    const prefs = { 'dom.quotaManager.temporaryStorage.fixedLimit': 20 << 10 }
    const { page } = await kit.person(kind, { own: true, prefs })
    await enter(page, place)
    if (kind === 'chromium') {
      const devtools = await page.createCDPSession()
      await devtools.send('Storage.overrideQuotaForOrigin', { origin: place.origin, quotaSize: 10 << 20 })
    }
    for (const how of ['opfs', 'indexeddb'] as const) {
      const { kept, why, intact } = await page.evaluate((how) => lab.fill(how, 100), how)
      expect({ how, why, intact, some: kept > 0 }).toEqual({ how, why: 'no-space', intact: true, some: true })
    }
  })
})

test('a seeded file that changed on disk', async () => {
  const place = await kit.lab(entry)
  const { page } = await kit.person('chromium')
  await enter(page, place)
  const folder = await mkdtemp(join(tmpdir(), 'starling-'))
  kit.defer(() => rm(folder, { recursive: true }))
  const file = join(folder, 'memo.txt')
  await writeFile(file, 'what was said')
  await page.evaluate(() => lab.input())
  const input = (await page.$('input')) as ElementHandle<HTMLInputElement>
  await input.uploadFile(file)
  await until('the file', async () => (await page.title()) === 'seeding 13')
  expect(await page.evaluate(() => lab.readSeeded(5, 13))).toBe('was said')
  await rm(file)
  await writeFile(file, 'something else')
  await input.evaluate((input) => input.dispatchEvent(new Event('change')))
  expect(await page.evaluate(() => lab.readSeeded(5, 13))).toBe('unreadable')
})
