import { expect, it } from 'vitest'
import { filesOf, sizeOfAll } from './shared.ts'
import type { Shared } from '../sw/shared.ts'

const shared = (more: Partial<Shared>): Shared => ({ id: '0', at: 5, title: '', text: '', whole: new Blob(), files: [], ...more })
const names = (more: Partial<Shared>) => filesOf(shared(more)).map(({ name }) => name)
const called = (...all: string[]) => ({ files: all.map((name) => ({ name, size: 0, type: '' })) })

it('makes files of what was shared, as they were', async () => {
  const files = [{ name: 'a.jpg', size: 3, type: 'image/jpeg' }, { name: 'b', size: 0, type: '' }, { name: 'c', size: 2, type: 'x/y' }]
  const all = filesOf(shared({ files, whole: new Blob(['onetw']), text: 'words' }))
  expect(await Promise.all(all.map(async (file) => [file.name, file.type, await file.text()]))).toEqual([
    ['a.jpg', 'image/jpeg', 'one'], ['b', '', ''], ['c', 'x/y', 'tw'], ['Text.txt', 'text/plain', 'words'],
  ])
  expect([all[0]!.lastModified, sizeOfAll(all)]).toEqual([5, 10])
})

it('makes a file of text, called as it is', async () => {
  expect(names({ title: 'On birds: 1/2', text: 'They fly.' })).toEqual(['On birds: 1 2.txt'])
  expect(names({ title: 'x'.repeat(1000), text: 'y' })[0]).toHaveLength(64)
  const [file] = filesOf(shared({ title: 'A thought' }))
  expect([file!.name, await file!.text()]).toEqual(['A thought.txt', 'A thought'])
  expect(names({ title: 'An album', ...called('1.jpg') })).toEqual(['1.jpg'])
})

it('gives each a name of its own, which is no path', () => {
  expect(names(called('image.png', 'image.png', 'image (2).png', 'x', 'x'))).toEqual(['image.png', 'image (2).png', 'image (2) (2).png', 'x', 'x (2)'])
  expect(names(called('../../etc/passwd', 'C:\\a.txt', '..', '', '.profile', 'a\nb', ' /'))).toEqual(['.. .. etc passwd', 'C: a.txt', 'File', 'File (2)', '.profile', 'a b', 'File (3)'])
  // Nor does it look like another.
  expect(names(called('photo\u202egpj.exe'))).toEqual(['photogpj.exe'])
})
