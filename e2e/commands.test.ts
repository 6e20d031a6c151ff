/** What a page shares, on the command line. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { root } from './harness/build.ts'
import { harness, type Server } from './harness/index.ts'
import { makeMemo, press, shareLink, visit } from './memos.kit.ts'

const kit = harness()
let server: Server

beforeAll(async () => {
  server = await kit.serve()
})

/** The files that `starling get` puts there, and their sizes. */
async function get(link: string): Promise<Record<string, number>> {
  const [here, data] = [await kit.folder(), await kit.folder()]
  const program = await kit.program(
    join(root, 'bin/starling'), 'get', link, '-o', here, '--data-dir', data, '--no-dht', '--no-lan', '--timeout', '30s')
  expect(await program.ended(), program.lines.join('\n')).toBe(0)
  const names = (await readdir(here)).sort()
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, (await stat(join(here, name))).size])))
}

test('a memo, and several in one link: files with the memos’ names', async () => {
  const ann = await visit(kit, server)
  await makeMemo(ann.page, 'One: a title')
  const files = await get(await shareLink(ann.page))
  expect(Object.keys(files)).toEqual([expect.stringMatching(/^One_? a title\.(webm|m4a|mp4|ogg)$/)])
  expect(Object.values(files)[0]).toBeGreaterThan(1000)

  await ann.page.keyboard.press('Escape')
  await press(ann.page, 'Memos', 'link')
  await makeMemo(ann.page, 'Two')
  await press(ann.page, 'Memos', 'link')
  await press(ann.page, 'Select')
  for (const title of ['One: a title', 'Two']) await press(ann.page, `Select ${title}`, 'checkbox')
  expect(Object.keys(await get(await shareLink(ann.page)))).toEqual([
    expect.stringMatching(/^One_? a title\./), expect.stringMatching(/^Two\./),
  ])
})
