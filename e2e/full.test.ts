/** A device that is nearly full: what is there stays in use, what is looked at goes on, and all comes once there is room. */
import { randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { harness, type Kind, type Server } from './harness/index.ts'
import { allow, arrived, saver, send, write } from './files.kit.ts'
import { accessible, press, reads, text } from './memos.kit.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

const note = 'the last of them\n'.repeat(500)
const middle = randomBytes(2_000_000)

/** Somebody with room for about 10 MB, and a link to 62 MB with a small text at their end. */
async function cramped(kind: Kind) {
  const ann = await kit.person('chromium', { allow })
  const files = await write(await kit.folder(), { 'a.bin': randomBytes(60_000_000), 'm.bin': middle, 'z.txt': note })
  const link = await send(ann.page, server.origin, files)
  const { person, saved } = await saver(kit, kind, { 'dom.quotaManager.temporaryStorage.fixedLimit': 12 << 10 })
  person.allow(/Quota|Failed to (fetch|load)|503/i)
  const { page } = person
  const devtools = kind === 'chromium' ? await page.createCDPSession() : undefined
  const quota = (quotaSize?: number) => devtools?.send('Storage.overrideQuotaForOrigin', { origin: server.origin, quotaSize })
  await quota(12 << 20)
  return { ann, page, saved, link, quota }
}

test('firefox: single files are saved wherever they lie in what does not fit', async () => {
  const { page, saved, link } = await cramped('firefox')
  await page.goto(link)
  await reads(page, 'Download single files, or make some room first')
  for (const [name, content] of [['z.txt', Buffer.from(note)], ['m.bin', middle]] as const) {
    await press(page, `Download ${name}`)
    expect((await saved(name)).equals(content)).toBe(true)
  }
  expect(await text(page)).not.toContain('This device is full')
  await press(page, 'z.txt')
  await reads(page, 'the last of them')
})

describe.each<Kind>(['firefox', 'chromium'])('%s', (kind) => {
  test('all of it does not fit: the page says so beside what is there, and single files are still to be had', async () => {
    const { page, saved, link, quota } = await cramped(kind)
    await page.goto(link)
    if (kind === 'firefox') await press(page, 'Get all of it')
    const full = await reads(page, 'This device is full')
    for (const words of ['a.bin', 'z.txt', 'What is here can be played and downloaded', 'Retry']) expect(full).toContain(words)
    if (kind === 'chromium') await accessible(page)
    await press(page, 'Only what I open')
    await reads(page, 'Only what you play or download is fetched')
    await press(page, 'Download z.txt')
    expect((await saved('z.txt')).toString()).toBe(note)
    if (kind === 'firefox') return
    await quota()
    await press(page, 'Get all of it')
    await arrived(page)
  })
})
