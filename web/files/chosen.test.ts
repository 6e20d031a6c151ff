import { expect, it } from 'vitest'
import { chosen, dropped, maxFiles, TooMany } from './chosen.ts'

type Tree = { [name: string]: string | Tree }

/** What browsers give for something dropped: folders in portions. */
function entry(name: string, what: string | Tree): object {
  if (typeof what === 'string')
    return { name, isFile: true, file: (then: (file: File) => void) => then(new File([what], name, { type: 'text/plain' })) }
  const rest = Object.entries(what)
  return {
    name,
    isFile: false,
    createReader: () => ({
      readEntries: (then: (entries: object[]) => void) => then(rest.splice(0, 2).map(([name, what]) => entry(name, what))),
    }),
  }
}

const drop = (tree: Tree): DataTransfer =>
  ({ items: Object.entries(tree).map(([name, what]) => ({ webkitGetAsEntry: () => entry(name, what) })) }) as unknown as DataTransfer

const list = (files: Partial<File>[]): FileList => files as unknown as FileList

it('names files by their paths, in an order of their own', async () => {
  const files = await dropped(drop({ b: '2', a: { '10': '', '9': '', '8': '', deep: { c: 'see' } } }))
  expect(files.map(({ name }) => name)).toEqual(['a/8', 'a/9', 'a/10', 'a/deep/c', 'b'])
  expect([await files[3]!.text(), files[3]!.type]).toEqual(['see', 'text/plain'])
  const folder = Object.assign(new File(['x'], 'x'), { webkitRelativePath: 'f/x' })
  expect(chosen(list([new File([''], 'y'), folder])).map(({ name }) => name)).toEqual(['f/x', 'y'])
})

it('orders them in the same way however they were chosen, where numbers are the same too', () => {
  const names = ['1.jpg', '01.jpg', '001.jpg']
  const orders = [names, names.toReversed()].map((names) => chosen(list(names.map((name) => new File([''], name)))).map(({ name }) => name))
  expect(orders[1]).toEqual(orders[0])
})

it('takes what is dropped as plain files where a browser does not know folders', async () => {
  const files = list([new File([''], 'a')])
  expect(await dropped({ items: [], files } as unknown as DataTransfer)).toHaveLength(1)
})

it('says which of them cannot be read, be it a file or a folder', async () => {
  const gone = (_: unknown, reject: (error: unknown) => void) => reject(new DOMException('', 'NotFoundError'))
  const inside = (what: object) => {
    const rest = [{ name: 'deep', ...what }]
    const folder = { name: 'top', isFile: false, createReader: () => ({ readEntries: (then: (some: object[]) => void) => then(rest.splice(0)) }) }
    return dropped({ items: [{ webkitGetAsEntry: () => folder }] } as unknown as DataTransfer)
  }
  for (const what of [{ isFile: true, file: gone }, { isFile: false, createReader: () => ({ readEntries: gone }) }]) {
    await expect(inside(what)).rejects.toMatchObject({ code: 'unreadable', message: expect.stringContaining('top/deep') as string })
  }
})

it('refuses too many', async () => {
  expect(() => chosen({ length: maxFiles + 1 } as FileList)).toThrow(TooMany)
  // One folder that never ends.
  const file = { name: 'x', isFile: true, file: (then: (file: object) => void) => then({ name: 'endless/x' }) }
  const createReader = () => ({ readEntries: (then: (entries: object[]) => void) => then(Array(100).fill(file)) })
  const items = [{ webkitGetAsEntry: () => ({ name: 'endless', isFile: false, createReader }) }]
  await expect(dropped({ items } as unknown as DataTransfer)).rejects.toThrow(TooMany)
})
